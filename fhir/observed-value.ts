import { z } from 'zod'
import { hasAbsentReason } from './absent-reason.ts'
import { type Concept, Decimal, Quantity, Text, ValueConcept, present } from './datatypes.ts'
import { ISSUES } from './mapping-issue.ts'
import { DateTime } from './instant.ts'

/** What the API has a place for: one of three kinds of value, or none. */
export interface ObservedValue {
  readonly valueQuantity?: { readonly value?: number | string; readonly unit?: string; readonly code?: string }
  readonly valueString?: string
  readonly valueCodeableConcept?: Concept
}

/** The choices of `value[x]` in an observation and in its components. @source https://hl7.org/fhir/R4/observation.html */
export const VALUE_CHOICES = {
  valueQuantity: Quantity.optional(),
  valueCodeableConcept: ValueConcept.optional(),
  valueString: Text.optional(),
  valueBoolean: z.boolean().optional(),
  valueInteger: Decimal.optional(),
  valueTime: Text.optional(),
  valueDateTime: DateTime.optional(),
  valueRange: z.unknown().optional(),
  valueRatio: z.unknown().optional(),
  valueSampledData: z.unknown().optional(),
  valuePeriod: z.unknown().optional(),
  dataAbsentReason: z.unknown().optional(),
}

type ReadChoices = z.output<z.ZodObject<typeof VALUE_CHOICES>>

const CHOICES = [
  'valueQuantity',
  'valueCodeableConcept',
  'valueString',
  'valueBoolean',
  'valueInteger',
  'valueTime',
  'valueDateTime',
] as const
const UNSUPPORTED = ['valueRange', 'valueRatio', 'valueSampledData', 'valuePeriod'] as const

/**
 * Adds an issue for a value that would be lost or doubtful: an observation without its value reads as one that was never made, so it is
 * refused instead. A number needs its unit's number, and a value beside the reason of its absence contradicts itself.
 */
export function refineValue(read: ReadChoices, context: z.core.$RefinementCtx): void {
  const issue = (message: string, ...path: string[]): void => {
    context.addIssue({ code: 'custom', message, path })
  }
  const lost = UNSUPPORTED.find((choice) => read[choice] !== undefined)
  const given = CHOICES.filter((choice) => read[choice] !== undefined)
  if (lost) issue(ISSUES.unsupportedValue, lost)
  else if (given.length > 1) issue(ISSUES.oneValue, 'value[x]')
  else if (given.length > 0 && read.dataAbsentReason !== undefined) issue(ISSUES.contradiction, 'value[x]')
  else if (isWithoutNumber(read.valueQuantity)) issue(ISSUES.shape, 'valueQuantity', 'value')
}

/** Whether a quantity has neither a number nor the reason of its absence. */
function isWithoutNumber(quantity: ReadQuantity | undefined): boolean {
  return quantity !== undefined && quantity.value === undefined && quantity._value === undefined && !hasAbsentReason(quantity)
}

/**
 * The value in the API's three kinds. A quantity with a comparator becomes text: `< 0.01 ng/mL` without its sign would be
 * a number that nobody measured.
 */
export function observedValue(read: ReadChoices): ObservedValue {
  const { valueQuantity: quantity, valueInteger } = read
  const bounded = quantity?.comparator !== undefined && quantity.value !== undefined
  return present({
    valueQuantity: bounded ? undefined : (withContent(quantity) ?? withContent({ value: valueInteger })),
    valueString: bounded
      ? boundedText(quantity)
      : (read.valueString ?? read.valueBoolean?.toString() ?? read.valueTime ?? read.valueDateTime),
    valueCodeableConcept: read.valueCodeableConcept,
  })
}

type ReadQuantity = z.output<typeof Quantity>

function withContent(quantity: Partial<ReadQuantity> | undefined): ObservedValue['valueQuantity'] {
  if (quantity === undefined) return undefined
  const { value, unit, code } = quantity
  return value === undefined ? undefined : present({ value, unit, code })
}

function boundedText({ comparator, value, unit, code }: ReadQuantity): string {
  return [comparator, value, unit ?? code].filter((part) => part !== undefined).join(' ')
}
