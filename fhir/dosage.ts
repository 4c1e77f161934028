import { z } from 'zod'
import { CodeableConcept, Text } from './datatypes.ts'

const Dose = z.strictObject({
  type: z.unknown().optional(),
  doseQuantity: z.object({ value: z.number(), unit: Text.optional() }).optional(),
})

/**
 * The part of a dosage that can be said in a line. Strict: one that holds more (a rate, a maximum, days of the week) would
 * be told wrong by the rest of it, so it is not told. @source https://hl7.org/fhir/R4/dosage.html
 */
const SimpleDosage = z.strictObject({
  sequence: z.unknown().optional(),
  additionalInstruction: z.array(CodeableConcept).default([]),
  patientInstruction: Text.optional(),
  timing: z.strictObject({ repeat: z.strictObject({ frequency: z.number(), period: z.number(), periodUnit: Text }) }).optional(),
  asNeededBoolean: z.boolean().optional(),
  route: CodeableConcept.optional(),
  doseAndRate: z.array(Dose).max(1).default([]),
})

/** Read first for its text, which says all that the structure says. */
export const Dosage = z.looseObject({ text: Text.optional() })

/** All dosages as one text, or nothing when one of them cannot be told in words. */
export function dosageText(dosages: readonly z.output<typeof Dosage>[]): string | undefined {
  const lines = dosages.map((dosage) => dosage.text ?? simpleText(dosage))
  return lines.length === 0 || lines.includes(undefined) ? undefined : lines.join('\n')
}

function simpleText({ text: _none, ...dosage }: z.output<typeof Dosage>): string | undefined {
  const parsed = SimpleDosage.safeParse(dosage)
  if (!parsed.success) return undefined
  const { timing, doseAndRate, asNeededBoolean, route, additionalInstruction, patientInstruction } = parsed.data
  const dose = doseAndRate[0]?.doseQuantity
  const repeat = timing?.repeat
  const parts = [
    dose && `dose ${[dose.value, dose.unit].filter((part) => part !== undefined).join(' ')}`,
    repeat && `${repeat.frequency} every ${repeat.period} ${repeat.periodUnit ?? ''}`.trimEnd(),
    asNeededBoolean === true ? 'as needed' : undefined,
    said(route),
    ...additionalInstruction.map(said),
    patientInstruction,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? undefined : parts.join(', ')
}

function said(concept: z.output<typeof CodeableConcept>): string | undefined {
  return concept?.text ?? concept?.coding[0]?.display ?? concept?.coding[0]?.code
}
