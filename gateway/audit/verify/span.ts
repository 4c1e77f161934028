import { isPosition } from './ranges.ts'
import type { Receipt } from './receipt.ts'

/** What the notary sealed at one moment: which records lie at the positions `start` to `end - 1` of a tenant's tree. */
export interface Span {
  readonly start: number
  readonly end: number
  /** Seconds since the epoch. */
  readonly time: number
  /** By name; each goes on where the lane was sealed to. */
  readonly lanes: readonly { readonly lane: string; readonly first: number; readonly last: number }[]
}

/** Whether the lanes of a span are in order, go on where they were sealed to, and are as many records as it has positions. */
export function continues({ start, end, lanes }: Span, ends: ReadonlyMap<string, number>): boolean {
  const inOrder = lanes.every(({ lane }, at) => at === 0 || (lanes[at - 1]?.lane ?? '') < lane)
  const following = lanes.every(({ lane, first, last }) => first === (ends.get(lane) ?? 0) + 1 && last >= first)
  const count = lanes.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  return isPosition(start) && isPosition(end) && inOrder && following && end > start && count === end - start
}

/** Where in the tree a span holds the record of a receipt, or undefined where it does not. */
export function positionIn({ start, lanes }: Span, { lane, sequence }: Pick<Receipt, 'lane' | 'sequence'>): number | undefined {
  let position = start
  for (const { lane: name, first, last } of lanes) {
    if (name === lane && sequence >= first && sequence <= last) return position + sequence - first
    position += last - first + 1
  }
  return undefined
}
