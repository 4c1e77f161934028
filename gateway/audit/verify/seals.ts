import { CLOCK_TOLERANCE_MS, LINGER_MS } from './hour-limits.ts'
import type { SignedCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint-text.ts'
import { hexToBytes } from '@noble/hashes/utils.js'
import type { ChainedItem } from './item.ts'
import { verifyInclusion } from './proofs.ts'
import { continues, type Span } from './span.ts'
import { appended, EMPTY, type Frontier, frontierRoot, type Hash, leafHash, sameHash } from './tree.ts'

export type SealFinding =
  | {
      /** SPAN_GAP: the span does not begin where the one before ends. SPAN_FORM: its lanes do not continue where they ended. */
      readonly kind: 'SPAN_GAP' | 'SPAN_FORM'
      readonly start: number
    }
  | {
      /** `missing` of the items from `first` to `last`, which were sealed together, do not exist. */
      readonly kind: 'SEALED_MISSING'
      readonly lane: string
      readonly first: number
      readonly last: number
      readonly missing: number
    }
  | {
      /**
       * ROOT: the items are not the signed ones. TWO_ROOTS: two checkpoints of one size have different roots, so the notary gave two
       * readers different logs. TWO_TIMES: the log signed one size at two times. BACKWARDS: a larger log was signed at an earlier
       * time. SIZE: no span ends at the signed size. SPAN_TIME: the time of the span is not that of its checkpoint.
       */
      readonly kind: 'ROOT' | 'TWO_ROOTS' | 'TWO_TIMES' | 'BACKWARDS' | 'SIZE' | 'SPAN_TIME'
      readonly size: number
    }

/** An item that an earlier checkpoint should have included by its time. This is no forgery alarm. */
interface LateItem {
  readonly lane: string
  readonly sequence: number
  /** From the time of the item to the checkpoint that includes it, in whole seconds. */
  readonly delay: number
}

export interface SealReport {
  /** Leaves with an existing item. */
  readonly sealed: number
  /** Items of no span: the notary has not sealed them yet, or they were added later. */
  readonly unsealed: number
  /** In the order of the leaves. */
  readonly late: readonly LateItem[]
  readonly findings: readonly SealFinding[]
}

/** An item has the time of its first record, and is stored at most this long after it, in seconds. */
const LATE_AFTER = (LINGER_MS + CLOCK_TOLERANCE_MS) / 1_000

/** The leaf of an item: the hash of the tree's leaf over the item's hash, 32 raw bytes. */
export const itemLeaf = ({ hash }: Pick<ChainedItem, 'hash'>): Hash => leafHash(hexToBytes(hash))

/**
 * Whether the item is at a position of the log that a verified checkpoint is of. `positionIn` of `span.ts` computes the position.
 *
 * @param item with a hash that `chainHash` confirms
 */
export function verifySealed(
  item: Pick<ChainedItem, 'hash'>,
  position: number,
  proof: readonly Hash[],
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
): boolean {
  return verifyInclusion(position, size, itemLeaf(item), proof, root)
}

/**
 * Compares the items of one tenant with the signed checkpoints. `verifyLanes` checks the chain of each lane.
 *
 * @param items all items of the tenant, in any order
 * @param spans all spans, from position 0
 * @param checkpoints verified ones, at least one: spans have no signature of their own
 */
export function verifySeals(
  items: readonly ChainedItem[],
  spans: readonly Span[],
  checkpoints: readonly SignedCheckpoint[],
): SealReport {
  const findings: SealFinding[] = compareHeads(checkpoints)
  const bySize = Map.groupBy(checkpoints, ({ size }) => size)
  const late: LateItem[] = []
  const lanes = new Map([...Map.groupBy(items, ({ lane }) => lane)].map(([lane, group]) => [lane, new LaneItems(group)]))
  const ends = new Map<string, number>()
  // undefined after the first missing leaf: no later root can be computed
  let tree: Frontier | undefined = EMPTY
  let [position, sealed, before] = [0, 0, Number.NEGATIVE_INFINITY]

  const compare = (size: number, time: number | undefined): void => {
    for (const checkpoint of bySize.get(size) ?? []) {
      if (tree !== undefined && !sameHash(frontierRoot(tree), checkpoint.root)) findings.push({ kind: 'ROOT', size })
      if (time !== undefined && checkpoint.time !== time) findings.push({ kind: 'SPAN_TIME', size })
    }
    bySize.delete(size)
  }

  compare(0, undefined)
  for (const span of spans.toSorted((one, other) => one.start - other.start)) {
    const { start, end, time } = span
    if (start !== position) {
      findings.push({ kind: 'SPAN_GAP', start })
      tree = undefined
    }
    if (!continues(span, ends)) {
      findings.push({ kind: 'SPAN_FORM', start })
      break
    }
    for (const { lane, first, last } of span.lanes) {
      ends.set(lane, last)
      const held = lanes.get(lane)?.through(last) ?? []
      sealed += held.length
      const missing = last - first + 1 - held.length
      if (missing > 0) {
        findings.push({ kind: 'SEALED_MISSING', lane, first, last, missing })
        tree = undefined
      }
      for (const item of held) {
        if (tree !== undefined) tree = appended(tree, itemLeaf(item))
        const at = Date.parse(item.time) / 1000
        if (at + LATE_AFTER < before) late.push({ lane, sequence: item.sequence, delay: Math.floor(time - at) })
      }
    }
    position = end
    before = time
    compare(end, time)
  }
  for (const size of bySize.keys()) findings.push({ kind: 'SIZE', size })
  const unsealed = [...lanes.values()].reduce((sum, { left }) => sum + left, 0)
  return { sealed, unsealed, late, findings }
}

/** The items of a lane, one for each sequence, taken from the first on. */
class LaneItems {
  readonly #items: readonly ChainedItem[]
  #taken = 0

  constructor(items: readonly ChainedItem[]) {
    const bySequence = new Map(items.map((item) => [item.sequence, item]))
    this.#items = [...bySequence.values()].sort((one, other) => one.sequence - other.sequence)
  }

  get left(): number {
    return this.#items.length - this.#taken
  }

  /** Those up to a sequence that are not taken yet. Never longer than the list, whatever a span claims. */
  through(last: number): readonly ChainedItem[] {
    const from = this.#taken
    while ((this.#items[this.#taken]?.sequence ?? Number.POSITIVE_INFINITY) <= last) this.#taken++
    return this.#items.slice(from, this.#taken)
  }
}

/**
 * Compares checkpoints of one log without any item: two roots or two times for one size, or a larger log at an earlier time. With
 * old checkpoints at hand, a reader can check a new one.
 */
export function compareHeads(checkpoints: readonly SignedCheckpoint[]): SealFinding[] {
  const findings: SealFinding[] = []
  let before: SignedCheckpoint | undefined
  for (const checkpoint of checkpoints.toSorted((one, other) => one.size - other.size || one.time - other.time)) {
    const { size, root, time } = checkpoint
    if (before?.size === size && !sameHash(before.root, root)) findings.push({ kind: 'TWO_ROOTS', size })
    else if (before?.size === size && before.time !== time) findings.push({ kind: 'TWO_TIMES', size })
    if (before !== undefined && before.size < size && time < before.time) findings.push({ kind: 'BACKWARDS', size })
    before = checkpoint
  }
  return findings
}
