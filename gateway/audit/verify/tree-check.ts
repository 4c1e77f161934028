import type { SignedCheckpoint } from './checkpoint.ts'
import type { LogFinding } from './findings.ts'
import { TILE_WIDTH, type Tile, tileName } from './layout.ts'
import type { LogSource } from './log-source.ts'
import type { SegmentPlace, SegmentReport } from './segment.ts'
import { MissingTile, TileTree } from './tile-tree.ts'
import { leafHash, sameHash } from './tree.ts'

const HASH_BYTES = 32

/** A checkpoint to compare with the items. */
export interface ComparedHead extends SignedCheckpoint {
  /** KEPT: of the auditor. EXPORTED: of the export. */
  readonly source: 'KEPT' | 'EXPORTED'
}

/**
 * Compares the items, in the order of their positions, with the signed roots and with the tiles.
 *
 * If the items are not the signed ones, the tiles name the first item that differs, as far as the tiles are the signed ones. The check
 * then goes on from the tiles, so that one alteration is one finding.
 */
export class TreeCheck {
  readonly #source: LogSource
  readonly #end: number
  readonly #report: (finding: LogFinding) => void
  /** Undefined while nothing is known about the tree. */
  #tree: TileTree | undefined = new TileTree()
  /** Up to here the leaves of the tree are those of a signed root. */
  #verified = 0
  /** Full tiles that differ from the tree, until a root shows which one is right. */
  #differing: string[] = []

  /** @param end the size of the tree after the last segment */
  constructor(source: LogSource, end: number, report: (finding: LogFinding) => void) {
    this.#source = source
    this.#end = end
    this.#report = report
  }

  /**
   * Begins at a position, or goes on from there after missing segments.
   *
   * @param head the checkpoint of this size, if there is one
   * @returns whether the tiles have its root
   */
  async beginAt(start: number, head: ComparedHead | undefined): Promise<boolean> {
    if (this.#tree?.size === start && start > 0) return true
    this.#tree = start === 0 ? new TileTree() : await this.#read(start)
    if (head !== undefined && this.#tree !== undefined && !sameHash(this.#tree.root(), head.root)) {
      this.#report({ kind: 'ROOT', size: start, from: this.#verified })
      this.#tree = undefined
    }
    this.#verified = start
    return this.#tree !== undefined && head !== undefined
  }

  /**
   * Adds the items of a segment.
   *
   * @param heads those of a size from `start + 1` to `end`, by size
   * @returns the heads whose root is that of the items
   */
  async add({ start, end }: SegmentPlace, segment: SegmentReport, heads: readonly ComparedHead[]): Promise<ComparedHead[]> {
    const isWhole = segment.items === end - start
    const verified: ComparedHead[] = []
    const failed: ComparedHead[] = []
    if (this.#tree !== undefined && isWhole) {
      for (const size of new Set([...heads.map((head) => head.size), end])) {
        await this.#append(segment.hashes.subarray((this.#tree.size - start) * HASH_BYTES, (size - start) * HASH_BYTES))
        const root = this.#tree.root()
        for (const head of heads) if (head.size === size) (sameHash(root, head.root) ? verified : failed).push(head)
      }
      if (failed.length === 0) {
        if (heads.some(({ size }) => size === end)) this.#confirm(end)
        return verified
      }
    } else {
      failed.push(...heads)
    }
    return [...verified, ...(await this.#diagnose(start, end, segment, failed, isWhole))]
  }

  /** Compares the tiles along the right edge of the last tree. */
  async finish(): Promise<void> {
    if (this.#tree === undefined || this.#verified !== this.#tree.size) return
    for (const { hashes, ...tile } of this.#tree.partial()) {
      const stored = await this.#tile(tile)
      if (stored === undefined) this.#report({ kind: 'TILE_MISSING', name: tileName(tile) })
      else if (!sameHash(stored, hashes)) this.#report({ kind: 'TILE_ALTERED', name: tileName(tile) })
    }
  }

  async #append(hashes: Uint8Array): Promise<void> {
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      for (const { hashes: own, ...tile } of this.#tree?.append(hashes.subarray(at, at + HASH_BYTES)) ?? []) {
        const stored = await this.#source.read(tileName(tile))
        if (stored === undefined) this.#report({ kind: 'TILE_MISSING', name: tileName(tile) })
        else if (!sameHash(stored, own)) this.#differing.push(tileName(tile))
      }
    }
  }

  /** A signed root shows that the items are right, so that tiles that differ are not. */
  #confirm(size: number): void {
    for (const name of this.#differing.splice(0)) this.#report({ kind: 'TILE_ALTERED', name })
    this.#verified = size
  }

  async #diagnose(
    start: number,
    end: number,
    segment: SegmentReport,
    failed: readonly ComparedHead[],
    isWhole: boolean,
  ): Promise<ComparedHead[]> {
    const from = this.#verified
    this.#differing = []
    const signed = failed.find((head) => head.size === end && head.source === 'EXPORTED') ?? failed.find(({ size }) => size === end)
    const tiles = signed === undefined ? undefined : await this.#read(end)
    if (signed === undefined || tiles === undefined || !sameHash(tiles.root(), signed.root)) {
      for (const head of failed)
        this.#report({ kind: 'ROOT', size: head.size, from, ...(head.source === 'KEPT' && { source: head.source }) })
      if (!isWhole) this.#tree = undefined
      return []
    }
    await this.#nameFirst(start, end, segment)
    this.#tree = tiles
    this.#verified = end
    // the tiles are the signed ones: a kept checkpoint of another root shows a fork before
    for (const head of failed) {
      const tree = head.size === end ? tiles : await this.#read(head.size)
      if (tree === undefined || !sameHash(tree.root(), head.root))
        this.#report({ kind: 'ROOT', size: head.size, from, ...(head.source === 'KEPT' && { source: head.source }) })
    }
    return []
  }

  /** Reports the first item of a segment that is not the one in the tiles. */
  async #nameFirst(start: number, end: number, { hashes, items, runs }: SegmentReport): Promise<void> {
    let tile: Uint8Array | undefined
    for (let position = start; position < Math.min(end, start + items); position++) {
      const place = position % TILE_WIDTH
      const index = Math.floor(position / TILE_WIDTH)
      if (tile === undefined || place === 0)
        tile = await this.#tile({ level: 0, index, width: Math.min(TILE_WIDTH, end - index * TILE_WIDTH) })
      const at = (position - start) * HASH_BYTES
      const leaf = leafHash(hashes.subarray(at, at + HASH_BYTES))
      if (tile === undefined || sameHash(leaf, tile.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES))) continue
      const run = runs.findLast((one) => one.at <= position - start)
      if (run === undefined) return
      this.#report({ kind: 'REPLACED', lane: run.lane, sequence: run.sequence + position - start - run.at, position })
      return
    }
  }

  async #read(size: number): Promise<TileTree | undefined> {
    try {
      return await TileTree.read(size, (tile) => this.#tile(tile))
    } catch (error) {
      if (!(error instanceof MissingTile)) throw error
      this.#report({ kind: 'TILE_MISSING', name: tileName(error.tile) })
      return undefined
    }
  }

  /** The hashes of a tile, from the tile itself or from a wider one of the same place. */
  async #tile({ level, index, width }: Tile): Promise<Uint8Array | undefined> {
    const atEnd = Math.floor(this.#end / TILE_WIDTH ** level) - index * TILE_WIDTH
    const widths = [width, ...(atEnd > width && atEnd < TILE_WIDTH ? [atEnd] : []), TILE_WIDTH]
    for (const wider of new Set(widths)) {
      const hashes = await this.#source.read(tileName({ level, index, width: wider }))
      if (hashes?.length === wider * HASH_BYTES) return hashes.subarray(0, width * HASH_BYTES)
    }
    return undefined
  }
}
