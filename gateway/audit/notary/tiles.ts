import type { ObjectStore } from '../../model/object-store.ts'
import { type Hash, nodeHash } from '../verify/tree.ts'
import { inStore, TILE_WIDTH, tileName } from '../verify/layout.ts'

const HASH_BYTES = 32
/** Each entry of a bundle is a length of two bytes and the hash of an item. */
const ENTRY_BYTES = 2 + HASH_BYTES

/** The last level with a tile for a tree of 2^53 leaves. */
const MAX_LEVEL = 6

/**
 * Writes the tiles and the bundles of entries that the leaves from `start` on add to a tree. The tiles of the tree before are stored.
 * Each name has one content, so that a repetition writes nothing new.
 *
 * @param hashes of the items, 32 raw bytes each
 * @param leaves of the items, in the same order
 * @throws StoreUnavailable
 * @throws TypeError if a tile of the tree before is missing
 */
export async function writeTiles(
  store: ObjectStore,
  tenant: string,
  start: number,
  hashes: readonly Uint8Array[],
  leaves: readonly Hash[],
): Promise<void> {
  const entries = hashes.map((hash) => Buffer.concat([Buffer.of(0, HASH_BYTES), hash]))
  await writeLevel(store, tenant, 'entries', start, entries, ENTRY_BYTES)
  let [from, nodes] = [start, leaves]
  for (let level = 0; level <= MAX_LEVEL && nodes.length > 0; level++) {
    const full = await writeLevel(store, tenant, level, from, nodes, HASH_BYTES)
    ;[from, nodes] = [Math.floor(from / TILE_WIDTH), full]
  }
}

/** @returns the roots of the tiles that are now full */
async function writeLevel(
  store: ObjectStore,
  tenant: string,
  level: number | 'entries',
  start: number,
  added: readonly Uint8Array[],
  size: number,
): Promise<Hash[]> {
  const roots: Hash[] = []
  const writes: Promise<unknown>[] = []
  const width = start % TILE_WIDTH
  let index = Math.floor(start / TILE_WIDTH)
  const nameOf = (of: number): string => inStore(tenant, tileName({ level, index, width: of }))
  let row = width === 0 ? [] : await readRow(store, nameOf(width), width, size)
  for (let at = 0; at < added.length || row.length === TILE_WIDTH; ) {
    const taken = added.slice(at, at + TILE_WIDTH - row.length)
    row = [...row, ...taken]
    at += taken.length
    writes.push(store.put(nameOf(row.length), Buffer.concat(row), { onlyIf: 'ABSENT' }))
    if (row.length < TILE_WIDTH) break
    if (level !== 'entries') roots.push(tileRoot(row))
    row = []
    index++
  }
  await Promise.all(writes)
  return roots
}

async function readRow(store: ObjectStore, name: string, width: number, size: number): Promise<Uint8Array[]> {
  const stored = await store.get(name)
  if (stored?.bytes.length !== width * size) throw new TypeError('a tile of the log is missing')
  const { bytes } = stored
  return Array.from({ length: width }, (_, at) => bytes.slice(at * size, (at + 1) * size))
}

/** The root over a power of two of nodes. */
function tileRoot(nodes: readonly Hash[]): Hash {
  let row = nodes
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, at) => nodeHash(row[2 * at] as Hash, row[2 * at + 1] as Hash))
  }
  return row[0] as Hash
}
