import { isPosition } from './ranges.ts'
import type { ChainedItem } from './item.ts'

/** The items that the notary sealed in one step: those at the positions `start` to `end - 1` of a tenant's tree. */
export interface Span {
  readonly start: number
  readonly end: number
  /** Seconds since the epoch. */
  readonly time: number
  /** By name. Each continues where its last span ended. */
  readonly lanes: readonly { readonly lane: string; readonly first: number; readonly last: number }[]
}

/** Whether the lanes of a span are in order, continue where they ended, and have as many items as the span has positions. */
export function continues({ start, end, lanes }: Span, ends: ReadonlyMap<string, number>): boolean {
  const inOrder = lanes.every(({ lane }, at) => at === 0 || (lanes[at - 1]?.lane ?? '') < lane)
  const following = lanes.every(({ lane, first, last }) => first === (ends.get(lane) ?? 0) + 1 && last >= first)
  const count = lanes.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return isPosition(start) && isPosition(end) && inOrder && following && end > start && count === end - start
}

/** The position of an item in the tree; undefined if the span does not hold the item. */
export function positionIn({ start, lanes }: Span, { lane, sequence }: Pick<ChainedItem, 'lane' | 'sequence'>): number | undefined {
  let position = start
  for (const { lane: name, first, last } of lanes) {
    if (name === lane && sequence >= first && sequence <= last) return position + sequence - first
    position += last - first + 1
  }
  return undefined
}
