// The subtrees of a proof. The caller fetches their hashes: from leaves, from stored nodes or from tiles.
//
// Positions are safe integers, not BigInt. A tree that grows by a million leaves a second reaches 2^53 in 285 years, and JSON keeps
// the numbers unchanged. Greater numbers are refused. Bit operators do not apply: they work on 32 bits.

/** Leaves `start` to `end - 1` of a tree. */
export interface Range {
  readonly start: number
  readonly end: number
}

export const isPosition = (number: number): boolean => Number.isSafeInteger(number) && number >= 0

/** The greatest power of two below a number above 1. */
function split(width: number): number {
  let power = 1
  while (power * 2 < width) power *= 2
  return power
}

/**
 * Whether a range is a subtree of any tree that is large enough: `start` is a multiple of the least power of two that is not
 * below the width. An empty range counts as one.
 *
 * @source draft-ietf-plants-merkle-tree-certs, "Subtrees"
 */
export function isSubtree({ start, end }: Range): boolean {
  if (!isPosition(start) || !isPosition(end) || start > end) return false
  const width = end - start
  return width < 2 || start % (split(width) * 2) === 0
}

/**
 * The ranges that prove by their roots that leaf `index` is in a subtree, from the leaf upward. For a whole tree: `{ start: 0, end: size }`.
 *
 * @throws RangeError when the range is no subtree or the leaf is outside
 * @source RFC 6962, section 2.1.1 (PATH)
 */
export function inclusionRanges(index: number, subtree: Range): readonly Range[] {
  let { start, end } = subtree
  if (!isSubtree(subtree) || !isPosition(index) || index < start || index >= end)
    throw new RangeError('a proof is about a leaf of a subtree')
  const downward: Range[] = []
  while (end - start > 1) {
    const middle = start + split(end - start)
    if (index < middle) {
      downward.push({ start: middle, end })
      end = middle
    } else {
      downward.push({ start, end: middle })
      start = middle
    }
  }
  return downward.reverse()
}

/**
 * The ranges that prove by their roots that a subtree is unchanged in a tree of `size` leaves. With `start` 0 this is the
 * consistency proof of RFC 6962 between two sizes.
 *
 * @throws RangeError when the range is no subtree of that tree
 * @source RFC 6962, section 2.1.2 (PROOF); draft-ietf-plants-merkle-tree-certs (SUBTREE_PROOF)
 */
export function consistencyRanges(subtree: Range, size: number): readonly Range[] {
  if (!isSubtree(subtree) || !isPosition(size) || subtree.end > size) throw new RangeError('a proof is about a subtree of a tree')
  if (subtree.start === subtree.end) return []
  const downward: Range[] = []
  let [low, high, from] = [0, size, subtree.start]
  let known = true
  while (from !== low || subtree.end !== high) {
    const middle = low + split(high - low)
    if (subtree.end <= middle) {
      downward.push({ start: middle, end: high })
      high = middle
    } else {
      downward.push({ start: low, end: middle })
      if (from < middle) {
        // the subtree ends within the right half: its own root is no node of the tree, so the proof has to hold its last part
        from = middle
        known = false
      }
      low = middle
    }
  }
  if (!known) downward.push({ start: low, end: high })
  return downward.reverse()
}
