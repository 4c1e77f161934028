import type { Clocks } from '../model/deadline.ts'
import type { Instant } from '../model/ids.ts'
import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from './verify/hour-limits.ts'

/** An hour of the wall clock in UTC: `2026-11-28T17`. */
export type Hour = string & { readonly hour: unique symbol }

/** Records of a request are in the lanes of hours from this long before the time in its id, for a clock that was set back ... */
const BEFORE_MS = 60_000
/** ... to this long after it, for the longest request and the same difference. */
const AFTER_MS = 660_000

export const hourOf = (time: number): Hour => new Date(time).toISOString().slice(0, 13) as Hour

/** The end of the hour of a time, in milliseconds since the epoch. */
export const hourEnd = (time: number): Instant => ((Math.floor(time / HOUR_MS) + 1) * HOUR_MS) as Instant

/** The time from which no lane of the hour grows any more, in milliseconds since the epoch. */
export const closesAt = (hour: Hour): Instant =>
  (Date.parse(`${hour}:00:00Z`) + HOUR_MS + LINGER_MS + CLOCK_TOLERANCE_MS) as Instant

/**
 * The hour of a process, by both of its clocks.
 *
 * A wall clock that is set back by up to the tolerance takes the process into no earlier hour: the monotonic clock shows that this
 * hour is over. After a larger difference, the wall clock counts alone, because request ids have its time and locate the records.
 * That begins another era: the times in one lane differ from their order by no more than the tolerance.
 */
export class HourClock {
  readonly #clocks: Clocks
  /** The latest time that the wall clock showed, and the monotonic time then. */
  #seen: { readonly wall: number; readonly monotonic: number }
  #era = 0

  constructor(clocks: Clocks) {
    this.#clocks = clocks
    this.#seen = { wall: clocks.now(), monotonic: clocks.monotonic() }
  }

  /** Milliseconds since the epoch. */
  get time(): number {
    const [wall, monotonic] = [this.#clocks.now(), this.#clocks.monotonic()]
    const setBack = this.#seen.wall + Math.floor(monotonic - this.#seen.monotonic) - wall
    if (setBack > 0 && setBack <= CLOCK_TOLERANCE_MS) return wall + setBack
    if (setBack > 0) this.#era++
    this.#seen = { wall, monotonic }
    return wall
  }

  /** How often the wall clock was set back by more than the tolerance. */
  get era(): number {
    return this.#era
  }
}

/** The hours in which a request may have records. */
export const hoursOfRequest = (at: number): Hour[] => hoursBetween(at - BEFORE_MS, at + AFTER_MS)

/** The hours of a span, both ends included. */
export function hoursBetween(from: number, to: number): Hour[] {
  const hours: Hour[] = []
  for (let time = from; time < hourEnd(to); time += HOUR_MS) hours.push(hourOf(time))
  return hours
}
