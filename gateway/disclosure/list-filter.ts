import { type DateSpan, dateSpan } from '../model/date-span.ts'
import { DATE_FORMS } from '../model/limit-details.ts'
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
    ...(since !== undefined && { since: spanOf(since).from }),
    ...(until !== undefined && { until: spanOf(until).end }),
    ...(code !== undefined && { code }),
    ...(category !== undefined && { category }),
  }
}

function given(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new BadUserInput({ detail: 'An argument of the filter is no text.' })
  return value
}

/** Binds a cursor to the filter of its list: a cursor of one list is not valid in another. */
export const filterBound = ({ since, until, code, category }: ListFilter): Json => ({
  since: since ?? null,
  until: until ?? null,
  code: code ?? null,
  category: category ?? null,
})

/** An argument includes all of what it names: the filter ends after the day, month or year of `until`. */
function spanOf(text: string): DateSpan {
  const span = dateSpan(text)
  if (span === undefined) throw new BadUserInput({ detail: `\`since\` or \`until\` is no date or time. ${DATE_FORMS}` })
  return span
}
