import type { ExportItem } from '../exports/item-batches.ts'
import type { SealedItem } from '../tables/sealed-items.ts'
import { type Batch, batchOf, type Stream } from './batch.ts'
import { EventTooLarge } from './delivery-faults.ts'

/** The largest number of bytes in the lines of a batch. With the header, a batch fits into a record of Firehose (1,024,000 bytes). */
const MAX_BATCH_BYTES = 1_000_000

interface BatchForm {
  readonly stream: Stream
  /** The lines of an item. */
  readonly textOf: (item: ExportItem) => string
  readonly maxBytes?: number
}

/**
 * The batches of one segment, in the order of the log. Each takes as many whole items as fit. Where a batch ends therefore depends on the
 * segment and the form alone: a delivery that begins anew has the same batches.
 *
 * @param start the position where the segment begins
 * @throws EventTooLarge, and what `items` throws
 */
export async function* segmentBatches(
  items: AsyncIterable<SealedItem>,
  start: number,
  { stream, textOf, maxBytes = MAX_BATCH_BYTES }: BatchForm,
): AsyncGenerator<Batch> {
  let [from, next, bytes, lines]: [number, number, number, string[]] = [start, start, 0, []]
  const close = (): Batch => {
    const batch = batchOf(stream, { from, to: next, part: 1, parts: 1 }, lines)
    ;[from, bytes, lines] = [next, 0, []]
    return batch
  }
  for await (const item of items) {
    const own = linesOf(textOf(recordsOf(item)))
    const length = bytesOf(own)
    if (next > from && bytes + length > maxBytes) yield close()
    next = item.position + 1
    if (length <= maxBytes) {
      lines.push(...own)
      bytes += length
      continue
    }
    const parts = parted(own, maxBytes, item.position)
    for (const [at, part] of parts.entries())
      yield batchOf(stream, { from: item.position, to: next, part: at + 1, parts: parts.length }, part)
    from = next
  }
  if (next > from) yield close()
}

const recordsOf = ({ tenant, lane, sequence, records }: SealedItem): ExportItem =>
  // the text of the item was checked: the members are those of the export form
  records.map((record, at) => ({ ...record, tenant, lane, sequence, index: at + 1 })) as unknown as ExportItem

/** Each with its newline. */
const linesOf = (text: string): string[] => text.split(/(?<=\n)/)

const bytesOf = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + Buffer.byteLength(line), 0)

/** The lines of one item in as few parts as the size allows. @throws EventTooLarge */
function parted(lines: readonly string[], maxBytes: number, position: number): string[][] {
  const parts: string[][] = []
  let bytes = maxBytes
  for (const line of lines) {
    const length = Buffer.byteLength(line)
    if (length > maxBytes) throw new EventTooLarge(position)
    if (bytes + length > maxBytes) {
      parts.push([])
      bytes = 0
    }
    parts.at(-1)?.push(line)
    bytes += length
  }
  return parts
}
