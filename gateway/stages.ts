import { resolveEffectiveSubject } from './access/effective-subject.ts'
import type { Identity } from './access/identity.ts'
import type { Sessions } from './access/sessions.ts'
import { type Answer, answer, draftOf, failure, responseOf, withLinks } from './answer.ts'
import { NO_LINKS } from './disclosure/patient-links.ts'
import type { PolicyTable } from '../directives/policy.ts'
import type { Execution, OpenedScope, OperationEngine, ResolvedOperation } from './execution.ts'
import type { CallerParts, ProcessParts, RecordParts, SubjectParts } from './gateway-parts.ts'
import { parseBody, parseQueryString } from './http/graphql-request.ts'
import { answerType, type HttpResponse, refusedByType } from './http/messages.ts'
import { AuditUnavailable, Unauthenticated } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { Admitted, Arrived, Executed, Identified, Negotiated, Parsed, Refusal, Resolved, Selected, Stage } from './pipeline.ts'
import type { EventSink } from './telemetry/events.ts'
import { internalFault } from './telemetry/internal-fault.ts'

/** Share of the request's time for authentication. */
const IDENTITY_SHARE = 0.25
/** Share of the time left after it, for the session. */
const SESSION_SHARE = 0.2
/** Share of the time left after that, for the study of a researcher. */
const STUDY_SHARE = 0.3

export const identify =
  (identity: Identity): Stage<Arrived, Identified> =>
  async (state) => {
    const caller = await state.deadline.share(IDENTITY_SHARE).wait(
      () => identity.callerOf(state.request.headers),
      () => new Unauthenticated({ fault: 'KEYS_UNAVAILABLE' }),
    )
    return { ...state, caller }
  }

/** Checks that the session of the token has not ended. */
export const admitSession =
  (sessions: Sessions | undefined): Stage<Identified, Admitted> =>
  async (state) => {
    if (sessions === undefined) return { ...state, session: 'NOT_KEPT' }
    await sessions.admit(state.caller, state.requestId, state.deadline.share(SESSION_SHARE))
    return { ...state, session: 'ADMITTED' }
  }

/** Refuses media types before execution: a value in an answer that the client cannot read would be opened and recorded in vain. */
export function negotiate(state: Admitted): Negotiated | Refusal {
  const { headers, method } = state.request
  const responseType = answerType(headers)
  if (responseType === undefined) return { refused: 'BAD_REQUEST', status: 406 }
  const status = refusedByType(headers, method)
  return status === undefined ? { ...state, responseType } : { refused: 'BAD_REQUEST', status }
}

export function parse(state: Negotiated): Parsed {
  const { method, body, queryString = '' } = state.request
  return { ...state, body: method === 'GET' ? parseQueryString(queryString) : parseBody(body) }
}

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

type SettlingParts = Required<Pick<ProcessParts, 'events'> & Pick<CallerParts, 'stepUpSeconds'>>

/** Measures the answer, waits for the audit of the operation, then answers with its receipt (P2). */
export const settle =
  ({ events, stepUpSeconds }: SettlingParts): Stage<Executed, HttpResponse> =>
  async ({ requestId, responseType, execution }) =>
    responseOf(await answerOf(requestId, execution, events), responseType, stepUpSeconds)

async function answerOf(requestId: RequestId, { scope, data, errors }: Execution, events: EventSink): Promise<Answer> {
  // no resolver ran: the document or its variables were refused
  if (scope === undefined) return failure(requestId, errors[0]?.extensions.code ?? 'INTERNAL', errors)
  try {
    const draft = draftOf(scope, data, errors)
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
    return answer(requestId, withLinks(draft, links, scope.size.max), receipt)
  } catch (error) {
    if (error instanceof AuditUnavailable) return failure(requestId, 'AUDIT_UNAVAILABLE')
    events(internalFault(requestId, error))
    return failure(requestId, 'INTERNAL')
  }
}
