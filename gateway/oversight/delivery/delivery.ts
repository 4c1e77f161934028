import type { TenantId } from '../../model/ids.ts'
import type { ObjectStore } from '../../model/object-store.ts'
import type { Clock } from '../../model/record.ts'
import type { ExportItem } from '../exports/item-batches.ts'
import { StoredLog } from '../log/stored-log.ts'
import { SealedItems } from '../tables/sealed-items.ts'
import { type Batch, positionBatch, type Stream } from './batch.ts'
import { PositionBeyondLog, SinkUnavailable } from './delivery-faults.ts'
import { type Position, Positions, type StoredPosition } from './positions.ts'
import { segmentBatches } from './segment-batches.ts'
import type { Sink } from './sink.ts'

/** A step ends with the first batch that brings it to one of these numbers. A step has one write of the position. */
const STEP_BYTES = 3_000_000
const STEP_BATCHES = 500
/** A receiver that hears nothing for longer has lost a batch, or the delivery does not run. */
const SILENCE_MS = 900_000

export interface DeliveryParts {
  readonly tenant: TenantId
  /** The sealed log. It is only read. */
  readonly log: ObjectStore
  readonly positions: Pick<ObjectStore, 'get' | 'put'>
  readonly stream: Stream
  /** The lines of an item, for this receiver. */
  readonly textOf: (item: ExportItem) => string
  readonly sink: Sink
  readonly now: Clock
  readonly maxBatchBytes?: number
}

/** The result of a step. */
export interface DeliveryStep {
  /** MORE: the log goes on. DONE: all sealed items are delivered. OVERTAKEN: another process moved the position first. */
  readonly step: 'MORE' | 'DONE' | 'OVERTAKEN'
  readonly items: number
  readonly batches: number
}

/** How far a delivery is behind the log. */
export interface DeliveryStatus {
  /** The number of items that are delivered, and of all sealed ones. */
  readonly delivered: number
  readonly sealed: number
  /** How long the oldest item that is not delivered has been sealed, in seconds. */
  readonly lag: number
}

interface PlacedBatch {
  readonly batch: Batch
  /** The position after the batch. The parts of an item move it together. */
  readonly after: Pick<Position, 'position' | 'segment'>
}

/**
 * The delivery of one tenant's sealed log to one receiver.
 *
 * A step sends batches, and moves the position when they are acknowledged. A process that ends anywhere leaves a position before which every
 * event was acknowledged, and the next step sends the same batches again. Of two processes, one moves the position.
 */
export class Delivery {
  readonly #parts: DeliveryParts
  readonly #log: SealedItems
  readonly #positions: Positions

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#log = new SealedItems(parts.log, parts.tenant)
    this.#positions = new Positions(parts.positions, parts.tenant, parts.stream.receiver)
  }

  /**
   * Sends the next batches.
   *
   * @param until no call to the sink begins after this time, in milliseconds since the epoch
   * @throws SinkUnavailable, EventTooLarge, PositionBeyondLog, PositionUnreadable, MalformedSegment, SegmentMissing, StoreUnavailable
   */
  async step(until: number): Promise<DeliveryStep> {
    const stored = await this.#positions.read()
    const sealed = await this.#log.size()
    if (stored.position > sealed) throw new PositionBeyondLog()
    if (stored.position === sealed) return await this.#stateQuietly(stored, until)
    const group = await this.#group(stored, sealed)
    const { acknowledged, cause } = await this.#send(group, until)
    const after = group[acknowledged - 1]?.after
    const isMoved = after === undefined || (await this.#positions.move(stored, { ...after, sentAt: this.#parts.now() }))
    if (acknowledged < group.length) throw new SinkUnavailable({ cause })
    if (!isMoved) return { step: 'OVERTAKEN', items: 0, batches: group.length }
    const position = after?.position ?? stored.position
    return { step: position < sealed ? 'MORE' : 'DONE', items: position - stored.position, batches: group.length }
  }

  /**
   * Sends batches again, without moving the position: those of the items from `from` to `to`, and of other items in the same batches.
   *
   * @param to at most, and by default, the delivered position
   * @param until when the attempts of a call to the sink end, asked before each one
   * @throws as `step`
   */
  async redeliver(
    from: number,
    to: number | undefined,
    until: () => number,
  ): Promise<{ readonly items: number; readonly batches: number }> {
    const { position } = await this.#positions.read()
    const end = Math.min(to ?? position, position)
    if (from >= end) return { items: 0, batches: 0 }
    const note = await new StoredLog(this.#parts.log, this.#parts.tenant).noteBefore(from + 1)
    let at: Pick<Position, 'position' | 'segment'> = { position: from, segment: note?.size ?? 0 }
    let [first, batches] = [from, 0]
    while (at.position < end) {
      const group = await this.#group(at, position, end)
      const { acknowledged, cause } = await this.#send(group, until())
      if (acknowledged < group.length) throw new SinkUnavailable({ cause })
      if (batches === 0) first = group[0]?.batch.from ?? from
      batches += group.length
      at = group.at(-1)?.after ?? { position: end, segment: end }
    }
    return { items: at.position - first, batches }
  }

  /** @throws as `step`, except those of a sink */
  async status(): Promise<DeliveryStatus> {
    const { position: delivered, segment } = await this.#positions.read()
    const sealed = await this.#log.size()
    if (delivered > sealed) throw new PositionBeyondLog()
    if (delivered === sealed) return { delivered, sealed, lag: 0 }
    let lag = 0
    for await (const { end } of this.#log.segments(segment, sealed)) {
      lag = Math.max(0, Math.floor(this.#parts.now() / 1_000) - (await this.#log.sealedAt(end)))
      break
    }
    return { delivered, sealed, lag }
  }

  /** Nothing is left to send. A receiver that heard nothing for a while gets the position, so that it can miss the last batch too. */
  async #stateQuietly(stored: StoredPosition, until: number): Promise<DeliveryStep> {
    const { now, stream, sink, tenant } = this.#parts
    const { position, segment, sentAt } = stored
    const done: DeliveryStep = { step: 'DONE', items: 0, batches: 0 }
    if (position === 0 || sentAt + SILENCE_MS > now()) return done
    const { acknowledged, cause } = await sink.send(tenant, [positionBatch(stream, position)], until)
    if (acknowledged === 0) throw new SinkUnavailable({ cause })
    // another process may have stated it, or moved it on: both are well
    await this.#positions.move(stored, { position, segment, sentAt: now() })
    return { ...done, batches: 1 }
  }

  async #send(group: readonly PlacedBatch[], until: number) {
    const { sink, tenant } = this.#parts
    return await sink.send(
      tenant,
      group.map(({ batch }) => batch),
      until,
    )
  }

  /** The batches from a position on, until the step is full, all sealed items are in it, or a batch begins at `end`. */
  async #group(from: Pick<Position, 'position' | 'segment'>, sealed: number, end = sealed): Promise<PlacedBatch[]> {
    const { stream, textOf, maxBatchBytes } = this.#parts
    const form = { stream, textOf, ...(maxBatchBytes !== undefined && { maxBytes: maxBatchBytes }) }
    const group: PlacedBatch[] = []
    let bytes = 0
    for await (const segment of this.#log.segments(from.segment, sealed))
      for await (const batch of segmentBatches(this.#log.items(segment), segment.start, form)) {
        if (batch.to <= from.position) continue
        if (batch.from >= end) return group
        const position = batch.part === batch.parts ? batch.to : batch.from
        group.push({ batch, after: { position, segment: position === segment.end ? position : segment.start } })
        bytes += batch.bytes.length
        const isFull = bytes >= STEP_BYTES || group.length >= STEP_BATCHES
        // the parts of an item move the position together, so they are in one step
        if (isFull && batch.part === batch.parts) return group
      }
    return group
  }
}
