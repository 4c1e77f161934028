import { DAY_MS, localOffset } from '../../../../../gateway/oversight/anomalies/local-day.ts'

/** The clinic's zone. In the judged days, daylight saving time begins. */
export const TIME_ZONE = 'America/New_York'
/** A Monday. */
const FIRST_DAY = Date.parse('2026-01-05T00:00:00Z')
/** Days of traffic, of which the last ones are judged. */
export const BASELINE_DAYS = 60
export const JUDGED_DAYS = 30

/** The local time of a day, in milliseconds since the epoch. @param hour from 0; more than 24 is the next day */
export function localTime(day: number, hour: number): number {
  const local = FIRST_DAY + day * DAY_MS + Math.round(hour * 3_600_000)
  return local - offsetAt(local + 5 * 3_600_000) * 60_000
}

/** The offset changes at a whole hour. */
const OFFSETS = new Map<number, number>()

function offsetAt(at: number): number {
  const hour = Math.floor(at / 3_600_000)
  const offset = OFFSETS.get(hour) ?? localOffset(TIME_ZONE, at) ?? 0
  OFFSETS.set(hour, offset)
  return offset
}

export const isWorkday = (day: number): boolean => day % 7 < 5

/** The last two workdays of a month, when the billing office closes it. */
export function isMonthEnd(day: number): boolean {
  if (!isWorkday(day)) return false
  const month = (at: number): number => new Date(FIRST_DAY + at * DAY_MS).getUTCMonth()
  let left = 0
  for (let next = day + 1; month(next) === month(day); next++) if (isWorkday(next)) left++
  return left < 2
}

export const isMonthStart = (day: number): boolean => new Date(FIRST_DAY + day * DAY_MS).getUTCDate() === 1

/** A week with many more visits, within the judged days. */
export const isFluWeek = (day: number): boolean => day >= BASELINE_DAYS + 10 && day < BASELINE_DAYS + 17
