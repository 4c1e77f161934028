import type { Span } from '../verify/span.ts'
import { appended, type Frontier, frontierRoot, type Hash, sameHash } from '../verify/tree.ts'
import type { Round } from './head.ts'
import type { LaneReader } from './lane-reader.ts'
import { continuing, leafOf, type SealedItem } from './sealed-item.ts'

/** The items of a round are no longer those that were sealed. The log publishes nothing more: its next root would hide the change. */
export class SealedItemsAltered extends Error {
  override readonly name = 'SealedItemsAltered'
}

/**
 * The items of a round in the order of the tree, read again from their lanes.
 *
 * @throws SealedItemsAltered if an item is missing
 */
export async function readRound(reader: LaneReader, tenant: string, spans: readonly Span[]): Promise<SealedItem[]> {
  const items: SealedItem[] = []
  for (const { lanes } of spans) {
    for (const { lane, first, last } of lanes) {
      const stored = await reader.between(tenant, lane, first, last)
      if (stored.length !== last - first + 1) throw new SealedItemsAltered()
      const prev = Buffer.from(stored[0]?.['pv']?.B ?? []).toString('hex')
      const read = continuing(tenant, lane, { sequence: first - 1, hash: prev }, stored)
      if (read.fault !== undefined) throw new SealedItemsAltered()
      items.push(...read.items)
    }
  }
  return items
}

/**
 * The leaves of a round, compared with its root.
 *
 * @param before the frontier at the start of the round
 * @throws SealedItemsAltered
 */
export function leavesOf(round: Round, before: Frontier, items: readonly SealedItem[]): Hash[] {
  const leaves = items.map(leafOf)
  const after = leaves.reduce(appended, before)
  if (after.size !== round.frontier.size || !sameHash(frontierRoot(after), frontierRoot(round.frontier)))
    throw new SealedItemsAltered()
  return leaves
}
