import { BadUserInput } from '../vocabulary/failures.ts'
import type { Json, RecordMetadata } from '../vocabulary/record.ts'

/** What of a list is wanted, beyond its page. Each part is a read of the field that it filters by (P11). */
export interface ListFilter {
  /** Milliseconds since the epoch; `since` is inclusive, `until` is not. */
  readonly since?: number
  readonly until?: number
  readonly code?: string
  readonly category?: string
}

/** @throws BadUserInput for a date that is none, and for what is no text at all: a filter must not be passed over */
export function listFilter(args: Readonly<Record<string, unknown>>): ListFilter {
  const [since, until, code, category] = [args['since'], args['until'], args['code'], args['category']].map(given)
  return {
    ...(since !== undefined && { since: firstMoment(since) }),
    ...(until !== undefined && { until: firstMoment(until) }),
    ...(code !== undefined && { code }),
    ...(category !== undefined && { category }),
  }
}

function given(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new BadUserInput()
  return value
}

/** Whether a record is in the list. One without a date is in no span of time. */
export function passes(filter: ListFilter, { date, codes, category }: RecordMetadata): boolean {
  if (filter.code !== undefined && codes?.includes(filter.code) !== true) return false
  if (filter.category !== undefined && category !== filter.category) return false
  if (filter.since === undefined && filter.until === undefined) return true
  const at = date === undefined ? Number.NaN : Date.parse(date)
  return (
    !Number.isNaN(at) && (filter.since === undefined || at >= filter.since) && (filter.until === undefined || at < filter.until)
  )
}

/** What a cursor is bound to: a place in one list is none in another. */
export const filterBound = ({ since, until, code, category }: ListFilter): Json => ({
  since: since ?? null,
  until: until ?? null,
  code: code ?? null,
  category: category ?? null,
})

const PARTIAL_DATE = /^\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?$/
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/

/** The first moment of a date, a month or a year in UTC, so that `since: "2019", until: "2020"` is the year 2019. */
function firstMoment(text: string): number {
  const at = PARTIAL_DATE.test(text) || RFC3339.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new BadUserInput()
  return at
}
