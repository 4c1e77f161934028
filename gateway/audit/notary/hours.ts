import { closesAt, type Hour, hourOf, hoursBetween } from '../hour.ts'
import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from '../verify/hour-limits.ts'
import type { HourCursors } from './checkpoint-table.ts'

/** When the lanes of a closed hour are read again, after its close. */
const AGAIN_MS = HOUR_MS
const LAST_MS = 24 * HOUR_MS
/** After an outage of the notary, a pass reads this many hours at most. The next pass reads the next ones. */
const MAX_HOURS = 48

/** The hours that a pass reads, and the cursors once it is complete. */
export interface HourPlan {
  readonly hours: readonly Hour[]
  /** Those among `hours` that this pass can close, in order. */
  readonly closing: readonly Hour[]
  readonly cursors: HourCursors
}

const startOf = (hour: Hour): number => Date.parse(`${hour}:00:00Z`)
const next = (hour: Hour): Hour => hourOf(startOf(hour) + HOUR_MS)
export const hourBefore = (hour: Hour): Hour => hourOf(startOf(hour) - HOUR_MS)

/**
 * The hours to read at a time. Those whose lanes may grow are always among them, whatever the cursors are: after a clock that was ahead,
 * hours are closed that have only begun.
 *
 * @param now milliseconds since the epoch, before the first read
 */
export function hoursAt(now: number, cursors: HourCursors): HourPlan {
  const open = hoursBetween(startOf(next(cursors.closed)), now + CLOCK_TOLERANCE_MS).slice(0, MAX_HOURS)
  const growing = growingHours(now)
  const closing = open.filter((hour) => closesAt(hour) <= now)
  const again = reread(cursors.again, cursors.closed, now - AGAIN_MS)
  const last = reread(cursors.last, cursors.closed, now - LAST_MS)
  return {
    hours: [...new Set([...again, ...last, ...open, ...growing])].sort(),
    closing,
    cursors: {
      closed: closing.at(-1) ?? cursors.closed,
      again: again.at(-1) ?? cursors.again,
      last: last.at(-1) ?? cursors.last,
    },
  }
}

/** The closed hours after a cursor that were closed at a time. */
function reread(cursor: Hour, closed: Hour, at: number): Hour[] {
  const hours: Hour[] = []
  for (let hour = next(cursor); hour <= closed && closesAt(hour) <= at && hours.length < MAX_HOURS; hour = next(hour))
    hours.push(hour)
  return hours
}

/** The hours whose lanes can hold items that are not sealed. */
export interface UnsealedHours {
  /** Those that are not closed, and those whose lanes may grow. */
  readonly open: readonly Hour[]
  /** Those that are closed, and that the notary will read again. Only an item that was stored after the close is not sealed. */
  readonly closed: readonly Hour[]
}

/**
 * @param cursors undefined for a tenant without a complete pass: the hours of two days are open
 * @returns undefined for more open hours than a pass reads: the notary has not run for two days
 */
export function unsealedHours(now: number, cursors: Pick<HourCursors, 'closed' | 'last'> | undefined): UnsealedHours | undefined {
  const latest = now + CLOCK_TOLERANCE_MS
  const first = cursors === undefined ? latest - (MAX_HOURS - 1) * HOUR_MS : startOf(next(cursors.closed))
  if (latest - first > MAX_HOURS * HOUR_MS) return undefined
  const open = new Set([...hoursBetween(first, latest), ...growingHours(now)])
  const closed = cursors === undefined ? [] : hoursBetween(startOf(next(cursors.last)), startOf(cursors.closed))
  return { open: [...open].sort(), closed: closed.filter((hour) => !open.has(hour)) }
}

/** The hours whose lanes may grow, whatever the cursors are. */
const growingHours = (now: number): Hour[] =>
  hoursBetween(now - HOUR_MS - LINGER_MS - CLOCK_TOLERANCE_MS, now + CLOCK_TOLERANCE_MS).filter((hour) => closesAt(hour) > now)

/** The cursors of a tenant that was never read: its first hour is the next one to close. */
export function cursorsBefore(first: Hour): HourCursors {
  const before = hourBefore(first)
  return { closed: before, again: before, last: before }
}
