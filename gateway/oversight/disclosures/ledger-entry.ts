import * as z from 'zod'
import { BASIS_NAMES } from './bases.ts'

const moment = z.int()
const day = z.iso.date()
const text = z.string()

const Recipient = z.strictObject({ name: text, address: text.optional() })
/** The receiver of a disclosure. The address is given if it is known. */
export type DisclosureRecipient = Readonly<z.infer<typeof Recipient>>

const Content = z.strictObject({
  basis: z.enum(BASIS_NAMES),
  /** The first disclosure, in milliseconds since the epoch. */
  at: moment,
  /** The last one and their number, if there were several. */
  last: moment.optional(),
  count: z.int().min(1),
  recipient: Recipient,
  description: text,
  purpose: text.optional(),
  /** A copy of the written request, instead of a purpose. */
  requestCopy: text.optional(),
  /** The protocol of the research. */
  protocol: text.optional(),
})
/** A disclosure that was entered by hand. */
export type DisclosureContent = Readonly<z.infer<typeof Content>>

const Made = { at: moment, by: text }
const About = { ...Made, of: z.int().min(1) }

const Entry = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('DISCLOSURE'), ...Made, content: Content }),
  z.strictObject({ kind: z.literal('CORRECTION'), ...About, reason: text, content: Content }),
  z.strictObject({ kind: z.literal('WITHDRAWAL'), ...About, reason: text }),
  z.strictObject({
    kind: z.literal('SUSPENSION'),
    ...Made,
    agency: text,
    statement: z.enum(['WRITTEN', 'ORAL']),
    /** The official and the identification that was documented, for an oral statement. */
    identity: text.optional(),
    statedAt: moment,
    /** Inclusive. */
    until: moment,
  }),
  z.strictObject({ kind: z.literal('SUSPENSION_END'), ...About, reason: text }),
  z.strictObject({ kind: z.literal('REQUEST'), ...Made, from: moment, to: moment, received: day, free: z.boolean() }),
  z.strictObject({ kind: z.literal('EXTENSION'), ...About, reason: text }),
  z.strictObject({ kind: z.literal('REQUEST_WITHDRAWAL'), ...About, reason: text }),
  z.strictObject({ kind: z.literal('GIVEN'), ...About, sha256: text }),
])
/** One entry of the ledger of a patient. `of` is the number of the entry that it changes. Times are milliseconds since the epoch. */
export type LedgerEntry = Readonly<z.infer<typeof Entry>>

/** @throws ZodError, SyntaxError for a text that is no entry */
export const parseEntry = (json: string): LedgerEntry => Entry.parse(JSON.parse(json))

const Contact = z.strictObject({ name: text, address: text, phone: text })
const Study = z.strictObject({
  protocol: text,
  standing: z.enum(['WORKFORCE', 'OTHER_ENTITY', 'AUTHORIZATION', 'LIMITED_DATA_SET']),
  description: text,
  /** The kinds of information. */
  information: text,
  from: moment,
  to: moment.optional(),
  sponsor: Contact,
  researcher: Contact,
  /** The number of individuals whose information was disclosed. */
  individuals: z.int().min(0),
  /** Records were selected outside of the gateway, so that any patient may be among them. */
  mayIncludeAnyone: z.boolean(),
  at: moment,
  by: text,
})
/** The statement of a privacy officer about the disclosures for a study. @source 45 CFR 164.528(b)(4) */
export type StudyDisclosures = Readonly<z.infer<typeof Study>>
export type StudyContact = StudyDisclosures['sponsor']

/** @throws ZodError, SyntaxError */
export const parseStudy = (json: string): StudyDisclosures => Study.parse(JSON.parse(json))
