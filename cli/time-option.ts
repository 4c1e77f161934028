import { InvalidArgumentError } from 'commander'
import { type DateSpan, dateSpan } from '../gateway/model/date-span.ts'
import { Refused } from './refused.ts'

/** The first moment of a date or time, in milliseconds since the epoch. @throws InvalidArgumentError */
export const fromOption = (text: string): number => spanOf(text).from

/** The last moment of a date or time, in milliseconds since the epoch: a year, month or day is included whole. @throws InvalidArgumentError */
export const toOption = (text: string): number => spanOf(text).end - 1

/** Checks a date or time, and returns it as it was written. @throws InvalidArgumentError */
export function timeText(text: string): string {
  spanOf(text)
  return text
}

/** Checks that a time does not begin after it ends. @throws Refused */
export function requireOrder(from: number | undefined, to: number | undefined, exitCode?: number): void {
  if (from !== undefined && to !== undefined && from > to)
    throw new Refused('--from is later than --to. Exchange them.', exitCode === undefined ? {} : { exitCode })
}

function spanOf(text: string): DateSpan {
  const span = dateSpan(text)
  if (span === undefined)
    throw new InvalidArgumentError('Use a date that exists: 2026-01-31, 2026-01, 2026, or 2026-01-31T09:00:00Z.')
  return span
}
