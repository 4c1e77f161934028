import { type DateSpan, dateSpan } from '../model/date-span.ts'
import { BadUserInput } from '../model/failures.ts'
import { DATE_FORMS } from '../model/limit-details.ts'

/** The span of a date or a time that a client sent; undefined for an absent one. @throws BadUserInput */
export function spanOf(text: unknown, argument: string): DateSpan | undefined {
  if (text === undefined || text === null) return undefined
  const span = typeof text === 'string' ? dateSpan(text) : undefined
  if (span === undefined) throw new BadUserInput({ detail: `\`${argument}\` is no date and no time. ${DATE_FORMS}` })
  return span
}
