/** A period of a membership without limits, with times that compare by `<`. `until` is exclusive. */
interface Span<Time> {
  readonly since?: Time
  readonly until?: Time
}

/** Returns the periods in the order of their start. Overlapping and adjacent periods become one. */
export function mergedPeriods<Time extends string | number>(periods: readonly Span<Time>[]): Span<Time>[] {
  const result: Span<Time>[] = []
  for (const period of periods.toSorted(byStart)) {
    const last = result.at(-1)
    if (last !== undefined && meets(last, period)) result[result.length - 1] = joined(last, period)
    else result.push(period)
  }
  return result
}

function byStart<Time extends string | number>({ since: one }: Span<Time>, { since: other }: Span<Time>): number {
  if (one === other) return 0
  if (one === undefined) return -1
  return other === undefined || one > other ? 1 : -1
}

/** @param later begins at the same time as the earlier period, or after it */
const meets = <Time extends string | number>({ until }: Span<Time>, { since }: Span<Time>): boolean =>
  until === undefined || since === undefined || since <= until

function joined<Time extends string | number>(one: Span<Time>, other: Span<Time>): Span<Time> {
  const isOpen = one.until === undefined || other.until === undefined
  const until = isOpen ? undefined : one.until > other.until ? one.until : other.until
  return { ...(one.since !== undefined && { since: one.since }), ...(until !== undefined && { until }) }
}
