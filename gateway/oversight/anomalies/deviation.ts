import { robustZ, type Spread, spreadOf } from './robust.ts'
import type { Workforce } from './workforce.ts'

/** A number for each user and day of work. */
export interface DayValue {
  readonly user: string
  readonly day: string
  readonly value: number
}

/** The days of a user in the baseline, and those of the peers. */
export interface Baselines {
  readonly own: Spread
  readonly peers: Spread
}

/** Deviations from the baseline, for one number of a day. */
export interface DayBaselines {
  of(user: string): Baselines
}

/** The smallest deviation of a sample. */
interface Least {
  readonly share: number
  readonly absolute: number
}

/** @param values of the baseline, with zeros for days of work without any */
export function dayBaselines(values: readonly DayValue[], workforce: Workforce, least: Least): DayBaselines {
  const byUser = Map.groupBy(values, ({ user }) => user)
  const spreads = new Map<string, Spread>()
  const spread = (key: string, users: Iterable<string>): Spread => {
    const known = spreads.get(key)
    if (known !== undefined) return known
    const sample = [...users].flatMap((user) => (byUser.get(user) ?? []).map(({ value }) => value))
    const found = spreadOf(sample, least)
    spreads.set(key, found)
    return found
  }
  return {
    of: (user) => {
      const role = workforce.roleOf(user)
      return {
        own: spread(`USER ${user}`, [user]),
        peers: spread(`ROLE ${role ?? ''}`, role === undefined ? [] : workforce.usersOf(role)),
      }
    },
  }
}

interface Thresholds {
  readonly own: number
  readonly peers: number
  /** The smallest excess over the median. */
  readonly least: number
}

/**
 * How far a value is from a user's own days and from the peers', as a multiple of the thresholds: the lesser of the two, and 0 if the
 * excess is too small. A user without a habit is compared with the peers by both thresholds.
 *
 * @param habitDays a sample of fewer days is no habit
 */
export function measureOf(
  value: number,
  { own, peers }: Baselines,
  { own: ownZ, peers: peersZ, least }: Thresholds,
  habitDays: number,
): number {
  const habit = own.size >= habitDays ? own : peers
  if (value - habit.median < least) return 0
  // without peers there are only the own days
  const ofPeers = peers.size >= habitDays ? robustZ(value, peers) / peersZ : Number.POSITIVE_INFINITY
  return Math.max(0, Math.min(robustZ(value, habit) / ownZ, ofPeers))
}

/** The median that a sentence names, and its numbers for the evidence. */
export function evidenceOf(value: number, { own, peers }: Baselines): Readonly<Record<string, number>> {
  return {
    ownMedian: own.median,
    ownDeviation: own.deviation,
    ownDays: own.size,
    ownZ: robustZ(value, own),
    peersMedian: peers.median,
    peersDeviation: peers.deviation,
    peersZ: robustZ(value, peers),
  }
}
