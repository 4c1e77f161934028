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
  readonly lanes: Pick<LaneReader, 'continued' | 'registry' | 'storedAfter'>
  readonly checkpoints: Pick<CheckpointTable, 'cursors' | 'faults' | 'sealedEnds' | 'spansFrom'>
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
 * The steps of `write` read in this order: (1) the size S of the tables, before; (2) the published size P; (3) the closed hours, then the
 * lanes with a fault; (4) the sealed ends and the registries of the hours that are open, that the notary will read again, or that have a
 * lane with a fault; then the items directly after these ends, in lanes of closed hours; (5) the spans that begin at P or later; (6) the
 * lanes that are open, have a fault, or go on after their ends.
 *
 * - If the item was sealed before (4) read the end of its lane, it has a position. Below S it is in the tables, below P in a segment,
 *   because a segment is stored before its checkpoint. From P on, its span was stored with its end, so (5) finds it, and (6) reads its
 *   lane from there on. Rounds begin at spans, so no span begins before P and ends after it.
 * - Otherwise (4) finds its lane, and the sequence of the item is after the end. If H is open, (6) reads the lane. If H is closed, the item
 *   came late, or it is behind a fault. The lane of a late item has an item directly after the end, and the notary noted a fault
 *   before it closed H: (6) reads the lane in both cases.
 *
 * **No item is read twice.** An item below S or P was sealed before (4), so its sequence is not after the end, and spans from P on begin
 * after it. Repeats within the tail are removed by lane and sequence.
 *
 * **The bound.** The notary reads the lanes of an hour for the last time a day after the close. This reader does so until then. No item is
 * later on AWS: DynamoDB refuses the signature of a writer whose clock is wrong by more than the tolerance (`writeClient`).
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
    const faults = await checkpoints.faults(tenant)
    const open = new Set(hours.open)
    const read = await Promise.all(
      [...new Set([...open, ...hours.closed, ...faults.values()])].map(async (hour) => {
        const [ends, registered] = await Promise.all([checkpoints.sealedEnds(tenant, hour), lanes.registry(tenant, hour)])
        return registered.map(({ lane }) => ({
          lane,
          end: ends.get(lane)?.sequence ?? 0,
          grows: open.has(hour) || faults.has(lane),
        }))
      }),
    )
    const [starts, ended] = [new Map<string, number>(), new Map<string, number>()]
    const growing = new Set(read.flat().flatMap(({ lane, grows }) => (grows ? [lane] : [])))
    for (const { lane, end } of read.flat()) {
      const known = growing.has(lane) ? starts : ended
      // a lane that is registered in two hours is sealed up to the later end
      known.set(lane, Math.max(end, known.get(lane) ?? 0))
    }
    for (const lane of await lanes.continued(tenant, ended)) starts.set(lane, ended.get(lane) ?? 0)
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
