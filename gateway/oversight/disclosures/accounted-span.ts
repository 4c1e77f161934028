import { BadUserInput } from '../../model/failures.ts'
import { timesOf } from '../audit-times.ts'
import { ACCOUNTED_YEARS, dayOf, yearsBefore } from '../../model/accounting/calendar.ts'

/** The span of an accounting: at most six years back. @throws BadUserInput */
export function accountedSpan(
  times: { readonly from: string; readonly to: string },
  now: number,
): { readonly from: number; readonly to: number } {
  const { from, to } = timesOf(times)
  if (from === undefined || to === undefined || from > to || from > now)
    throw new BadUserInput({ detail: '`from` is after `to`, or in the future.' })
  if (from < Date.parse(yearsBefore(dayOf(now), ACCOUNTED_YEARS)))
    throw new BadUserInput({ detail: `\`from\` is more than ${ACCOUNTED_YEARS} years ago.` })
  return { from, to: Math.min(to, now) }
}
