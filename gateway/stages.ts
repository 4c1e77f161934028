import { resolveEffectiveSubject } from './access/effective-subject.ts'
import { type Answer, answer, draftOf, entryOf, failure, responseOf, withLinks } from './answer.ts'
import { NO_LINKS } from './disclosure/patient-links.ts'
import type { PolicyTable } from '../directives/policy.ts'
import type { Execution, OpenedScope, OperationEngine, ResolvedOperation } from './execution.ts'
import type { CallerParts, ProcessParts, RecordParts, SubjectParts } from './gateway-parts.ts'
import type { HttpResponse } from './http/messages.ts'
import { type ErrorText, errorText } from './model/failure-messages.ts'
import { AuditUnavailable } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { Executed, Resolved, Selected, Stage } from './pipeline.ts'
import type { EventSink } from './telemetry/events.ts'
import { internalFault } from './telemetry/internal-fault.ts'

/** Share of the time left after that, for the study of a researcher. */
const STUDY_SHARE = 0.3

type ResolvingParts = SubjectParts & Pick<RecordParts, 'keys'> & Required<Pick<ProcessParts, 'now'>>

/** Replaces a researcher by the identity under which they act for a study. Any other caller acts as themselves. */
export const resolveSubject =
  (
    policy: PolicyTable,
    { relationships, breakGlass, consents, studies, keys: keyring, now }: ResolvingParts,
  ): Stage<Selected, Resolved> =>
  async (state) => {
    const attributes = { relationships, ...(breakGlass && { breakGlass }), ...(consents && { consents }) }
    const subject = await resolveEffectiveSubject(
      state.caller,
      state.request.headers['x-research-study'],
      { policy, attributes, ...(studies && { studies }), keyring, now },
      state.deadline.share(STUDY_SHARE),
    )
    return { ...state, subject }
  }

/** @param open opens the scope of the operation, after validation and before the first resolver */
export const execute =
  (engine: OperationEngine, open: (state: Resolved, operation: ResolvedOperation) => OpenedScope): Stage<Resolved, Executed> =>
  async (state) => {
    const execution = await engine.execute(state.requestId, { ...state.body, prepared: state.operation.prepared }, (operation) => {
      const opened = open(state, operation)
      state.counted.values = opened.scope.counter
      return opened
    })
    return { ...state, execution }
  }

type SettlingParts = Required<Pick<ProcessParts, 'events' | 'detailedErrors'> & Pick<CallerParts, 'stepUpSeconds'>>

/** Measures the answer, waits for the audit of the operation, then answers with its receipt (P2). */
export const settle =
  ({ events, stepUpSeconds, detailedErrors }: SettlingParts): Stage<Executed, HttpResponse> =>
  async ({ requestId, responseType, execution }) =>
    responseOf(await answerOf(requestId, execution, events, errorText(detailedErrors)), responseType, stepUpSeconds)

async function answerOf(
  requestId: RequestId,
  { scope, data, errors }: Execution,
  events: EventSink,
  text: ErrorText,
): Promise<Answer> {
  // no resolver ran: the document or its variables were refused
  if (scope === undefined) {
    const [first = entryOf('INTERNAL', text), ...others] = errors
    return failure(requestId, [first, ...others])
  }
  try {
    const draft = draftOf(scope, data, errors, text)
    if (scope.size.isExceeded) {
      scope.trail.withhold('SIZE')
      scope.budget.giveBack()
    }
    // beside the audit, so that the answer waits for one round trip
    const [settled, { links, accesses }] = await Promise.all([
      scope.trail.settle(),
      draft.kind === 'ANSWER' ? scope.links.found() : NO_LINKS,
      scope.countRefusals(),
    ])
    for (const access of accesses) scope.trail.record(access)
    const receipt = accesses.length > 0 ? await scope.trail.settle() : settled
    return answer(requestId, withLinks(draft, links, scope.size.max, text), receipt)
  } catch (error) {
    if (error instanceof AuditUnavailable) return failure(requestId, [entryOf('AUDIT_UNAVAILABLE', text)])
    events(internalFault(requestId, error))
    return failure(requestId, [entryOf('INTERNAL', text)])
  }
}
