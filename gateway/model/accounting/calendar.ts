// Days are days in UTC. The rule counts days and years, so that times of day and time zones play no part in it.

const DAY_MS = 86_400_000
/** The time for an accounting. @source 45 CFR 164.528(c)(1)(i) */
const DUE_DAYS = 60
/** The one extension. @source 45 CFR 164.528(c)(1)(ii) */
const EXTENSION_DAYS = 30
/** The most that an oral statement suspends. @source 45 CFR 164.528(a)(2)(ii)(C) */
export const ORAL_DAYS = 30
/** The most that an accounting covers. @source 45 CFR 164.528(a)(1) */
export const ACCOUNTED_YEARS = 6

/** A day in UTC: `2026-03-01`. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** The day that is some days after another one. */
export const daysAfter = (day: string, days: number): string => dayOf(Date.parse(day) + days * DAY_MS)

/** The last moment of a day, in milliseconds since the epoch. */
export const endOfDay = (day: string): number => Date.parse(day) + DAY_MS - 1

/**
 * The same day in an earlier year. The 29th of February becomes the 28th: a period of years that ends on it is never shorter.
 *
 * @param years a positive number
 */
export function yearsBefore(day: string, years: number): string {
  const date = new Date(day)
  date.setUTCFullYear(date.getUTCFullYear() - years)
  // JavaScript takes a February 29 that does not exist for March 1
  return date.getUTCDate() === new Date(day).getUTCDate() ? dayOf(date.getTime()) : dayOf(date.getTime() - DAY_MS)
}

/** The last day for an accounting. @param received the day of receipt */
export const dueOn = (received: string): string => daysAfter(received, DUE_DAYS)

/** The last day for an accounting whose time was extended. */
export const extendedDueOn = (received: string): string => daysAfter(received, DUE_DAYS + EXTENSION_DAYS)

/**
 * Whether an accounting is without charge: none within twelve months of it was.
 *
 * @param received the day of receipt
 * @param others the days of the patient's requests that are without charge
 * @source 45 CFR 164.528(c)(2)(i)
 */
export const isFree = (received: string, others: readonly string[]): boolean =>
  others.every((other) => (other <= received ? other <= yearsBefore(received, 1) : received <= yearsBefore(other, 1)))
