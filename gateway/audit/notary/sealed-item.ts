import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { itemHash } from '../entry.ts'
import { sequenceKey } from '../item.ts'
import type { SegmentItem } from '../verify/segment-line.ts'
import { leafHash } from '../verify/tree.ts'

/** An item of a lane as it is stored, and as it is copied to a segment. */
export interface SealedItem extends SegmentItem {
  /** Of the item, in milliseconds since the epoch. */
  readonly at: number
}

/** The last item of a lane that is sealed. Sequence 0 is before the first item. */
export interface LaneEnd {
  readonly sequence: number
  readonly hash: string
}

/** GAP: the next item is missing, and a later one exists. BROKEN: the next item does not continue the chain of hashes. */
export type LaneFault = 'GAP' | 'BROKEN'

/**
 * The items after an end that continue it, up to the first one that does not.
 *
 * @param stored in order of sequence
 */
export function continuing(
  tenant: string,
  lane: string,
  end: LaneEnd,
  stored: readonly Record<string, AttributeValue>[],
): { readonly items: readonly SealedItem[]; readonly fault?: LaneFault } {
  const items: SealedItem[] = []
  let { sequence, hash: prev } = end
  for (const { n, pv, h, e, at } of stored) {
    sequence++
    if (n?.S !== sequenceKey(sequence)) return { items, fault: 'GAP' }
    const text = e?.S ?? ''
    const hash = hex(h?.B)
    if (hex(pv?.B) !== prev || itemHash({ tenant, lane, sequence }, text, prev) !== hash) return { items, fault: 'BROKEN' }
    items.push({ lane, sequence, prev, hash, text, at: Number(at?.N) })
    prev = hash
  }
  return { items }
}

const hex = (bytes: Uint8Array | undefined): string => (bytes === undefined ? '' : Buffer.from(bytes).toString('hex'))

/** The leaf of the tree: SHA-256 of 0 and the hash of the item, 32 raw bytes. */
export const leafOf = ({ hash }: Pick<SealedItem, 'hash'>): Uint8Array => leafHash(Buffer.from(hash, 'hex'))
