import { z } from 'zod'
import { wordsOf } from './coded.ts'
import { CodeableConcept, Decimal, Integer, Text } from './datatypes.ts'

/** The id and the extensions of an element say nothing of a dose. */
const unread = { id: z.unknown().optional(), extension: z.unknown().optional() }

const Dose = z.strictObject({
  ...unread,
  type: z.unknown().optional(),
  // a comparator or a dose without a number is no dose
  doseQuantity: z
    .strictObject({ ...unread, value: Decimal, unit: Text.optional(), system: z.unknown().optional(), code: Text.optional() })
    .optional(),
})

/**
 * The part of a dosage that one line can say. Strict: if a dosage holds more (a rate, a maximum, days of the week), the rest of it would be
 * wrong. @source https://hl7.org/fhir/R4/dosage.html
 */
const SimpleDosage = z.strictObject({
  ...unread,
  sequence: z.unknown().optional(),
  additionalInstruction: z.array(CodeableConcept).default([]),
  patientInstruction: Text.optional(),
  timing: z
    .strictObject({
      ...unread,
      repeat: z.strictObject({ ...unread, frequency: Integer, period: Decimal, periodUnit: Text }),
    })
    .optional(),
  asNeededBoolean: z.boolean().optional(),
  asNeededCodeableConcept: CodeableConcept.optional(),
  route: CodeableConcept.optional(),
  doseAndRate: z.array(Dose).max(1).default([]),
})

/** Read first for its text, which says all that the structure says. */
export const Dosage = z.looseObject({ text: Text.optional(), sequence: Integer.optional() })

/**
 * All dosages as one text, in the order of their sequence, or undefined when one of them cannot be said in words. Dosages without a sequence keep
 * their places.
 */
export function dosageText(dosages: readonly z.output<typeof Dosage>[]): string | undefined {
  const isOrdered = dosages.every(({ sequence }) => sequence !== undefined)
  const ordered = isOrdered ? dosages.toSorted((one, other) => (one.sequence ?? 0) - (other.sequence ?? 0)) : dosages
  const lines = ordered.map((dosage) => dosage.text ?? simpleText(dosage))
  return lines.length === 0 || lines.includes(undefined) ? undefined : lines.join('\n')
}

function simpleText({ text: _none, ...dosage }: z.output<typeof Dosage>): string | undefined {
  const parsed = SimpleDosage.safeParse(dosage)
  if (!parsed.success) return undefined
  const {
    timing,
    doseAndRate,
    asNeededBoolean,
    asNeededCodeableConcept: need,
    route,
    additionalInstruction,
    patientInstruction,
  } = parsed.data
  const dose = doseAndRate[0]?.doseQuantity
  const repeat = timing?.repeat
  const why = wordsOf(need)
  const parts = [
    dose && `dose ${[dose.value, dose.unit ?? dose.code].filter((part) => part !== undefined).join(' ')}`,
    repeat && `${repeat.frequency} every ${repeat.period} ${repeat.periodUnit ?? ''}`.trimEnd(),
    asNeededBoolean === true ? 'as needed' : undefined,
    why === undefined ? undefined : `as needed for ${why}`,
    wordsOf(route),
    ...additionalInstruction.map(wordsOf),
    patientInstruction,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : parts.join(', ')
}
