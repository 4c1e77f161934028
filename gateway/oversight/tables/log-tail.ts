import { open } from 'node:fs/promises'
import type { CheckpointTable } from '../../audit/notary/checkpoint-table.ts'
import { unsealedHours } from '../../audit/notary/hours.ts'
import type { LaneReader } from '../../audit/notary/lane-reader.ts'
import { itemFacts } from '../../audit/verify/item-facts.ts'
import { recordsOf } from '../../audit/verify/item-text.ts'
import { AuditLogUnavailable, Failure } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import type { Clock } from '../../model/record.ts'
import { itemLine, type ItemPlace } from './columns.ts'
import { MAX_RECORDS, SealedItems } from './sealed-items.ts'
import type { TimeSpan } from './time-span.ts'

/** The services that hold the log of one tenant. Each can have credentials for this tenant alone. */
export interface TailParts {
  readonly tenant: TenantId
  /** The sealed log. */
  readonly log: Pick<ObjectStore, 'get' | 'list'>
  readonly lanes: Pick<LaneReader, 'registry' | 'storedAfter'>
  readonly checkpoints: Pick<CheckpointTable, 'cursors' | 'sealedEnds' | 'spansFrom'>
  readonly now: Clock
}

/** The part of a log that its tables do not hold. */
export interface Tail {
  /** Number of items and of field-level records that were read. */
  readonly items: number
  readonly records: number
  /** Number of field-level records that were written: those of the span. */
  readonly rows: number
}

/**
 * The most items that a question reads beside the tables. Notary and tables run each minute, and a minute of a large clinic has 12,500
 * items. The alarms `notary-lag` and `tables-behind` are raised long before the tail is so long.
 */
const MAX_ITEMS = 40_000
/** Queries of lanes at a time. */
const READERS = 8
const BUFFERED = 1_048_576

/**
 * Reads the items of a log that are in no table: those of segments after the tables, and those of lanes that are in no segment.
 *
 * **No item is missed.** Take an item that was acknowledged before the question, of a lane of the hour H. It was registered with its lane.
 * The steps of `write` read in this order: (1) the size S of the tables, before; (2) the published size P; (3) the closed hours; (4) the
 * sealed ends and the registries of the hours that are not closed; (5) the spans that begin at P or later; (6) the lanes.
 *
 * - If the item was sealed before (4) read the end of its lane, or H was closed before (3), it has a position. Below S it is in the tables,
 *   below P in a segment, because a segment is stored before its checkpoint. From P on, its span was stored with its end or before the
 *   close, so (5) finds it, and (6) reads its lane from there on. Rounds begin at spans, so no span begins before P and ends after it.
 * - Otherwise H is open in (3), (4) finds its lane, and the sequence of the item is after the end: (6) reads it.
 *
 * **No item is read twice.** An item below S or P was sealed before (4), so its sequence is not after the end, and spans from P on begin
 * after it. Repeats within the tail are removed by lane and sequence.
 *
 * **Late items.** An item that is stored after its hour was closed is found when the notary seals it, which is one hour or one day after
 * the close (`docs/notary.md`, "Hours"). So is an item behind a gap of a lane of a closed hour.
 */
export class LogTail {
  readonly #parts: TailParts
  readonly #maxItems: number

  constructor(parts: TailParts, maxItems = MAX_ITEMS) {
    this.#parts = parts
    this.#maxItems = maxItems
  }

  /**
   * Writes the items of a span of time to a new file, as `itemLine` does.
   *
   * @param size of the tables, read before the call
   * @throws AuditLogUnavailable for a log that cannot be read, or a tail that is too long; StoreUnavailable
   */
  async write(size: number, span: TimeSpan, path: string): Promise<Tail> {
    try {
      return await this.#write(size, span, path)
    } catch (cause) {
      throw cause instanceof Failure ? cause : new AuditLogUnavailable({ cause })
    }
  }

  async #write(size: number, span: TimeSpan, path: string): Promise<Tail> {
    const { tenant, log } = this.#parts
    const sealed = new SealedItems(log, tenant)
    const published = await sealed.size()
    if (published < size || published - size > this.#maxItems) throw new AuditLogUnavailable()
    const starts = await this.#unpublished(published)
    const lines = await TailLines.create(tenant, span, path, this.#maxItems)
    try {
      for await (const segment of sealed.segments(size, published))
        for await (const { position, lane, sequence, time, records } of sealed.items(segment))
          await lines.add({ tenant, position, lane, sequence }, time, records)
      await this.#readLanes(starts, lines)
    } finally {
      await lines.close()
    }
    return lines
  }

  /** The lanes that hold items without a segment, each with the sequence before the first of them. */
  async #unpublished(published: number): Promise<ReadonlyMap<string, number>> {
    const { tenant, checkpoints, lanes, now } = this.#parts
    const hours = unsealedHours(now(), await checkpoints.cursors(tenant))
    if (hours === undefined) throw new AuditLogUnavailable()
    const read = await Promise.all(
      hours.map(async (hour) => {
        const [ends, registered] = await Promise.all([checkpoints.sealedEnds(tenant, hour), lanes.registry(tenant, hour)])
        return registered.map(({ lane }) => ({ lane, end: ends.get(lane)?.sequence ?? 0 }))
      }),
    )
    const starts = new Map<string, number>()
    // a lane that is registered in two hours is sealed up to the later end
    for (const { lane, end } of read.flat()) starts.set(lane, Math.max(end, starts.get(lane) ?? 0))
    for (const { lanes: ofSpan } of await checkpoints.spansFrom(tenant, published))
      for (const { lane, first } of ofSpan) starts.set(lane, Math.min(first - 1, starts.get(lane) ?? Number.MAX_SAFE_INTEGER))
    return starts
  }

  async #readLanes(starts: ReadonlyMap<string, number>, lines: TailLines): Promise<void> {
    const waiting = [...starts]
    const readNext = async (): Promise<void> => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [lane, start] = next
        // one more than fits: the line that does not fit is refused
        const stored = await this.#parts.lanes.storedAfter(this.#parts.tenant, lane, start, lines.left + 1)
        for (const { n, e } of stored) await lines.addText(lane, Number(n?.S), e?.S ?? '')
      }
    }
    await Promise.all(Array.from({ length: READERS }, readNext))
  }
}

/** The file of a tail. */
class TailLines implements Tail {
  items = 0
  records = 0
  rows = 0
  #text = ''
  #writing: Promise<unknown> = Promise.resolve()
  readonly #known = new Set<string>()
  readonly #tenant: TenantId
  readonly #span: TimeSpan
  readonly #file: Awaited<ReturnType<typeof open>>
  readonly #maxItems: number

  private constructor(tenant: TenantId, span: TimeSpan, file: Awaited<ReturnType<typeof open>>, maxItems: number) {
    this.#tenant = tenant
    this.#span = span
    this.#file = file
    this.#maxItems = maxItems
  }

  static async create(tenant: TenantId, span: TimeSpan, path: string, maxItems: number): Promise<TailLines> {
    return new TailLines(tenant, span, await open(path, 'wx', 0o600), maxItems)
  }

  /** The number of items that still fit. */
  get left(): number {
    return this.#maxItems - this.items
  }

  /** @throws AuditLogUnavailable for a text that is no item, as the tables refuse it too; TypeError */
  async addText(lane: string, sequence: number, text: string): Promise<void> {
    const facts = itemFacts(text)
    if (facts === undefined || facts.records > MAX_RECORDS) throw new AuditLogUnavailable()
    await this.add({ tenant: this.#tenant, lane, sequence }, facts.time, recordsOf(text))
  }

  /** @throws AuditLogUnavailable for one item too many; TypeError for an item that does not fit the columns */
  async add(place: ItemPlace, time: number, records: Parameters<typeof itemLine>[1]): Promise<void> {
    const address = `${place.lane}/${place.sequence}`
    if (this.#known.has(address)) return
    if (this.left <= 0) throw new AuditLogUnavailable()
    this.#known.add(address)
    this.items++
    this.records += records.length
    if (time < this.#span.from || time > this.#span.to) return
    this.rows += records.length
    this.#text += itemLine(place, records)
    if (this.#text.length >= BUFFERED) await this.#flush()
  }

  async close(): Promise<void> {
    try {
      await this.#flush()
    } finally {
      await this.#file.close()
    }
  }

  /** Several lanes are read at a time, and write one after the other. */
  async #flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    this.#writing = this.#writing.then(() => this.#file.appendFile(text))
    await this.#writing
  }
}
