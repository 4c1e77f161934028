import type { Instant } from '../model/ids.ts'
import type { View } from '../../directives/policy.ts'
import type { Json } from '../model/record.ts'
import { RESTRICTED_ZIP3 } from './restricted-zip3.ts'

/** The views that values can be given in. A schema that asks for another one does not build. */
export const SERVED_VIEWS = new Set<View>(['FULL', 'LAST4', 'YEAR', 'ZIP3', 'PSEUDONYM'])

/**
 * What of a value a view shows. Total: what a view cannot read it does not show, so the answer is null rather than the value.
 * PSEUDONYM shows nothing of it: what stands for the value follows from its place, `PublicIds.standIn`.
 */
export function show(view: View, value: Json, now: Instant): Json {
  switch (view) {
    case 'FULL':
      return value
    case 'LAST4':
      return typeof value === 'string' ? lastFour(value) : null
    case 'YEAR':
      return yearOf(value, now)
    case 'ZIP3':
      return typeof value === 'string' ? zip3(value) : null
    case 'PSEUDONYM':
    case 'PRESENCE':
      return null
    default:
      return view satisfies never
  }
}

/** `999-62-6858` becomes `***-**-6858`. A text of four or fewer characters would be told whole, so nothing of it is. */
function lastFour(value: string): string {
  const characters = Array.from(value)
  const counted = characters.filter(isCounted).length
  let seen = 0
  return characters
    .map((character) => {
      if (!isCounted(character)) return character
      seen++
      return counted > 4 && seen > counted - 4 ? character : '*'
    })
    .join('')
}

/** Only what separates groups of digits is shown as it is: any other character may be part of what is hidden. */
const isCounted = (character: string): boolean => !/[-\s./()]/.test(character)

/** A PartialDate or a DateTime from its first character to its last: a year is not told of what only begins like a date. */
const DATE = /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?)?)?$/

/**
 * The year alone; `90+` where the year tells that somebody is over 89.
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

/** The most years that can have passed: an unknown month or day counts as the first. */
function ageOn(now: Instant, year: number, month: string | undefined, day: string | undefined): number {
  const today = new Date(now)
  const months = today.getUTCMonth() + 1 - Number(month ?? 1)
  const anniversaryAhead = months < 0 || (months === 0 && today.getUTCDate() < Number(day ?? 1))
  return today.getUTCFullYear() - year - (anniversaryAhead ? 1 : 0)
}

/** The first three digits, never the rest and never a +4; `000` where few people live or where there is no ZIP code. */
function zip3(value: string): string {
  const prefix = /^(\d{3})\d{2}(?:-?\d{4})?$/.exec(value.trim())?.[1]
  return prefix === undefined || RESTRICTED_ZIP3.has(prefix) ? '000' : prefix
}
