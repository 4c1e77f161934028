import { localDay, localOffset } from '../anomalies/local-day.ts'
import type { AccessReviewSettings } from './review-settings.ts'

/** A period that needs an access review. Times are milliseconds since the epoch. */
export interface ReviewPeriod {
  /** `2026-10`, or `2026-Q4`. */
  readonly name: string
  readonly from: number
  /** Exclusive. */
  readonly end: number
  /** The last local day for the review: `2026-11-15`. */
  readonly due: string
  /** The end of that day, exclusive. */
  readonly dueEnd: number
}

/** A span of time, both ends inclusive. */
interface Span {
  readonly from: number
  readonly to: number
}

/** The periods of a status, the open one included. */
const MAX_PERIODS = 12
const MINUTE_MS = 60_000
const MONTHS = { MONTH: 1, QUARTER: 3 } as const

/**
 * The last periods, the open one first: at most 12, and none that ended before the reviews begin.
 *
 * @param began the time from which the log has records; undefined if it has none
 */
export function lastPeriods(
  settings: AccessReviewSettings,
  { now, began }: { now: number; began: number | undefined },
): ReviewPeriod[] {
  const { begins } = settings
  const first = begins === undefined ? (began ?? now) : midnight(settings, begins)
  const open = numberAt(settings, now)
  return Array.from({ length: MAX_PERIODS }, (_, back) => periodOf(settings, open - back)).filter(({ end }) => end > first)
}

/** The periods that a span covers whole, the first one first. @param span at most some years */
export function coveredPeriods(settings: AccessReviewSettings, span: Span): ReviewPeriod[] {
  const [first, last] = [numberAt(settings, span.from), numberAt(settings, span.to)]
  return Array.from({ length: last - first + 1 }, (_, at) => periodOf(settings, first + at)).filter((one) => covers(span, one))
}

/** Whether a span has every moment of a period. */
export const covers = ({ from, to }: Span, period: ReviewPeriod): boolean => from <= period.from && to >= period.end - 1

/** Counts periods since the year 0. */
function numberAt({ every, timeZone }: AccessReviewSettings, at: number): number {
  const [year = 0, month = 1] = localDay(at, localOffset(timeZone, at) ?? 0)
    .split('-')
    .map(Number)
  return Math.floor((year * 12 + month - 1) / MONTHS[every])
}

function periodOf(settings: AccessReviewSettings, number: number): ReviewPeriod {
  const { every, graceDays } = settings
  const [first, next] = [number, number + 1].map((one) => firstDay(one * MONTHS[every])) as [string, string]
  return {
    name: every === 'MONTH' ? first.slice(0, 7) : `${first.slice(0, 4)}-Q${Math.floor(Number(first.slice(5, 7)) / 3) + 1}`,
    from: midnight(settings, first),
    end: midnight(settings, next),
    due: dayAfter(next, graceDays - 1),
    dueEnd: midnight(settings, dayAfter(next, graceDays)),
  }
}

const firstDay = (months: number): string =>
  `${String(Math.floor(months / 12)).padStart(4, '0')}-${String((months % 12) + 1).padStart(2, '0')}-01`

/** A day that is some days after another one. Both are days of the calendar, without a time zone. */
function dayAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() + days)
  return date.toISOString().slice(0, 10)
}

/** The first moment of a local day. */
function midnight({ timeZone }: AccessReviewSettings, day: string): number {
  const utc = Date.parse(`${day}T00:00:00Z`)
  const offsetAt = (at: number): number => (localOffset(timeZone, at) ?? 0) * MINUTE_MS
  // the offset at the moment itself, which differs from that of the same time in UTC on a day of a change
  return utc - offsetAt(utc - offsetAt(utc))
}
