/** Milliseconds since the epoch, in UTC: `from` is inclusive, `end` is exclusive. */
export interface DateSpan {
  readonly from: number
  readonly end: number
}

/** The unit of a partial date. */
export type DatePrecision = 'YEAR' | 'MONTH' | 'DAY'

/** The length of a partial date as text. */
const LENGTH = { YEAR: 4, MONTH: 7, DAY: 10 } as const satisfies Record<DatePrecision, number>

/** The unit of a partial date; undefined for a date with a time. */
export const precisionOf = (text: string): DatePrecision | undefined =>
  (['YEAR', 'MONTH', 'DAY'] as const).find((unit) => LENGTH[unit] === text.length)

/** The end of a partial date. @param first its first moment, ISO 8601 in UTC */
export const endOfPartialDate = (first: string, unit: DatePrecision): number =>
  partialDateSpan(first.slice(0, LENGTH[unit]))?.end ?? Date.parse(first)

const DATE = /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?$/
const TIME = /^(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/**
 * The span of a year, a month or a day in UTC: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Returns undefined for another form, and for a day
 * that does not exist.
 *
 * @source https://hl7.org/fhir/R4/datatypes.html#date
 */
export function partialDateSpan(text: string): DateSpan | undefined {
  const [, year, month, day] = DATE.exec(text) ?? []
  if (year === undefined || year === '0000') return undefined
  const from = Date.parse(text)
  // the parser takes February 30 for a day of March
  if (day !== undefined && new Date(from).getUTCDate() !== Number(day)) return undefined
  const end = new Date(from)
  if (month === undefined) end.setUTCFullYear(end.getUTCFullYear() + 1)
  else if (day === undefined) end.setUTCMonth(end.getUTCMonth() + 1)
  else end.setUTCDate(end.getUTCDate() + 1)
  return { from, end: end.getTime() }
}

/**
 * The span of a partial date, or of an RFC 3339 time: a time to the second covers its second, and a fraction its millisecond. Returns
 * undefined for another form, and for a day that does not exist.
 */
export function dateSpan(text: string): DateSpan | undefined {
  const [day = '', time] = text.split('T', 2)
  if (time === undefined) return partialDateSpan(text)
  const [whole, fraction] = TIME.exec(time) ?? []
  if (whole === undefined || text.length !== day.length + 1 + whole.length) return undefined
  if (day.length !== 10 || partialDateSpan(day) === undefined) return undefined
  // JavaScript has no leap second: the second before it keeps the order
  const from = Date.parse(`${day}T${whole.replace(/:60/, ':59')}`)
  return { from, end: from + (fraction === undefined ? 1_000 : 1) }
}
