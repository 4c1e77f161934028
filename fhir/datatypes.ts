import { z } from 'zod'
import { type ExactNumber, isExactNumber } from '../gateway/model/exact-number.ts'
import { MAX_TEXT_BYTES } from '../gateway/model/record-size.ts'
import { hasAbsentReason, isAbsentReason } from './absent-reason.ts'
import { WrittenPeriod } from './instant.ts'
import { ISSUES } from './mapping-issue.ts'
import { isUnknown } from './null-flavors.ts'

// FHIR's data types, read down to what the API carries of them. What is not named here does not travel: extensions,
// user selections, and above all the `display` of references, where the patient's name likes to stand.

/** Text of at most 200 KB; empty text is text that is not there. */
export const Text = z
  .string()
  .refine((text) => text.length <= MAX_TEXT_BYTES && Buffer.byteLength(text) <= MAX_TEXT_BYTES, { error: ISSUES.text })
  .transform((text) => (text.trim() === '' ? undefined : text))

/** A list of texts. FHIR writes null where only an extension stands. @source https://hl7.org/fhir/R4/json.html#primitive */
const TextList = z
  .array(Text.nullable())
  .transform((texts) => texts.filter((text) => typeof text === 'string'))
  .transform((texts) => (texts.length === 0 ? undefined : texts))

/** @source https://hl7.org/fhir/R4/datatypes.html#Coding */
export const Coding = z
  .object({ system: Text.optional(), code: Text.optional(), display: Text.optional() })
  .transform(({ system, code, display }) => present({ system, code, display }))

const ReadConcept = z.object({ coding: z.array(Coding).optional(), text: Text.optional(), extension: z.unknown().optional() })

function conceptOf({ coding = [], text }: z.output<typeof ReadConcept>): Concept | undefined {
  // the words beside the reason of an absence describe the reason
  if (coding.some(isAbsentReason)) return undefined
  const said = coding.filter((one) => Object.keys(one).length > 0)
  if (said.length === 0 && text === undefined) return undefined
  return { coding: said, ...(text !== undefined && { text }) }
}

/** `{ coding, text }`, or nothing when neither says anything. @source https://hl7.org/fhir/R4/datatypes.html#CodeableConcept */
export const CodeableConcept = ReadConcept.transform(conceptOf)

/** A concept that is a value: without content, it needs the reason of its absence. */
export const ValueConcept = ReadConcept.transform((read, context): Concept | undefined => {
  const concept = conceptOf(read)
  const isExplained = hasAbsentReason(read) || read.coding?.some(isAbsentReason) === true
  if (concept === undefined && !isExplained) context.addIssue({ code: 'custom', message: ISSUES.shape })
  return concept
})

/** A concept that a record can be about: it is undefined if its codes only say that it is unknown. */
export const SubjectConcept = CodeableConcept.transform((concept) =>
  concept === undefined || isUnknown(concept) ? undefined : concept,
)

/** A concept without which its resource says nothing. */
export const RequiredConcept = SubjectConcept.transform((concept, context): Concept => {
  if (concept !== undefined) return concept
  context.addIssue({ code: 'custom', message: ISSUES.shape })
  return z.NEVER
})

export interface Concept {
  readonly coding: readonly { readonly system?: string; readonly code?: string; readonly display?: string }[]
  readonly text?: string
}

/**
 * A decimal as JSON writes it. A number that JavaScript would change is its text, because trailing zeros state a precision.
 *
 * @source https://hl7.org/fhir/R4/datatypes.html#decimal
 */
export const Decimal = z.union([z.number(), z.custom<ExactNumber>(isExactNumber).transform(({ rawJSON }) => rawJSON)])

/** `1.0` is a whole number too. */
export const Integer = Decimal.transform(Number)

/** The comparator changes what the number means, so it is read although the API has no field for it. */
export const Quantity = z.object({
  value: Decimal.optional(),
  /** Holds the reason if the number is missing. */
  _value: z.unknown().optional(),
  comparator: z.enum(['<', '<=', '>=', '>'], { error: ISSUES.code }).optional(),
  unit: Text.optional(),
  code: Text.optional(),
  /** Holds the reason if the quantity is missing. */
  extension: z.unknown().optional(),
})

/** What a reference without a literal one says of its target. Unreadable parts lead nowhere. */
export const LOGICAL = {
  type: z.string().optional().catch(undefined),
  identifier: z
    // a bar within the system would make two pairs of system and value one text
    .object({ system: z.string().regex(/^[^|]+$/), value: z.string().min(1) })
    .optional()
    .catch(undefined),
}

/** A reference as one text for `References.follow`: the literal one, else the identifier as a conditional reference. */
export function linkOf(said: {
  readonly reference?: string | undefined
  readonly type?: string | undefined
  readonly identifier?: { readonly system: string; readonly value: string } | undefined
}): string | undefined {
  const { reference, identifier } = said
  if (reference !== undefined || identifier === undefined) return reference
  const [, type = ''] = /^(?:http:\/\/hl7\.org\/fhir\/StructureDefinition\/)?([A-Z][A-Za-z]{2,40})$/.exec(said.type ?? '') ?? []
  const escaped = `${identifier.system}|${identifier.value}`.replaceAll('%', '%25')
  return `${type}?identifier=${escaped}`
}

/** @source https://hl7.org/fhir/R4/references.html */
export const Reference = z.object({ reference: Text.optional(), ...LOGICAL }).transform((said) => linkOf(said))

/** @source https://hl7.org/fhir/R4/datatypes.html#Identifier */
export const Identifier = z.object({
  use: Text.optional(),
  type: CodeableConcept.optional(),
  system: Text.optional(),
  value: Text.optional(),
  period: WrittenPeriod.optional(),
})

/** @source https://hl7.org/fhir/R4/datatypes.html#HumanName */
export const HumanName = z.object({
  use: Text.optional(),
  text: Text.optional(),
  family: Text.optional(),
  given: TextList.optional(),
  prefix: TextList.optional(),
  period: WrittenPeriod.optional(),
})

/** @source https://hl7.org/fhir/R4/datatypes.html#ContactPoint */
export const ContactPoint = z.object({
  system: Text.optional(),
  value: Text.optional(),
  use: Text.optional(),
  rank: Integer.optional(),
  period: WrittenPeriod.optional(),
})

/** @source https://hl7.org/fhir/R4/datatypes.html#Address */
export const Address = z.object({
  use: Text.optional(),
  type: Text.optional(),
  text: Text.optional(),
  line: TextList.optional(),
  city: Text.optional(),
  district: Text.optional(),
  state: Text.optional(),
  postalCode: Text.optional(),
  country: Text.optional(),
  period: WrittenPeriod.optional(),
})

type Present<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> }

/** What an object says, without the keys that say nothing. */
export function present<T extends object>(all: T): Present<T> {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Present<T>
}
