import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { itemLine } from './columns.ts'
import type { SealedItem } from './sealed-items.ts'
import { MalformedSegment } from './table-faults.ts'

/** The rows of one Parquet file to be, as `itemLine` writes them. */
export interface TablePart {
  readonly lines: string
  readonly start: number
  readonly end: number
  readonly rows: number
  readonly sealed: readonly [number, number]
  readonly times: readonly [number, number]
}

export interface PartLimits {
  /** A part with this many rows, or bytes of lines, is full. It may exceed either by one item. */
  readonly rows: number
  readonly bytes: number
}

type OpenPart = { -readonly [Name in keyof TablePart]: TablePart[Name] } & { file: FileHandle; bytes: number; text: string }

const BUFFERED = 1_048_576

/** Divides items into parts. Each part has one bucket, such as an hour. */
export class TableParts {
  readonly done: TablePart[] = []
  #rows = 0
  #open: OpenPart | undefined
  #bucket = ''
  readonly #folder: string
  readonly #limits: PartLimits

  /** @param folder for the lines of the parts */
  constructor(folder: string, limits: PartLimits) {
    this.#folder = folder
    this.#limits = limits
  }

  /** Number of rows in all parts. */
  get rows(): number {
    return this.#rows
  }

  /**
   * @param sealed the time of the item's checkpoint, in seconds since the epoch
   * @throws MalformedSegment if a member has another type than its column
   */
  async add(item: SealedItem, sealed: number, bucket: string): Promise<void> {
    const line = lineOf(item)
    if (this.#open !== undefined && (bucket !== this.#bucket || this.#isFull(this.#open))) await this.close()
    const { position, time, records } = item
    this.#open ??= await this.#begin(position, sealed, time)
    this.#bucket = bucket
    const part = this.#open
    part.end = position + 1
    part.rows += records.length
    part.sealed = [part.sealed[0], sealed]
    part.times = [Math.min(part.times[0], time), Math.max(part.times[1], time)]
    part.text += line
    part.bytes += line.length
    this.#rows += records.length
    if (part.text.length >= BUFFERED) await flush(part)
  }

  /** Ends the open part. */
  async close(): Promise<void> {
    const part = this.#open
    if (part === undefined) return
    this.#open = undefined
    try {
      await flush(part)
    } finally {
      await part.file.close()
    }
    const { lines, start, end, rows, sealed, times } = part
    this.done.push({ lines, start, end, rows, sealed, times })
  }

  #isFull({ rows, bytes }: OpenPart): boolean {
    return rows >= this.#limits.rows || bytes >= this.#limits.bytes
  }

  async #begin(start: number, sealed: number, time: number): Promise<OpenPart> {
    const lines = join(this.#folder, `${start}.ndjson`)
    const file = await open(lines, 'wx', 0o600)
    return { lines, file, start, end: start, rows: 0, sealed: [sealed, sealed], times: [time, time], bytes: 0, text: '' }
  }
}

function lineOf({ records, ...place }: SealedItem): string {
  const { tenant, position, lane, sequence } = place
  try {
    return itemLine({ tenant, position, lane, sequence }, records)
  } catch (cause) {
    throw new MalformedSegment(position, { cause })
  }
}

async function flush(part: OpenPart): Promise<void> {
  await part.file.appendFile(part.text)
  part.text = ''
}
