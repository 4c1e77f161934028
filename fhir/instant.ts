import * as z from 'zod'
import { ISSUES } from './mapping-issue.ts'

// FHIR writes times at four precisions. The text is kept as it came: a day made up for `2019-03` would be a false fact.

const DATE = /^(?<year>\d{4})(?:-(?<month>0[1-9]|1[0-2])(?:-(?<day>0[1-9]|[12]\d|3[01]))?)?$/
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))$/

/** `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, a day that exists. @source https://hl7.org/fhir/R4/datatypes.html#date */
export const PartialDate = z.string().refine(isDate, { error: ISSUES.date, abort: true })

/** A partial date, or date and time with zone. @source https://hl7.org/fhir/R4/datatypes.html#dateTime */
// aborts: the order of a period is compared only when both of its ends are times
export const DateTime = z.string().refine(isDateTime, { error: ISSUES.dateTime, abort: true })

/** Start and end as written, the start not after the end. @source https://hl7.org/fhir/R4/datatypes.html#Period */
export const Period = z
  .object({ start: DateTime.optional(), end: DateTime.optional() })
  .refine(({ start, end }) => start === undefined || end === undefined || firstInstant(start) < endInstant(end), {
    error: ISSUES.periodOrder,
  })
  .transform(({ start, end }): FhirPeriod => ({ ...(start !== undefined && { start }), ...(end !== undefined && { end }) }))

/**
 * A period that nothing follows from: given as it was written even where it ends before it starts. Exporters write such at
 * the end of daylight saving time, and a procedure that took place must not be lost for it.
 */
export const WrittenPeriod = z
  .object({ start: DateTime.optional(), end: DateTime.optional() })
  .transform(({ start, end }): FhirPeriod => ({ ...(start !== undefined && { start }), ...(end !== undefined && { end }) }))

export interface FhirPeriod {
  readonly start?: string
  readonly end?: string
}

/** A period that says something. */
export function saidPeriod(period: FhirPeriod | undefined): FhirPeriod | undefined {
  return period === undefined || Object.keys(period).length === 0 ? undefined : period
}

/** The first instant of a dateTime, as UTC with milliseconds. A partial date counts from its first day in UTC. */
export function firstInstant(dateTime: string): string {
  const [date = '', time] = split(dateTime)
  const full = date + '0000-01-01'.slice(date.length)
  // a leap second has no place in a JavaScript date: the second before it keeps the order
  return new Date(`${full}T${time?.replace(/:60/, ':59') ?? '00:00:00Z'}`).toISOString()
}

/** The instant at which a period with this end is over: FHIR counts the whole of an end that is a partial date. */
export function endInstant(dateTime: string): string {
  const [date = '', time] = split(dateTime)
  const instant = firstInstant(dateTime)
  if (time !== undefined) return instant
  const after = new Date(instant)
  if (date.length === 4) after.setUTCFullYear(after.getUTCFullYear() + 1)
  else if (date.length === 7) after.setUTCMonth(after.getUTCMonth() + 1)
  else after.setUTCDate(after.getUTCDate() + 1)
  return after.toISOString()
}

/** The day, month or year of a dateTime, as it was where it was written. */
export function dateOf(dateTime: string): string {
  return split(dateTime)[0] ?? dateTime
}

function split(dateTime: string): string[] {
  return dateTime.split('T', 2)
}

function isDate(text: string): boolean {
  const parts = DATE.exec(text)?.groups
  // the years at both ends leave room for zones and for ends of periods, so that every instant has four digits
  if (!parts || parts['year'] === undefined || parts['year'] < '0002' || parts['year'] > '9997') return false
  if (parts['day'] === undefined) return true
  const day = new Date(`${text}T00:00:00Z`)
  // the parser takes the 30th of February for a day of March
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}

/** Whether a text is a FHIR dateTime, of a year that has four digits in every time zone. */
export function isDateTime(text: string): boolean {
  const [date = '', ...time] = text.split('T')
  if (!isDate(date)) return false
  if (time.length === 0) return true
  return time.length === 1 && date.length === 10 && TIME.test(time[0] ?? '')
}
