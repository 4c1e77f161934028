/** Milliseconds since the epoch, both inclusive. */
export interface TimeSpan {
  readonly from: number
  readonly to: number
}

/** Whether a span is a part of another one. */
export const isWithin = (part: TimeSpan, whole: TimeSpan): boolean => part.from >= whole.from && part.to <= whole.to

/** The times that SQL and the log write with four digits of a year. */
const MAX_TIME = Date.parse('9999-12-31T23:59:59.999Z')

/** A time as both databases cast it: `2026-03-01 12:00:00.000`. Times before 1970 and after 9999 become the first and the last one. */
export const timeText = (time: number): string =>
  new Date(Math.min(MAX_TIME, Math.max(0, Math.trunc(time)))).toISOString().replace('T', ' ').replace('Z', '')

/** A time of SQL. */
export const timeLiteral = (time: number): string => `TIMESTAMP '${timeText(time)}'`
