import { dateSpan } from '../gateway/model/date-span.ts'
import type { Instant } from '../gateway/model/ids.ts'
import { isUnknown } from './null-flavors.ts'
import { isObject } from './object.ts'
import { type ReadConcept, conceptIn, itemsOf, textIn } from './stored-values.ts'
import { isUcumCode } from './ucum.ts'
import { VITAL_SIGN_UNITS } from './value-sets.ts'

/**
 * A rule of one value. It returns the fault in fixed words after the place, or undefined. It takes any value: the generic checks report
 * a value of another type.
 *
 * @param place the path of the value, with the places in lists
 */
export type ValueRule = (place: string, value: unknown, now: Instant) => string | undefined

/** A date may be a day ahead, because the clock of another time zone can be. */
const TOLERANCE_MS = 24 * 60 * 60 * 1000

/** A text that is a code of a value set. A record is marked as entered in error by its retraction, not by its status. */
export function codeOfSet(codes: readonly string[], valueSet: string): ValueRule {
  const allowed: ReadonlySet<unknown> = new Set(codes)
  return (place, value) => {
    if (value === RETRACTED) return `${place} cannot say that the record was entered in error. Retract the record.`
    return allowed.has(value) ? undefined : `${place} is not a code of ${valueSet}.`
  }
}

const RETRACTED = 'entered-in-error'

/** Codes of a value set with `, ` between them. */
export function codesOfSet(codes: readonly string[], valueSet: string): ValueRule {
  const allowed: ReadonlySet<string> = new Set(codes)
  return (place, value) =>
    typeof value === 'string' && value.split(', ').every((code) => allowed.has(code))
      ? undefined
      : `${place} is not a code of ${valueSet}, or several with a comma and a space between them.`
}

/** A text of a form. */
export function form(isValid: (text: string) => boolean, what: string): ValueRule {
  return (place, value) => (typeof value === 'string' && isValid(value) ? undefined : `${place} is not ${what}.`)
}

/** A date that is not in the future. */
export const notInFuture: ValueRule = (place, value, now) => {
  const span = typeof value === 'string' ? dateSpan(value) : undefined
  return span !== undefined && span.from > now + TOLERANCE_MS ? `${place} is in the future.` : undefined
}

/** A period that has a start or an end, and that does not end before it starts. */
export const period: ValueRule = (place, value) => {
  if (!isObject(value)) return `${place} is not a period.`
  const [start, end] = [textIn(value, 'start'), textIn(value, 'end')]
  if (start === undefined && end === undefined) return `${place} has neither a start nor an end.`
  const [from, until] = [start, end].map((date) => (date === undefined ? undefined : dateSpan(date)))
  // FHIR counts the whole of an end that is a partial date
  return from !== undefined && until !== undefined && from.from >= until.end ? `${place} ends before it starts.` : undefined
}

/** A period that is over or under way. */
export const pastPeriod: ValueRule = (place, value, now) => {
  const fault = period(place, value, now)
  if (fault !== undefined || !isObject(value)) return fault
  return notInFuture(`${place}.start`, value['start'], now) ?? notInFuture(`${place}.end`, value['end'], now)
}

/** A concept with a code, a name or a text. @source https://hl7.org/fhir/R4/datatypes.html#CodeableConcept */
export const concept: ValueRule = (place, value) => {
  const { coding, text } = conceptIn(value) ?? { coding: [] }
  const isSaid = text !== undefined || coding.some(({ code, display }) => code !== undefined || display !== undefined)
  return isSaid ? undefined : `${place} has neither a code nor a text.`
}

/** The concept that the record is about. */
export const subjectConcept: ValueRule = (place, value, now) => {
  const read = conceptIn(value)
  return (
    concept(place, value, now) ??
    (read !== undefined && isUnknown(read) ? `${place} has only codes for a missing value (HL7 v3 NullFlavor).` : undefined)
  )
}

/** A list in which every item follows a rule. */
export function each(rule: ValueRule): ValueRule {
  return (place, value, now) => {
    if (!Array.isArray(value)) return `${place} is not a list.`
    for (const [index, item] of itemsOf(value).entries()) {
      const fault = rule(`${place}[${index}]`, item, now)
      if (fault !== undefined) return fault
    }
    return undefined
  }
}

/** A quantity with a number. Its code, if any, is one of UCUM. @source https://hl7.org/fhir/R4/datatypes.html#Quantity */
export const quantity: ValueRule = (place, value) => {
  if (!isObject(value) || value['value'] === undefined || value['value'] === null) return `${place} has no number.`
  const code = value['code']
  if (code === undefined || code === null || (typeof code === 'string' && isUcumCode(code))) return undefined
  return `${place}.code is not a UCUM unit.`
}

/** Part of an observation: the whole, or one of its components. */
interface Observed {
  readonly place: string
  readonly code: unknown
  readonly valueQuantity: unknown
}

/**
 * The fault of the unit of a vital sign.
 *
 * @source http://hl7.org/fhir/R4/observation-vitalsigns.html
 */
export function vitalSignFault({ place, code, valueQuantity }: Observed): string | undefined {
  if (code === undefined || !isObject(valueQuantity)) return undefined
  const unit = valueQuantity['code']
  const allowed = (conceptIn(code)?.coding ?? []).flatMap((one) => unitsOf(one) ?? [])
  if (allowed.length === 0 || (typeof unit === 'string' && allowed.includes(unit))) return undefined
  return `${place}.code is not a unit of this vital sign. Its LOINC code needs ${allowed.join(' or ')}.`
}

function unitsOf({ system, code }: ReadConcept['coding'][number]): readonly string[] | undefined {
  return system === 'http://loinc.org' && code !== undefined ? VITAL_SIGN_UNITS.get(code) : undefined
}
