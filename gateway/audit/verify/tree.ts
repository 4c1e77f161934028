import { sha256 } from '@noble/hashes/sha2.js'

/** SHA-256, 32 bytes. */
export type Hash = Uint8Array

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** The root of a tree without leaves: SHA-256 of nothing. A function, because bytes can be written to. */
export const emptyRoot = (): Hash => sha256(new Uint8Array())

/**
 * The first byte keeps leaves and nodes apart: no node can be passed off as a leaf.
 *
 * @source RFC 6962, section 2.1
 */
export const leafHash = (data: Uint8Array): Hash => sha256.create().update(LEAF).update(data).digest()

/** @source RFC 6962, section 2.1 */
export const nodeHash = (left: Hash, right: Hash): Hash => sha256.create().update(NODE).update(left).update(right).digest()

export function sameHash(one: Hash, other: Hash): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at])
}

/**
 * The part of a tree that an append and the root need: the roots of its complete subtrees from left to right, one for each bit that
 * is set in its size.
 */
export interface Frontier {
  readonly size: number
  readonly nodes: readonly Hash[]
}

export const EMPTY: Frontier = { size: 0, nodes: [] }

/** The frontier after one more leaf, given by its hash. */
export function appended({ size, nodes }: Frontier, leaf: Hash): Frontier {
  const grown = [...nodes, leaf]
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const right = grown.pop()
    const left = grown.pop()
    if (left === undefined || right === undefined) throw new RangeError('a frontier has one node for each bit of its size')
    grown.push(nodeHash(left, right))
  }
  return { size: size + 1, nodes: grown }
}

export function frontierRoot({ nodes }: Frontier): Hash {
  const last = nodes.at(-1)
  if (last === undefined) return emptyRoot()
  return nodes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last)
}

/**
 * The root over leaves, given by their hashes.
 *
 * @source RFC 6962, section 2.1 (MTH)
 */
export function rootOf(leaves: readonly Hash[]): Hash {
  return frontierRoot(leaves.reduce(appended, EMPTY))
}
