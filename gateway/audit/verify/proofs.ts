import { isPosition, isSubtree, type Range } from './ranges.ts'
import { emptyRoot, type Hash, nodeHash, sameHash } from './tree.ts'

const HASH_BYTES = 32
const odd = (number: number): boolean => number % 2 === 1
const half = (number: number): number => Math.floor(number / 2)
const areHashes = (hashes: readonly Hash[]): boolean => hashes.every(({ length }) => length === HASH_BYTES)

/** Whether a leaf, given by its hash, is at `index` of a tree with `size` leaves. */
export function verifyInclusion(index: number, size: number, leaf: Hash, proof: readonly Hash[], root: Hash): boolean {
  return verifySubtreeInclusion(index, { start: 0, end: size }, leaf, proof, root)
}

/**
 * Whether a leaf, given by its hash, is at `index` of the tree that contains `subtree`. Returns false for any fault.
 *
 * @source RFC 9162, section 2.1.3.2; draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Inclusion Proof"
 */
export function verifySubtreeInclusion(index: number, subtree: Range, leaf: Hash, proof: readonly Hash[], root: Hash): boolean {
  const { start, end } = subtree
  if (!isSubtree(subtree) || !isPosition(index) || index < start || index >= end) return false
  if (!areHashes([leaf, ...proof])) return false
  let [place, last, hash] = [index - start, end - start - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) return false
    if (odd(place) || place === last) {
      hash = nodeHash(sibling, hash)
      // on the right edge the levels without a sibling are skipped
      while (!odd(place)) [place, last] = [half(place), half(last)]
    } else {
      hash = nodeHash(hash, sibling)
    }
    ;[place, last] = [half(place), half(last)]
  }
  return last === 0 && sameHash(hash, root)
}

/** Whether the tree with `later` leaves begins with the tree with `earlier` leaves, at least one. */
export function verifyConsistency(
  earlier: number,
  later: number,
  earlierRoot: Hash,
  laterRoot: Hash,
  proof: readonly Hash[],
): boolean {
  // every tree begins with the empty one: a request for this proof is a mistake of the caller
  if (earlier === 0) return false
  return verifySubtreeConsistency({ start: 0, end: earlier }, later, earlierRoot, laterRoot, proof)
}

/**
 * Whether the leaves under `subtreeRoot` are those of `subtree` in the tree with `size` leaves under `root`. Returns false for any
 * fault. An empty subtree is not compared with the root.
 *
 * @source RFC 9162, section 2.1.4.2; draft-ietf-plants-merkle-tree-certs, "Verifying a Subtree Consistency Proof"
 */
export function verifySubtreeConsistency(
  subtree: Range,
  size: number,
  subtreeRoot: Hash,
  root: Hash,
  proof: readonly Hash[],
): boolean {
  const { start, end } = subtree
  if (!isSubtree(subtree) || !isPosition(size) || end > size || !areHashes(proof)) return false
  if (start === end) return proof.length === 0 && sameHash(subtreeRoot, emptyRoot())

  let [first, last, edge] = [start, end - 1, size - 1]
  const up = (): void => {
    ;[first, last, edge] = [half(first), half(last), half(edge)]
  }
  const atEdge = last === edge
  while (first !== last && (atEdge || odd(last))) up()

  const [given, ...others] = proof
  const whole = first === last
  const from = whole ? subtreeRoot : given
  if (from === undefined) return false
  let [inSubtree, inTree] = [from, from]
  for (const sibling of whole ? proof : others) {
    if (edge === 0) return false
    if (odd(last) || last === edge) {
      if (first < last) inSubtree = nodeHash(sibling, inSubtree)
      inTree = nodeHash(sibling, inTree)
      while (!odd(last)) up()
    } else {
      inTree = nodeHash(inTree, sibling)
    }
    up()
  }
  return edge === 0 && sameHash(inSubtree, subtreeRoot) && sameHash(inTree, root)
}
