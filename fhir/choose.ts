import { type FhirPeriod, endInstant, firstInstant } from './instant.ts'

interface Dated {
  readonly use?: string | undefined
  readonly period?: FhirPeriod | undefined
  /** From 1, the most preferred one. */
  readonly rank?: number | undefined
}

/** What the uses of a list mean for the choice. */
export interface Order {
  /** The uses that come first, in their order; '' for an element without a use. */
  readonly first: readonly string[]
  /** The uses that come after all others. */
  readonly last?: readonly string[]
  /** The uses that never count as current. `old` never does. */
  readonly never?: readonly string[]
}

export const NAMES: Order = { first: ['official', 'usual', ''], never: ['maiden', 'temp'] }
export const NUMBERS: Order = { first: ['home', 'mobile', ''], last: ['temp'] }
export const ADDRESSES: Order = { first: ['home', ''], last: ['temp', 'billing'] }
export const IDENTIFIERS: Order = { first: ['official', 'usual', ''], last: ['secondary', 'temp'] }

/**
 * The element of a list that is current and preferred. One rule for names, addresses, numbers and identifiers:
 * 1. An element never counts if its use is `old` or one of `never`, if its period has ended, or if its period has not begun.
 * 2. The lowest rank comes first, and an element without a rank comes after those with one.
 * 3. Then the order of the uses decides, then the later start of the period, then the place in the list.
 *
 * @param now ISO 8601 in UTC with milliseconds
 * @source https://hl7.org/fhir/R4/datatypes.html#HumanName, #ContactPoint, #Address and #Identifier
 */
export function preferred<T extends Dated>(
  elements: readonly T[],
  { first, last = [], never = [] }: Order,
  now: string,
): T | undefined {
  const place = ({ use = '' }: T): number => {
    if (last.includes(use)) return first.length + 1 + last.indexOf(use)
    return first.includes(use) ? first.indexOf(use) : first.length
  }
  const start = ({ period }: T): string => (period?.start === undefined ? '' : firstInstant(period.start))
  return elements
    .filter(({ use = '', period }) => use !== 'old' && !never.includes(use) && isCurrent(period, now))
    .toSorted(
      (one, other) =>
        (one.rank ?? Infinity) - (other.rank ?? Infinity) ||
        place(one) - place(other) ||
        (start(one) < start(other) ? 1 : start(one) > start(other) ? -1 : 0),
    )[0]
}

/** Whether an instant is within a period. A side without a time has no limit. */
export function isCurrent(period: FhirPeriod | undefined, now: string): boolean {
  if (period?.start !== undefined && firstInstant(period.start) > now) return false
  return period?.end === undefined || endInstant(period.end) > now
}
