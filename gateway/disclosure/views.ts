import type { Instant } from '../model/ids.ts'
import type { View } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import { RESTRICTED_ZIP3 } from './restricted-zip3.ts'
import { SPARSE_ZIP3 } from './sparse-zip3.ts'

/** The views that values can be given in. A schema with another view does not build. */
export const SERVED_VIEWS = new Set<View>(['FULL', 'LAST4', 'YEAR', 'ZIP3', 'PSEUDONYM'])

/** The values that a view depends on, by field name: `needs` of `directives/view-rules.ts`. Undefined if a value is absent. */
export type ViewInputs = Readonly<Record<string, Json | undefined>>

const NO_INPUTS: ViewInputs = {}

/**
 * Applies a view to a value. Total: the result for a value that the view cannot read is null, never the value itself. Without an
 * input that it depends on, a view shows nothing of the value.
 * PSEUDONYM shows nothing of the value: its replacement follows from the location of the value, see `PublicIds.standIn`.
 */
export function show(view: View, value: Json, now: Instant, inputs: ViewInputs = NO_INPUTS): Json {
  switch (view) {
    case 'FULL':
      return value
    case 'LAST4':
      return typeof value === 'string' ? lastFour(value) : null
    case 'YEAR':
      return yearOf(value, now)
    case 'ZIP3':
      return typeof value === 'string' ? zip3(value, inputs['country']) : null
    case 'PSEUDONYM':
    case 'PRESENCE':
      return null
    default:
      return view satisfies never
  }
}

/** A shorter text is no number of a person: its last four characters would be most of it. */
const MIN_COUNTED = 8

/** `999-62-6858` becomes `***-**-6858`. A text of fewer than eight characters is hidden completely. */
function lastFour(value: string): string {
  const characters = Array.from(value)
  const counted = characters.filter(isCounted).length
  let seen = 0
  return characters
    .map((character) => {
      if (!isCounted(character)) return character
      seen++
      return counted >= MIN_COUNTED && seen > counted - 4 ? character : '*'
    })
    .join('')
}

/** Only separators of digit groups are shown as they are: any other character may be part of the hidden value. */
const isCounted = (character: string): boolean => !/[-\s./()]/.test(character)

/** A complete PartialDate or DateTime: a text that only begins like a date has no year. */
const DATE = /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)?$/

/**
 * The year only; `90+` if the year shows that a person is over 89.
 *
 * @source 45 CFR 164.514(b)(2)(i)(C)
 */
function yearOf(value: Json, now: Instant): Json {
  if (typeof value === 'string') {
    const [, year, month, day] = DATE.exec(value) ?? []
    if (year === undefined) return null
    return ageOn(now, Number(year), month, day) > 89 ? '90+' : year
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { start, end } = value as { start?: Json; end?: Json }
    return { start: start === undefined ? null : yearOf(start, now), end: end === undefined ? null : yearOf(end, now) }
  }
  return null
}

/** The maximum number of years since then: an unknown month or day counts as the first. */
function ageOn(now: Instant, year: number, month: string | undefined, day: string | undefined): number {
  const today = new Date(now)
  const months = today.getUTCMonth() + 1 - Number(month ?? 1)
  const anniversaryAhead = months < 0 || (months === 0 && today.getUTCDate() < Number(day ?? 1))
  return today.getUTCFullYear() - year - (anniversaryAhead ? 1 : 0)
}

/** The spellings of the United States in an address. @source ISO 3166-1, as FHIR R4 `Address.country` has it */
const UNITED_STATES: ReadonlySet<string> = new Set(['US', 'USA', 'UNITED STATES', 'UNITED STATES OF AMERICA'])

/**
 * The first three digits, never the rest and never a +4. `000` for a sparsely populated prefix, an invalid ZIP code, and an address
 * that does not name the United States as its country: the Census that the rule rests on counts no other country.
 */
function zip3(value: string, country: Json | undefined): string {
  const prefix = /^(\d{3})\d{2}(?:-?\d{4})?$/.exec(value.trim())?.[1]
  if (prefix === undefined || !isUnitedStates(country)) return '000'
  return RESTRICTED_ZIP3.has(prefix) || SPARSE_ZIP3.has(prefix) ? '000' : prefix
}

function isUnitedStates(country: Json | undefined): boolean {
  if (typeof country !== 'string') return false
  return UNITED_STATES.has(country.trim().replaceAll('.', '').replace(/\s+/g, ' ').toUpperCase())
}
