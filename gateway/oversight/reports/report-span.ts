import { BadUserInput, FilterTooBroad } from '../../model/failures.ts'
import { timesOf } from '../audit-times.ts'
import type { TimeArguments } from '../audit-times.ts'

/** The time that a report is about, in milliseconds since the epoch, both inclusive. */
export interface ReportSpan {
  readonly from: number
  readonly to: number
}

/**
 * The span of a report's arguments.
 *
 * @throws FilterTooBroad without a begin or an end; BadUserInput for a text that is no time, and for an end before the begin
 */
export function reportSpan(given: TimeArguments): ReportSpan {
  const { from, to } = timesOf(given)
  const missing = [...(from === undefined ? ['from'] : []), ...(to === undefined ? ['to'] : [])]
  if (from === undefined || to === undefined) throw new FilterTooBroad(missing)
  if (from > to) throw new BadUserInput({ detail: '`from` is after `to`. Exchange them.' })
  return { from, to }
}

/** A time as the schema has it. */
export const timeOf = (time: number): string => new Date(time).toISOString()
