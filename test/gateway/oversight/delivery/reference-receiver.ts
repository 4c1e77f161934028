import { createHash } from 'node:crypto'
import * as z from 'zod'

const Header = z.strictObject({
  delivery: z.literal(1),
  stream: z.string(),
  receiver: z.string(),
  format: z.string(),
  identifiers: z.enum(['DIGESTS', 'PLAIN']),
  from: z.int().nonnegative(),
  to: z.int().nonnegative(),
  part: z.int().positive(),
  parts: z.int().positive(),
  lines: z.int().nonnegative(),
  sha256: z.string(),
  id: z.string().regex(/^[0-9a-f]{32}$/),
})
type Header = z.infer<typeof Header>

/** A batch is not as it was sent. */
class AlteredBatch extends Error {
  override readonly name = 'AlteredBatch'
}

/** Positions that a receiver misses: `from` to `to - 1`. */
interface Gap {
  readonly from: number
  readonly to: number
}

/**
 * A receiver of one stream, as `docs/siem-delivery.md` describes it. It knows nothing of the log: it sees gaps and repeats by the headers of
 * the batches that arrived.
 */
export class ReferenceReceiver {
  /** Batches that arrived more than once. */
  repeats = 0
  readonly headers: Header[] = []
  readonly #batches = new Map<string, { readonly header: Header; readonly lines: readonly string[] }>()
  /** Everything before it was sent. */
  #known = 0

  /** @param bytes a record of the stream, or a file */
  accept(bytes: Uint8Array): void {
    const [first = '', ...lines] = Buffer.from(bytes)
      .toString('utf8')
      .split(/(?<=\n)/)
    const header = Header.parse(JSON.parse(first))
    const sha256 = createHash('sha256').update(lines.join('')).digest('hex')
    if (sha256 !== header.sha256 || lines.length !== header.lines) throw new AlteredBatch()
    this.#known = Math.max(this.#known, header.to)
    this.headers.push(header)
    if (header.from === header.to) return
    if (this.#batches.has(header.id)) this.repeats++
    this.#batches.set(header.id, { header, lines })
  }

  /** Everything before this position was sent. */
  get known(): number {
    return this.#known
  }

  /** The positions that were sent, and did not arrive whole. */
  gaps(): Gap[] {
    const whole = [...Map.groupBy(this.#batches.values(), ({ header: { from, to } }) => `${from}-${to}`).values()]
      .filter((batches) => new Set(batches.map(({ header }) => header.part)).size === batches[0]?.header.parts)
      .flatMap(([batch]) => batch?.header ?? [])
      .toSorted((one, other) => one.from - other.from)
    const gaps: Gap[] = []
    let next = 0
    for (const { from, to } of [...whole, { from: this.#known, to: this.#known }]) {
      if (from > next) gaps.push({ from: next, to: from })
      next = Math.max(next, to)
    }
    return gaps
  }

  /** The lines of all batches, each batch once, in the order of the log. */
  lines(): string[] {
    const batches = [...this.#batches.values()].toSorted(
      ({ header: one }, { header: other }) => one.from - other.from || one.part - other.part,
    )
    return batches.flatMap(({ lines }) => lines)
  }
}
