import { createHash } from 'node:crypto'
import { gzipLines, MalformedText } from '../../audit/verify/gzip-lines.ts'
import { itemFacts } from '../../audit/verify/item-facts.ts'
import { type RecordMembers, recordsOf } from '../../audit/verify/item-text.ts'
import { LATEST_NAME, noteName, positionText, segmentName, SEGMENTS, segmentRange } from '../../audit/verify/layout.ts'
import { statedTime } from '../../audit/verify/note-time.ts'
import { parseSegmentLine, type SegmentItem } from '../../audit/verify/segment-line.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import type { ItemPlace } from './columns.ts'
import { MalformedSegment, SegmentMissing } from './table-faults.ts'

/** The records of an item take two bytes each at least, and the writer's items have 24 KB. */
export const MAX_RECORDS = 65_536

/** The items at the positions `start` to `end - 1` of a log. */
interface Segment {
  readonly start: number
  readonly end: number
}

/** An item of the log with its records, in the order of `index`. */
export interface SealedItem extends Required<ItemPlace> {
  readonly records: readonly RecordMembers[]
  /** Milliseconds since the epoch. */
  readonly time: number
}

/**
 * Reads the sealed log of one tenant for its tables. The form and the hash of each item are checked, signatures and the tree are not:
 * nothing trusts a table for proof.
 */
export class SealedItems {
  readonly #objects: Pick<ObjectStore, 'get' | 'list'>
  readonly #tenant: string

  constructor(objects: Pick<ObjectStore, 'get' | 'list'>, tenant: string) {
    this.#objects = objects
    this.#tenant = tenant
  }

  /** The size of the latest checkpoint. @throws SegmentMissing if it has none */
  async size(): Promise<number> {
    const latest = await this.#objects.get(`${this.#tenant}/${LATEST_NAME}`)
    if (latest === undefined) return 0
    const [, line = ''] = Buffer.from(latest.bytes).toString('utf8').split('\n', 2)
    const size = /^(?:0|[1-9]\d{0,15})$/.test(line) ? Number(line) : Number.NaN
    if (!Number.isSafeInteger(size)) throw new SegmentMissing(0)
    return size
  }

  /**
   * The segments from a position on, each of which begins where the one before ends.
   *
   * @param start where a segment begins
   * @param end where one ends
   * @throws SegmentMissing for a gap or an overlap
   */
  async *segments(start: number, end: number): AsyncGenerator<Segment> {
    const own = `${this.#tenant}/`
    let next = start
    if (next === end) return
    for await (const name of this.#objects.list(own + SEGMENTS, `${own}${SEGMENTS}${positionText(start)}`)) {
      const range = segmentRange(name.slice(own.length))
      if (range?.start !== next || range.end > end) throw new SegmentMissing(next)
      yield range
      next = range.end
      if (next === end) return
    }
    throw new SegmentMissing(next)
  }

  /** The time of the checkpoint of a size, in seconds since the epoch. @throws SegmentMissing */
  async sealedAt(size: number): Promise<number> {
    const note = await this.#objects.get(`${this.#tenant}/${noteName(size)}`)
    const time = note && statedTime(Buffer.from(note.bytes).toString('utf8'))
    if (time === undefined) throw new SegmentMissing(size)
    return time
  }

  /** @throws MalformedSegment for the first line that is no valid item; SegmentMissing */
  async *items({ start, end }: Segment): AsyncGenerator<SealedItem> {
    const segment = await this.#objects.get(`${this.#tenant}/${segmentName(start, end)}`)
    if (segment === undefined) throw new SegmentMissing(start)
    let position = start
    try {
      for await (const lines of gzipLines(new Blob([new Uint8Array(segment.bytes)]).stream()))
        for (const line of lines) {
          if (position === end) throw new MalformedSegment(position)
          yield this.#item(line, position++)
        }
    } catch (cause) {
      if (!(cause instanceof MalformedText)) throw cause
      throw new MalformedSegment(position, { cause })
    }
    if (position !== end) throw new MalformedSegment(position)
  }

  #item(line: string, position: number): SealedItem {
    const item = parseSegmentLine(line)
    const facts = item && itemFacts(item.text)
    if (item === undefined || facts === undefined || facts.records > MAX_RECORDS || this.#hashOf(item) !== item.hash)
      throw new MalformedSegment(position)
    const { lane, sequence } = item
    try {
      return { tenant: this.#tenant, position, lane, sequence, records: recordsOf(item.text), time: facts.time }
    } catch (cause) {
      throw new MalformedSegment(position, { cause })
    }
  }

  /** As `chainHash`, over the exact text. */
  #hashOf({ lane, sequence, prev, text }: SegmentItem): string {
    return createHash('sha256').update(prev, 'hex').update(`${this.#tenant}#${lane}/${sequence}\n${text}`, 'utf8').digest('hex')
  }
}
