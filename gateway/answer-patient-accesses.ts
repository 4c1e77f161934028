import { randomBytes } from 'node:crypto'
import { type AnswerPatientAccesses, PATIENT_ACCESSES, PatientAccessesQuestion } from './audit/patient-accesses.ts'
import { newRequestId } from './audit/request-id.ts'
import { Trail } from './audit/trail.ts'
import type { AuditApiParts } from './create-audit-api.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import { REVIEWED_TYPE } from './model/access-record.ts'
import { Deadline } from './model/deadline.ts'
import { AuditLogUnavailable, AuditUnavailable, StoreUnavailable } from './model/failures.ts'
import type { TenantId } from './model/ids.ts'
import { patientAccesses } from './oversight/patient-accesses.ts'
import { internalFault } from './telemetry/internal-fault.ts'

const ROOT = `${REVIEWED_TYPE}.patientAccesses` as SchemaPath
/** Share of the time for reading. The rest is for the record of the answer. */
const READ_SHARE = 0.7
/** The user of the record: the function that asks on behalf of a caller. The request id in `filter` leads to the caller. */
const ASKING_FUNCTION = 'function:graphql'

type AnsweringParts = Pick<AuditApiParts, 'audit' | 'events' | 'now' | 'openReader' | 'policy'>

/**
 * Answers the clinical function, which has decided that its caller acts as the patient or for the patient. Only that function may invoke
 * this one: IAM decides that, and no caller of the HTTP API reaches it. The log has a record of each answer before the answer leaves.
 *
 * Never throws: an error of a function would leave with its stack.
 */
export function answerPatientAccesses({ audit, events, now, openReader, policy }: AnsweringParts): AnswerPatientAccesses {
  return async (event, at) => {
    const parsed = PatientAccessesQuestion.safeParse(event)
    if (!parsed.success || parsed.data.from > parsed.data.to) return { kind: 'REFUSED', code: 'BAD_REQUEST' }
    const question = parsed.data
    // safe: the question was parsed with the form of a tenant
    const tenant = question.tenant as TenantId
    // The request id of the question locates records of the clinical function: these records have an id of their own
    const requestId = newRequestId(audit.process, now(), randomBytes)
    const deadline = new Deadline(at, { now, monotonic: () => performance.now() })
    const trail = new Trail({
      log: audit.log,
      context: { tenant, requestId, user: ASKING_FUNCTION, roles: [], purpose: 'PATRQT', persisted: false, policy: policy.digest },
      now,
      deadline,
      roots: [ROOT],
      leftOut: 'NEVER',
      origins: new Map(),
    })
    const { patient, from, to, requestId: askedBy } = question
    const review = { patient, path: ROOT, action: 'REVIEW', filter: JSON.stringify({ requestId: askedBy, from, to }) } as const
    try {
      const reading = deadline.share(READ_SHARE)
      const answer = await patientAccesses(await openReader(tenant), question, reading)
      trail.record({ ...review, outcome: 'REVIEWED', count: answer.accesses.length })
      await trail.settle()
      return { kind: PATIENT_ACCESSES, ...answer, accesses: [...answer.accesses] }
    } catch (error) {
      const isOutage =
        error instanceof StoreUnavailable || error instanceof AuditLogUnavailable || error instanceof AuditUnavailable
      if (!isOutage) events(internalFault(requestId, error))
      trail.record({ ...review, outcome: 'UNAVAILABLE', reason: 'STORE' })
      // the answer is a refusal in any case
      await trail.settle().catch(() => undefined)
      return { kind: 'REFUSED', code: 'UNAVAILABLE' }
    }
  }
}

/** Whether an event of the function is a question of the clinical function. API Gateway chooses the members of its events, and has none of this name. */
export const isPatientAccessesEvent = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && Object.hasOwn(event, 'kind')
