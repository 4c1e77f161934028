import { chainHash, type ChainedItem, NOTHING_BEFORE } from './item.ts'
import { ITEM_FORMAT } from './item-members.ts'

/** The end of a lane: its name and the sequence of its last item, 0 for none. */
export interface LaneEnd {
  readonly lane: string
  readonly sequence: number
}

/** A fault of one item of a lane, or before it. */
export type LaneFinding = { readonly tenant: string; readonly lane: string; readonly sequence: number } & (
  | {
      /**
       * ALTERED: the item differs from the one that its hash was computed over, or some of its records are missing or repeated.
       * FORMAT: the verifier does not know the format of the item. UNLINKED: its `prev` is not the hash of the item before.
       * OUT_OF_ORDER: it repeats a number, or comes after a higher one. FOREIGN: it belongs to another lane or tenant.
       * STRAY_SUCCESSION: its `succeeds` is malformed, or it is not the first item of its lane and has one.
       */
      readonly kind: 'ALTERED' | 'FORMAT' | 'UNLINKED' | 'OUT_OF_ORDER' | 'FOREIGN' | 'STRAY_SUCCESSION'
    }
  | {
      /** The items between `after` and this one are missing. */
      readonly kind: 'GAP'
      readonly after: number
    }
)

export interface LaneReport {
  /** The number of items. */
  readonly count: number
  /** The last item in its place, with its stored hash; absent if there are no items. */
  readonly end?: LaneEnd & { readonly hash: string }
  /** The end of the lane before this one, according to the first item. */
  readonly succeeds?: LaneEnd
  /** The earliest and the latest time of its items, milliseconds since the epoch; absent if there are no items. */
  readonly times?: { readonly first: number; readonly last: number }
  /** In the order of the items: the first is the first bad one. */
  readonly findings: readonly LaneFinding[]
}

/**
 * Checks the items of one lane, from its first, in order. Each item is compared with the stored hash of the item before: one
 * alteration is one finding, even if its author computed later hashes anew.
 *
 * Items that are missing at the end of the lane are not found here. A successor, a receipt or a checkpoint shows them.
 */
export function verifyLane(items: readonly ChainedItem[]): LaneReport {
  const findings: LaneFinding[] = []
  const first = items[0]
  let before = { sequence: 0, hash: NOTHING_BEFORE }
  for (const item of items) {
    const { tenant, lane, sequence, prev, hash } = item
    const at = { tenant, lane, sequence }
    if (lane !== first?.lane || tenant !== first.tenant) {
      findings.push({ kind: 'FOREIGN', ...at })
      continue
    }
    if (item.format !== ITEM_FORMAT) findings.push({ kind: 'FORMAT', ...at })
    else if (chainHash(item) !== hash) findings.push({ kind: 'ALTERED', ...at })
    if (item.succeeds !== undefined && (sequence !== 1 || laneEnd(item.succeeds) === undefined))
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
  const times = items.map(({ time }) => Date.parse(time)).sort((one, other) => one - other)
  return {
    count: items.length,
    ...(first !== undefined && {
      end: { lane: first.lane, ...before },
      times: { first: times[0] ?? 0, last: times.at(-1) ?? 0 },
    }),
    ...(succeeds !== undefined && { succeeds }),
    findings,
  }
}

/** The parts of `lane/sequence`, or undefined. */
export function laneEnd(text: string): LaneEnd | undefined {
  const [, lane, digits] = /^([^/]+)\/(0|[1-9]\d{0,15})$/.exec(text) ?? []
  const sequence = Number(digits)
  return lane !== undefined && Number.isSafeInteger(sequence) ? { lane, sequence } : undefined
}
