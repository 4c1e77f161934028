/** The work of the store since the last reset. */
export interface StoreCounts {
  /** HTTP requests. */
  requests: number
  /** TransactWriteItems among them. */
  transactions: number
  readUnits: number
  writeUnits: number
  /** The longest chain of requests that did not overlap: the round trips that waited for each other. */
  roundTrips: number
  /** Items that reads returned. */
  itemsRead: number
  /** Items written, by table. */
  itemsWritten: Record<string, number>
  /** Requests by operation and table: `BatchGetItem records`. */
  operations: Record<string, number>
}

export const noCounts = (): StoreCounts => ({
  requests: 0,
  transactions: 0,
  roundTrips: 0,
  readUnits: 0,
  writeUnits: 0,
  itemsRead: 0,
  itemsWritten: {},
  operations: {},
})

/** The read units of one item or of the items of one query: one for each 4 KiB, half without strong consistency. */
export const readUnitsOf = (bytes: number, consistent: boolean): number =>
  Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5)

/** The time of a request at the store, from its arrival to its answer. */
export interface Interval {
  readonly arrived: number
  readonly answered: number
}

/** The largest number of intervals of which none begins before the one before it has ended. */
export function longestChain(intervals: readonly Interval[]): number {
  let chain = 0
  let end = Number.NEGATIVE_INFINITY
  for (const { arrived, answered } of intervals.toSorted((a, b) => a.answered - b.answered)) {
    if (arrived < end) continue
    chain++
    end = answered
  }
  return chain
}
