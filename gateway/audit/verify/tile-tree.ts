import { sha256 } from '@noble/hashes/sha2.js'
import { partialTiles, TILE_WIDTH, type Tile } from './layout.ts'
import { emptyRoot, type Hash } from './tree.ts'

const HASH_BYTES = 32
const TILE_HEIGHT = 8

/** Complete subtrees, from left to right. Their heights decrease. */
interface Node {
  readonly height: number
  readonly hash: Hash
}

/** Reads the hashes of a tile: `width` times 32 bytes. Returns undefined for a tile that is absent. */
export type ReadTile = (tile: Tile) => Promise<Uint8Array | undefined>

/** A tile that the read of a tree needs and that is absent. */
export class MissingTile extends Error {
  override readonly name = 'MissingTile'
  readonly tile: Tile
  constructor(tile: Tile) {
    super('a tile is missing')
    this.tile = tile
  }
}

/**
 * A tree that grows by a leaf at a time, with the tiles along its right edge.
 *
 * @source C2SP tlog-tiles, "Merkle Tree"
 */
export class TileTree {
  #size = 0
  #nodes: Node[] = []
  readonly #tiles: Uint8Array<ArrayBuffer>[] = []
  readonly #pair = new Uint8Array(1 + 2 * HASH_BYTES).fill(1, 0, 1)
  readonly #leaf = new Uint8Array(1 + HASH_BYTES)

  /**
   * The tree of a size, by its tiles. Nothing proves yet that it is the signed one: compare its root.
   *
   * @throws MissingTile
   */
  static async read(size: number, readTile: ReadTile): Promise<TileTree> {
    const tree = new TileTree()
    const edge = partialTiles(size)
    // the tiles of higher levels are to the left
    for (const tile of edge.toReversed()) {
      const hashes = await readTile(tile)
      if (hashes === undefined) throw new MissingTile(tile)
      for (let at = 0; at < tile.width; at++)
        tree.#push(tile.level * TILE_HEIGHT, hashes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES))
      tree.#tile(tile.level).set(hashes.subarray(0, tile.width * HASH_BYTES))
    }
    tree.#size = size
    return tree
  }

  get size(): number {
    return this.#size
  }

  /**
   * Adds the leaf of an item.
   *
   * @param itemHash 32 bytes
   * @returns the tiles that became full, from level 0
   */
  append(itemHash: Uint8Array): (Tile & { readonly hashes: Uint8Array })[] {
    this.#leaf.set(itemHash, 1)
    const leaf = sha256(this.#leaf)
    const at = this.#size++
    const full: (Tile & { readonly hashes: Uint8Array })[] = []
    for (const [level, hash] of [leaf, ...this.#push(0, leaf)].entries()) {
      const position = Math.floor(at / TILE_WIDTH ** level)
      const place = position % TILE_WIDTH
      const hashes = this.#tile(level)
      hashes.set(hash, place * HASH_BYTES)
      if (place === TILE_WIDTH - 1)
        full.push({ level, index: Math.floor(position / TILE_WIDTH), width: TILE_WIDTH, hashes: hashes.slice() })
    }
    return full
  }

  /** The tiles along the right edge: those that are not full and not empty, from level 0. */
  partial(): (Tile & { readonly hashes: Uint8Array })[] {
    return partialTiles(this.#size).map((tile) => ({
      ...tile,
      hashes: this.#tile(tile.level).slice(0, tile.width * HASH_BYTES),
    }))
  }

  root(): Hash {
    const last = this.#nodes.at(-1)
    if (last === undefined) return emptyRoot()
    return this.#nodes.slice(0, -1).reduceRight((right, { hash }) => this.#parent(hash, right), last.hash)
  }

  #tile(level: number): Uint8Array<ArrayBuffer> {
    while (this.#tiles.length <= level) this.#tiles.push(new Uint8Array(TILE_WIDTH * HASH_BYTES))
    return this.#tiles[level] as Uint8Array<ArrayBuffer>
  }

  /** @returns the roots of the tiles that became full, from level 0 */
  #push(height: number, hash: Hash): Hash[] {
    const roots: Hash[] = []
    let node: Node = { height, hash }
    for (let left = this.#nodes.at(-1); left?.height === node.height; left = this.#nodes.at(-1)) {
      this.#nodes.pop()
      node = { height: node.height + 1, hash: this.#parent(left.hash, node.hash) }
      if (node.height % TILE_HEIGHT === 0) roots.push(node.hash)
    }
    this.#nodes.push(node)
    return roots
  }

  #parent(left: Hash, right: Hash): Hash {
    this.#pair.set(left, 1)
    this.#pair.set(right, 1 + HASH_BYTES)
    return sha256(this.#pair)
  }
}
