import * as z from 'zod'
import { tenantId } from '../model/ids.ts'

// The question of the clinical function to the audit function, and its answer: who accessed one patient's record. Both functions parse
// what they receive. The question names the tenant and the patient that the clinical function decided about.

/** The form of a question. No event of API Gateway has this member. */
export const PATIENT_ACCESSES = 'PATIENT_ACCESSES'

/** Maximum number of field-level records in an answer: about 2 MB of the 6 MB that Lambda carries. */
export const MAX_ACCESSES = 5_000
/** Maximum length of an answer, in bytes. Lambda refuses more than 6 MB. */
export const MAX_ANSWER_BYTES = 5_500_000

export const text = z.string().max(2_048)
export const time = z.int().min(0).max(253_402_300_799_999)

/** The place of a record in the log: the latest time first, then lane, sequence and index. */
export const Position = z.strictObject({ time, lane: text.min(1), sequence: z.int().min(1), index: z.int().min(0) })
export type LogPosition = Readonly<z.infer<typeof Position>>

/** The members of each question about one patient. */
export const ABOUT_PATIENT = {
  tenant: text.refine((name) => tenantId(name) !== undefined),
  /** A patient id: 16 bytes as base64url. */
  patient: z.string().regex(/^[\w-]{22}$/),
  /** Milliseconds since the epoch, both inclusive. */
  from: time,
  to: time,
  /** Of the clinical request that asks. The record of the answer names it. */
  requestId: z.string().regex(/^[\w-]{24}$/),
  /** The answer begins after this position. */
  after: Position.optional(),
}

export const PatientAccessesQuestion = z.strictObject({
  kind: z.literal(PATIENT_ACCESSES),
  ...ABOUT_PATIENT,
  limit: z.int().min(1).max(MAX_ACCESSES),
})
export type PatientAccessesQuestion = Readonly<z.infer<typeof PatientAccessesQuestion>>

/** The value of an access. A record that is left out is not in the log. `paths` has the fields of a search by values. */
export const AccessedValue = {
  recordType: text.optional(),
  recordId: text.optional(),
  path: text,
  paths: z.array(text).max(500).optional(),
}

/** Why a question has no answer. */
export const REFUSED = ['BAD_REQUEST', 'UNAVAILABLE'] as const

/** A field-level record, with the members that a patient's list needs. */
const PatientAccess = z.strictObject({
  tenant: text,
  patient: text,
  requestId: text,
  /** ISO 8601 in UTC. */
  time: z.iso.datetime(),
  lane: text.min(1),
  sequence: z.int().min(1),
  index: z.int().min(0),
  user: text,
  roles: z.array(text).max(100),
  organization: text.optional(),
  /** Whether the client read under a partner's contract. */
  contract: z.literal(true).optional(),
  purpose: text,
  ...AccessedValue,
  action: text,
  outcome: text,
  listed: z.boolean(),
  basis: text.optional(),
})
export type PatientAccess = Readonly<z.infer<typeof PatientAccess>>

export const PatientAccessesAnswer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal(PATIENT_ACCESSES),
    /** In the order of the log, latest first. */
    accesses: z.array(PatientAccess).max(MAX_ACCESSES),
    /** Where the next answer begins: after this position. Absent at the end of the span. */
    next: Position.optional(),
  }),
  z.strictObject({ kind: z.literal('REFUSED'), code: z.enum(REFUSED) }),
])
export type PatientAccessesAnswer = Readonly<z.infer<typeof PatientAccessesAnswer>>
