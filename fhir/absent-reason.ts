import { isExactNumber } from '../gateway/model/exact-number.ts'
import { isObject } from './object.ts'

/** @source https://hl7.org/fhir/R4/extension-data-absent-reason.html */
const EXTENSION = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
/** The code system of R4 and that of STU3, which is still written. */
const SYSTEMS: ReadonlySet<unknown> = new Set([
  'http://terminology.hl7.org/CodeSystem/data-absent-reason',
  'http://hl7.org/fhir/data-absent-reason',
])

/** Types of one value. In others, such as names and addresses, the reason concerns the parts that are not there. */
const OF_ONE_VALUE: ReadonlySet<string> = new Set(
  'Coding CodeableConcept Quantity Age Count Distance Duration Money Range Ratio Period Timing SampledData'.split(' '),
)

/** Whether an element, or the `_name` of a primitive one, has the extension. */
export function hasAbsentReason(element: unknown): boolean {
  const extensions: unknown = isObject(element) ? element['extension'] : undefined
  return Array.isArray(extensions) && extensions.some((one) => isObject(one) && one['url'] === EXTENSION)
}

export function isAbsentReason(coding: unknown): boolean {
  return isObject(coding) && SYSTEMS.has(coding['system'])
}

/**
 * Whether a value of a type with elements is absent for a reason. A coded or measured value that has a reason and content beside it
 * contradicts itself: its content may be a part, and a part of it can say something else.
 */
export function absenceOf(type: string, value: Readonly<Record<string, unknown>>): 'present' | 'absent' | 'contradiction' {
  const codings: readonly unknown[] = type === 'Coding' ? [value] : Array.isArray(value['coding']) ? value['coding'] : []
  const reasons = type === 'Coding' || type === 'CodeableConcept' ? codings.filter(isAbsentReason).length : 0
  if (reasons > 0) return reasons < codings.length ? 'contradiction' : 'absent'
  if (!hasAbsentReason(value)) return 'present'
  const isEmpty = Object.keys(value).every((key) => key === 'id' || key === 'extension')
  if (isEmpty) return 'absent'
  return OF_ONE_VALUE.has(type) ? 'contradiction' : 'present'
}

/** Deeper input is refused. */
const MAX_DEPTH = 64

/**
 * A resource without the primitive values that have a reason of their absence. Such a value is a placeholder: de-identified files write
 * `00000-1234` for a masked ZIP code. Returns the same object if there is none.
 */
export function withoutPlaceholders<T>(value: T): T {
  // nearly no resource has one, and copies would cost as much as the mapping
  return holdsReason(value, 0) ? (copied(value, 0) as T) : value
}

function holdsReason(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return false
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key]
    if (typeof item !== 'object' || item === null) continue
    if ((item as { readonly url?: unknown }).url === EXTENSION || holdsReason(item, depth + 1)) return true
  }
  return false
}

function copied(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH || isExactNumber(value)) return value
  if (Array.isArray(value)) return value.map((item) => copied(item, depth + 1))
  const fields = value as Readonly<Record<string, unknown>>
  const kept = Object.entries(fields).map(([key, item]) => [key, withoutPlaceholder(copied(item, depth + 1), fields[`_${key}`])])
  return Object.fromEntries(kept.filter(([, item]) => item !== undefined))
}

/** @param beside the value of `_name` */
function withoutPlaceholder(value: unknown, beside: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(beside))
    return value.map((one, index) => (hasAbsentReason(beside[index]) ? null : (one as unknown)))
  return hasAbsentReason(beside) ? undefined : value
}
