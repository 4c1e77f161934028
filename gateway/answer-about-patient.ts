import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { PATIENT_ACCESSES, type PatientAccessesAnswer, PatientAccessesQuestion } from './audit/patient-accesses.ts'
import { PATIENT_DISCLOSURES, type PatientDisclosuresAnswer, PatientDisclosuresQuestion } from './audit/patient-disclosures.ts'
import { newRequestId } from './audit/request-id.ts'
import { Trail } from './audit/trail.ts'
import type { AuditApiParts } from './create-audit-api.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import { REVIEWED_TYPE } from './model/access-record.ts'
import { Deadline } from './model/deadline.ts'
import { AuditLogUnavailable, AuditUnavailable, FilterTooBroad, StoreUnavailable } from './model/failures.ts'
import type { TenantId } from './model/ids.ts'
import type { AuditReader } from './oversight/audit-reader.ts'
import { patientDisclosures } from './oversight/disclosures/patient-disclosures.ts'
import { patientAccesses } from './oversight/patient-accesses.ts'
import { internalFault } from './telemetry/internal-fault.ts'

const Question = z.discriminatedUnion('kind', [PatientAccessesQuestion, PatientDisclosuresQuestion])
type Question = z.infer<typeof Question>
export type AnswerAboutPatient = PatientAccessesAnswer | PatientDisclosuresAnswer

/** The path of the record of an answer. */
const ROOTS: Readonly<Record<Question['kind'], SchemaPath>> = {
  [PATIENT_ACCESSES]: `${REVIEWED_TYPE}.patientAccesses` as SchemaPath,
  [PATIENT_DISCLOSURES]: `${REVIEWED_TYPE}.patientDisclosures` as SchemaPath,
}
/** Share of the time for reading. The rest is for the record of the answer. */
const READ_SHARE = 0.7
/** The user of the record: the function that asks on behalf of a caller. The request id in `filter` leads to the caller. */
const ASKING_FUNCTION = 'function:graphql'

type AnsweringParts = Pick<AuditApiParts, 'audit' | 'events' | 'now' | 'openReader' | 'policy'>

/** An answer, and the number of field-level records that it was made from. */
interface Found {
  readonly answer: AnswerAboutPatient
  readonly count: number
}

/**
 * Answers the clinical function, which has decided that its caller acts as the patient or for the patient. Only that function may invoke
 * this one: IAM decides that, and no caller of the HTTP API reaches it. The log has a record of each answer before the answer leaves.
 *
 * Never throws: an error of a function would leave with its stack.
 */
export function answerAboutPatient({
  audit,
  events,
  now,
  openReader,
  policy,
}: AnsweringParts): (event: unknown, deadline: number) => Promise<AnswerAboutPatient> {
  const find = async (reader: AuditReader, question: Question, reading: Deadline): Promise<Found> => {
    if (question.kind === PATIENT_ACCESSES) {
      const answer = await patientAccesses(reader, question, reading)
      return { answer: { kind: PATIENT_ACCESSES, ...answer, accesses: [...answer.accesses] }, count: answer.accesses.length }
    }
    const answer = await patientDisclosures({ reader, policy, now: now() }, question, reading)
    const values = answer.disclosures.reduce((sum, one) => sum + one.values.length, 0)
    return { answer, count: values + answer.entered.length }
  }
  return async (event, at) => {
    const parsed = Question.safeParse(event)
    if (!parsed.success || parsed.data.from > parsed.data.to) return { kind: 'REFUSED', code: 'BAD_REQUEST' }
    const question = parsed.data
    // safe: the question was parsed with the form of a tenant
    const tenant = question.tenant as TenantId
    // The request id of the question locates records of the clinical function: these records have an id of their own
    const requestId = newRequestId(audit.process, now(), randomBytes)
    const deadline = new Deadline(at, { now, monotonic: () => performance.now() })
    const path = ROOTS[question.kind]
    const trail = new Trail({
      log: audit.log,
      context: { tenant, requestId, user: ASKING_FUNCTION, roles: [], purpose: 'PATRQT', persisted: false, policy: policy.digest },
      now,
      deadline,
      roots: [path],
      leftOut: 'NEVER',
      origins: new Map(),
    })
    const { patient, from, to, requestId: askedBy } = question
    const review = { patient, path, action: 'REVIEW', filter: JSON.stringify({ requestId: askedBy, from, to }) } as const
    try {
      const { answer, count } = await find(await openReader(tenant), question, deadline.share(READ_SHARE))
      trail.record({ ...review, outcome: 'REVIEWED', count })
      await trail.settle()
      return answer
    } catch (error) {
      const isTooLarge = error instanceof FilterTooBroad
      const isOutage =
        error instanceof StoreUnavailable || error instanceof AuditLogUnavailable || error instanceof AuditUnavailable
      if (!isOutage && !isTooLarge) events(internalFault(requestId, error))
      trail.record({ ...review, outcome: 'UNAVAILABLE', reason: 'STORE' })
      // the answer is a refusal in any case
      await trail.settle().catch(() => undefined)
      return { kind: 'REFUSED', code: isTooLarge ? 'TOO_LARGE' : 'UNAVAILABLE' }
    }
  }
}

/** Whether an event of the function is a question of the clinical function. API Gateway chooses the members of its events, and has none of this name. */
export const isQuestionAboutPatient = (event: unknown): boolean =>
  typeof event === 'object' && event !== null && Object.hasOwn(event, 'kind')
