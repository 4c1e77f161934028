import type { Deadline } from '../../model/deadline.ts'
import { storeOverdue } from '../../model/failures.ts'
import { gzipLines } from '../../audit/verify/gzip-lines.ts'
import { segmentName, type Tile, TILE_WIDTH, tileName } from '../../audit/verify/layout.ts'
import { inclusionRanges } from '../../audit/verify/ranges.ts'
import { proofHashes } from '../../audit/verify/tile-proofs.ts'
import { proofText } from '../../audit/verify/tlog-proof.ts'
import type { StoredLog, TimedNote } from './stored-log.ts'

const HASH_BYTES = 32

/** An item of the audit table. */
export interface NamedItem {
  readonly lane: string
  readonly sequence: number
  /** Milliseconds since the epoch. */
  readonly time: number
}

/** A proof and the item that it is about. */
export interface ItemProof {
  /** The position of the item in the log, from 0. */
  readonly position: number
  /** The number of items in the tree that the proof is for. */
  readonly size: number
  /** A C2SP `.tlog-proof`. */
  readonly proof: string
  /** The signed checkpoint of that tree, which the proof contains. */
  readonly checkpoint: string
  /** The line of the item, which the proof is checked with. */
  readonly line: string
}

/**
 * Proves that an item is in the sealed log, against the checkpoint of its round.
 *
 * Two binary searches over the checkpoints find that round. If the item is not in it, the later rounds follow, one segment at a time.
 *
 * @param deadline none: the search goes on to the end of the log
 * @returns NOT_SEALED if no checkpoint includes the item yet
 * @throws StoreUnavailable
 */
export async function proveItem(
  log: StoredLog,
  { lane, sequence, time }: NamedItem,
  deadline?: Deadline,
): Promise<ItemProof | 'NOT_SEALED'> {
  // a checkpoint that includes the item is not earlier than the item, but for the difference of two clocks
  const since = await log.noteSince(Math.floor(time / 1_000) - 300)
  if (since === undefined) return 'NOT_SEALED'
  const prefix = `{"l":"${lane}","n":${sequence},`
  let start = (await log.noteBefore(since.size))?.size ?? 0
  for (let note: TimedNote | undefined = since; note !== undefined; note = await log.noteFrom(note.size + 1)) {
    if (deadline?.left === 0) throw storeOverdue()
    const found = await lineIn(log, segmentName(start, note.size), prefix)
    if (found !== undefined) {
      const index = start + found.place
      const ranges = inclusionRanges(index, { start: 0, end: note.size })
      const hashes = await proofHashes(ranges, note.size, (tile) => readTile(log, tile))
      const proof = proofText({ index, hashes, note: note.text })
      return { position: index, size: note.size, proof, checkpoint: note.text, line: `${found.line}\n` }
    }
    start = note.size
  }
  return 'NOT_SEALED'
}

/** A line by its beginning, with its place in the segment. */
async function lineIn(log: StoredLog, name: string, prefix: string): Promise<{ place: number; line: string } | undefined> {
  const segment = await log.open(name)
  if (segment === undefined) return undefined
  let place = 0
  for await (const lines of gzipLines(segment)) {
    for (const line of lines) {
      if (line.startsWith(prefix)) return { place, line }
      place++
    }
  }
  return undefined
}

/** A tile of the width that a tree of this size has, or the full one, which may have replaced it. */
async function readTile(log: StoredLog, tile: Tile): Promise<Uint8Array | undefined> {
  const hashes = (await log.read(tileName(tile))) ?? (await log.read(tileName({ ...tile, width: TILE_WIDTH })))
  return hashes?.subarray(0, tile.width * HASH_BYTES)
}
