import { BadUserInput } from '../model/failures.ts'
import type { ListFilter } from '../model/list.ts'
import type { Json } from '../model/record.ts'

/**
 * The filter of a list, from its arguments.
 *
 * @throws BadUserInput for an invalid date or an argument that is no text: a filter must not be ignored
 */
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

/** Binds a cursor to the filter of its list: a cursor of one list is not valid in another. */
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
