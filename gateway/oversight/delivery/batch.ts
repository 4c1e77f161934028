import { createHash } from 'node:crypto'

/** The part that all batches of one tenant to one receiver have in common. */
export interface Stream {
  /** The origin of the tenant's log, such as `phi.example.com/audit/riverside`. */
  readonly stream: string
  /** The name of the receiver. */
  readonly receiver: string
  readonly format: string
  readonly identifiers: 'DIGESTS' | 'PLAIN'
}

/** The place of a batch in its stream. */
export interface BatchPlace {
  /** The batch has all events of the items at the positions `from` to `to - 1` of the log. `from` equals `to` in a batch without events. */
  readonly from: number
  readonly to: number
  /** The lines of one large item take several batches, with the same `from` and `to`. From 1. */
  readonly part: number
  readonly parts: number
}

/** A batch: whole lines, of which the first is the header. It is sent as one record of a stream, or as one file. */
export interface Batch extends BatchPlace {
  readonly bytes: Uint8Array
}

/** The version of the header. */
const DELIVERY_FORMAT = 1
const ID_DIGITS = 32

/**
 * A batch of lines. Equal lines at equal positions have equal bytes, so that a batch that is sent again is the same one.
 *
 * @param lines each with its newline
 */
export function batchOf(stream: Stream, place: BatchPlace, lines: readonly string[]): Batch {
  const body = lines.join('')
  const sha256 = createHash('sha256').update(body).digest('hex')
  const { from, to, part, parts } = place
  const content = { delivery: DELIVERY_FORMAT, ...stream, from, to, part, parts, lines: lines.length, sha256 }
  const id = createHash('sha256')
    .update(`phi-gateway/delivery-batch/v1\n${JSON.stringify(content)}`)
    .digest('hex')
    .slice(0, ID_DIGITS)
  return { from, to, part, parts, bytes: Buffer.from(`${JSON.stringify({ ...content, id })}\n${body}`) }
}

/** A batch without events. It states that everything before a position was sent. */
export const positionBatch = (stream: Stream, position: number): Batch =>
  batchOf(stream, { from: position, to: position, part: 1, parts: 1 }, [])
