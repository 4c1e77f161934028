import { chainHash, type ChainedEntry, NOTHING_BEFORE } from './entry.ts'

/** The end of a lane: its name and the sequence of its last record, 0 for none. */
interface LaneEnd {
  readonly lane: string
  readonly sequence: number
}

/** What is wrong with one record of a lane, or before it. */
export type LaneFinding = { readonly tenant: string; readonly lane: string; readonly sequence: number } & (
  | {
      /**
       * ALTERED: the record is not what its hash was computed over. UNLINKED: it does not follow the record before.
       * OUT_OF_ORDER: it repeats a number, or stands after a higher one. FOREIGN: it is of another lane or tenant.
       * STRAY_SUCCESSION: it says whom the lane succeeds in a place or form that says nothing.
       */
      readonly kind: 'ALTERED' | 'UNLINKED' | 'OUT_OF_ORDER' | 'FOREIGN' | 'STRAY_SUCCESSION'
    }
  | {
      /** The records between `after` and this one are missing. */
      readonly kind: 'GAP'
      readonly after: number
    }
)

export interface LaneReport {
  readonly count: number
  /** The last record in its place, with its stored hash; absent if there are no records. */
  readonly end?: LaneEnd & { readonly hash: string }
  /** The end of the lane before this one, according to the first record. */
  readonly succeeds?: LaneEnd
  /** In the order of the records: the first is the first bad one. */
  readonly findings: readonly LaneFinding[]
}

/**
 * Checks the records of one lane, from its first, in order. A record is compared with the one before as that one stands
 * there: one alteration is one finding, wherever its author stopped computing anew.
 *
 * That nothing is missing at the end cannot be seen here: a successor, a receipt or a checkpoint says so.
 */
export function verifyLane(entries: readonly ChainedEntry[]): LaneReport {
  const findings: LaneFinding[] = []
  const first = entries[0]
  let before = { sequence: 0, hash: NOTHING_BEFORE }
  for (const entry of entries) {
    const { tenant, lane, sequence, prev, hash } = entry
    const at = { tenant, lane, sequence }
    if (lane !== first?.lane || tenant !== first.tenant) {
      findings.push({ kind: 'FOREIGN', ...at })
      continue
    }
    if (chainHash(entry) !== hash) findings.push({ kind: 'ALTERED', ...at })
    if (entry.succeeds !== undefined && (sequence !== 1 || laneEnd(entry.succeeds) === undefined))
      findings.push({ kind: 'STRAY_SUCCESSION', ...at })
    if (sequence <= before.sequence) {
      findings.push({ kind: 'OUT_OF_ORDER', ...at })
      continue
    }
    if (sequence !== before.sequence + 1) findings.push({ kind: 'GAP', ...at, after: before.sequence })
    else if (prev !== before.hash) findings.push({ kind: 'UNLINKED', ...at })
    before = { sequence, hash }
  }
  const succeeds = first?.sequence === 1 && first.succeeds !== undefined ? laneEnd(first.succeeds) : undefined
  return {
    count: entries.length,
    ...(first !== undefined && { end: { lane: first.lane, ...before } }),
    ...(succeeds !== undefined && { succeeds }),
    findings,
  }
}

/** The parts of `lane/sequence`, or undefined. */
function laneEnd(text: string): LaneEnd | undefined {
  const [, lane, digits] = /^([^/]+)\/(0|[1-9]\d{0,15})$/.exec(text) ?? []
  const sequence = Number(digits)
  return lane !== undefined && Number.isSafeInteger(sequence) ? { lane, sequence } : undefined
}
