import * as z from 'zod'
import { ABOUT_PATIENT, AccessedValue, Position, REFUSED, text, time } from './patient-accesses.ts'

// The question of the clinical function to the audit function about disclosures of one patient's information, and its answer. The answer
// has the values of each disclosure, so that the clinical function can leave out what its caller may not know of.

/** The form of the question. */
export const PATIENT_DISCLOSURES = 'PATIENT_DISCLOSURES'

export const PatientDisclosuresQuestion = z.strictObject({
  kind: z.literal(PATIENT_DISCLOSURES),
  ...ABOUT_PATIENT,
  /** Whether entered disclosures and the protocols of every patient are asked for. They belong to no record. */
  entered: z.boolean(),
})
export type PatientDisclosuresQuestion = Readonly<z.infer<typeof PatientDisclosuresQuestion>>

const long = z.string().max(25_000)
const Contact = z.strictObject({ name: long, address: long, phone: long })
const many = 20_000

/** What the disclosures to one recipient for one purpose have in common. */
const Terms = z.strictObject({
  recipient: z.strictObject({ name: long, address: long.optional() }),
  purpose: long,
  /** Whether several of them become one entry. */
  isSummarized: z.boolean(),
  /** The accounting lists this protocol instead of them. */
  insteadOf: text.optional(),
})
export type DisclosureTerms = Readonly<z.infer<typeof Terms>>

/** One value of a disclosure. `at` is in milliseconds since the epoch. */
const DisclosedValue = z.strictObject({ at: time, ...AccessedValue })
export type DisclosedValue = Readonly<z.infer<typeof DisclosedValue>>

/** A disclosure that was entered by hand. */
const Entered = Terms.extend({
  at: time,
  description: long,
  statement: long.optional(),
  repeated: z.strictObject({ count: z.int().min(1), last: time }).optional(),
})
export type EnteredAnswer = Readonly<z.infer<typeof Entered>>

const Protocol = z.strictObject({
  protocol: text,
  description: long,
  information: long,
  from: z.int(),
  to: z.int().optional(),
  sponsor: Contact,
  researcher: Contact,
})

export const PatientDisclosuresAnswer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal(PATIENT_DISCLOSURES),
    tenant: text,
    patient: text,
    terms: z.array(Terms).max(many),
    /** The values that one request received on one basis. A disclosure can continue in the next answer. */
    disclosures: z
      .array(z.strictObject({ key: text, terms: z.int().min(0), values: z.array(DisclosedValue).min(1).max(many) }))
      .max(many),
    entered: z.array(Entered).max(many),
    /** `isForAnyone`: every patient's accounting has the protocol. */
    protocols: z.array(z.strictObject({ protocol: Protocol, isForAnyone: z.boolean() })).max(many),
    /** Where the next answer begins: after this position. Absent at the end of the span. */
    next: Position.optional(),
  }),
  z.strictObject({ kind: z.literal('REFUSED'), code: z.enum([...REFUSED, 'TOO_LARGE']) }),
])
export type PatientDisclosuresAnswer = Readonly<z.infer<typeof PatientDisclosuresAnswer>>
