import { TILE_WIDTH } from './layout.ts'
import type { Range } from './ranges.ts'
import { MissingTile, type ReadTile } from './tile-tree.ts'
import { type Hash, nodeHash } from './tree.ts'

const HASH_BYTES = 32
const TILE_HEIGHT = 8

/**
 * The hashes of a proof, from tiles: the roots of `inclusionRanges` or `consistencyRanges`.
 *
 * @param size of the tree: a proof reads no partial tile of another size
 * @throws MissingTile
 */
export async function proofHashes(ranges: readonly Range[], size: number, readTile: ReadTile): Promise<Hash[]> {
  const hashes: Hash[] = []
  for (const range of ranges) hashes.push(await rangeRoot(range, size, readTile))
  return hashes
}

/** @source RFC 6962, section 2.1 (MTH) */
async function rangeRoot({ start, end }: Range, size: number, readTile: ReadTile): Promise<Hash> {
  const roots: Hash[] = []
  for (let at = start; at < end; ) {
    const height = largestHeight(at - start, end - at)
    roots.push(await completeRoot(at, height, size, readTile))
    at += 2 ** height
  }
  return roots.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), roots.at(-1) as Hash)
}

/** The height of the largest complete subtree that begins at a place of a range and ends within it. */
function largestHeight(place: number, left: number): number {
  let height = 0
  while (2 ** (height + 1) <= left && place % 2 ** (height + 1) === 0) height++
  return height
}

async function completeRoot(start: number, height: number, size: number, readTile: ReadTile): Promise<Hash> {
  const level = Math.floor(height / TILE_HEIGHT)
  const first = start / TILE_WIDTH ** level
  const index = Math.floor(first / TILE_WIDTH)
  const width = Math.min(TILE_WIDTH, Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH)
  const tile = { level, index, width }
  const hashes = await readTile(tile)
  if (hashes?.length !== width * HASH_BYTES) throw new MissingTile(tile)
  const count = 2 ** (height % TILE_HEIGHT)
  const place = first % TILE_WIDTH
  let row = Array.from({ length: count }, (_, at) => hashes.slice((place + at) * HASH_BYTES, (place + at + 1) * HASH_BYTES) as Hash)
  while (row.length > 1)
    row = Array.from({ length: row.length / 2 }, (_, at) => nodeHash(row[2 * at] as Hash, row[2 * at + 1] as Hash))
  return row[0] as Hash
}
