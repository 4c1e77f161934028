import { StoreUnavailable } from '../../model/failures.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import { consistencyRanges, type Range } from '../verify/ranges.ts'
import { type Hash, nodeHash } from '../verify/tree.ts'
import { TILE_WIDTH, tileName } from './layout.ts'
import { tileRoot } from './tiles.ts'

const HASH_BYTES = 32

/** Computes proofs about a tree from its tiles. */
export class TileHashes {
  readonly #objects: ObjectStore
  readonly #tenant: string
  readonly #size: number
  readonly #tiles = new Map<string, Promise<Uint8Array>>()

  /** @param size of the tree, for which a checkpoint was published: its partial tiles exist */
  constructor(objects: ObjectStore, tenant: string, size: number) {
    this.#objects = objects
    this.#tenant = tenant
    this.#size = size
  }

  /**
   * The proof that this tree begins with the tree of `earlier` leaves. Empty for 0 and for the same size.
   *
   * @throws StoreUnavailable
   */
  async consistency(earlier: number): Promise<Hash[]> {
    const ranges = earlier === 0 ? [] : consistencyRanges({ start: 0, end: earlier }, this.#size)
    return await Promise.all(ranges.map((range) => this.#root(range)))
  }

  async #root({ start, end }: Range): Promise<Hash> {
    const width = end - start
    let power = 1
    while (power * 2 <= width) power *= 2
    if (power < width) {
      const [left, right] = await Promise.all([
        this.#root({ start, end: start + power }),
        this.#root({ start: start + power, end }),
      ])
      return nodeHash(left, right)
    }
    // the highest level on which the range is a part of one tile
    let [level, unit] = [0, 1]
    while (unit * TILE_WIDTH <= width) [level, unit] = [level + 1, unit * TILE_WIDTH]
    const [first, count] = [start / unit, width / unit]
    const index = Math.floor(first / TILE_WIDTH)
    const tile = await this.#tile(level, index, Math.min(TILE_WIDTH, Math.floor(this.#size / unit) - index * TILE_WIDTH))
    const at = first % TILE_WIDTH
    return tileRoot(Array.from({ length: count }, (_, node) => tile.slice((at + node) * HASH_BYTES, (at + node + 1) * HASH_BYTES)))
  }

  #tile(level: number, index: number, width: number): Promise<Uint8Array> {
    const name = tileName(this.#tenant, level, index, width)
    const known = this.#tiles.get(name) ?? this.#read(name, width)
    this.#tiles.set(name, known)
    return known
  }

  async #read(name: string, width: number): Promise<Uint8Array> {
    const stored = await this.#objects.get(name)
    if (stored?.bytes.length !== width * HASH_BYTES) throw new StoreUnavailable()
    return stored.bytes
  }
}
