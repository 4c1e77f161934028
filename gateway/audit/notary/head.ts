import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { type Frontier, frontierRoot } from '../verify/tree.ts'

/** The durable state of a tenant's tree. */
export interface Head {
  readonly frontier: Frontier
  /** Seconds since the epoch. Never decreases. */
  readonly time: number
  /** The end of the last round. From here to the size, items are sealed and in no round yet. */
  readonly cut: number
}

/** The positions from `start` to `end - 1`, which become one segment and one checkpoint. Rounds follow each other without a gap. */
export interface Round {
  readonly start: number
  readonly frontier: Frontier
  /** Seconds since the epoch: the timestamp of the log's cosignatures. */
  readonly time: number
}

export const NEW_LOG: Head = { frontier: { size: 0, nodes: [] }, time: 0, cut: 0 }

const HASH_BYTES = 32

export const rootOfHead = ({ frontier }: Pick<Head, 'frontier'>): Uint8Array => frontierRoot(frontier)

export function frontierBytes({ nodes }: Frontier): Uint8Array {
  return Buffer.concat(nodes)
}

/** @throws TypeError if the bytes are not the frontier of a tree of this size */
export function frontierOf(size: number, bytes: Uint8Array | undefined): Frontier {
  const count = bitsOf(size)
  if (bytes?.length !== count * HASH_BYTES) throw new TypeError('a frontier has a hash for each bit of its size')
  const nodes = Array.from({ length: count }, (_, at) => new Uint8Array(bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)))
  return { size, nodes }
}

function bitsOf(size: number): number {
  let bits = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) bits += rest % 2
  return bits
}

export type Item = Record<string, AttributeValue>

/** A number of an item. @throws TypeError */
export function numberOf(item: Item, name: string): number {
  const number = Number(item[name]?.N)
  if (!Number.isSafeInteger(number) || number < 0) throw new TypeError(`an item of the checkpoints has no ${name}`)
  return number
}

/** A text of an item. @throws TypeError */
export function textOf(item: Item, name: string): string {
  const text = item[name]?.S
  if (text === undefined) throw new TypeError(`an item of the checkpoints has no ${name}`)
  return text
}
