import type { Clock } from '../../model/record.ts'
import type { Hour } from '../hour.ts'
import { NOTHING_BEFORE } from '../verify/item.ts'
import type { Span } from '../verify/span.ts'
import { appended } from '../verify/tree.ts'
import type { CheckpointTable } from './checkpoint-table.ts'
import type { Head } from './head.ts'
import type { LaneReader, RegisteredLane } from './lane-reader.ts'
import { type LaneEnd, type LaneFault, leafOf, type SealedItem } from './sealed-item.ts'

/** A transaction has 100 actions. Three are for the head, the span and the round. */
const MAX_LANES = 90
/** Queries at a time. */
const READERS = 32

/** A lane as a pass found it. `end` is its last sealed item. */
export interface LaneState extends RegisteredLane {
  readonly hour: Hour
  readonly end: LaneEnd
  /** The item after the end does not continue the lane. */
  readonly fault?: LaneFault
}

export interface SealResult {
  /** PARTIAL: more items are stored than a round takes. LOST: another notary sealed at the same time. */
  readonly outcome: 'COMPLETE' | 'PARTIAL' | 'LOST'
  readonly lanes: readonly LaneState[]
  /** The items that this call sealed, in the order of the tree. */
  readonly items: readonly SealedItem[]
  /** The start of the round with exactly these items; undefined if there is none, or an earlier pass sealed a part of it. */
  readonly round: number | undefined
}

interface LaneRead extends LaneState {
  readonly items: readonly SealedItem[]
}

/** Seals what the lanes of some hours hold: spans by compare-and-swap of the head, then one round over them. */
export class Sealer {
  readonly #table: CheckpointTable
  readonly #reader: LaneReader
  readonly #now: Clock
  readonly #maxItems: number

  /** @param maxItems of a round, about. It bounds the memory of the notary and the size of a segment */
  constructor(table: CheckpointTable, reader: LaneReader, now: Clock, maxItems: number) {
    this.#table = table
    this.#reader = reader
    this.#now = now
    this.#maxItems = maxItems
  }

  async seal(tenant: string, hours: readonly Hour[]): Promise<SealResult> {
    // first of all: if the head is unchanged at the end, so are the ends of lanes that are read after it
    const head = await this.#table.head(tenant)
    const { lanes, partial } = await this.#read(tenant, hours)
    const spans = spansOf(lanes.filter(({ items }) => items.length > 0))
    // without an item of ours, another notary can begin a round here
    const round = head.cut === head.frontier.size && spans.length > 0 ? head.cut : undefined
    let current = head
    for (const [at, part] of spans.entries()) {
      const last = at === spans.length - 1
      const after = this.#after(current, part, last)
      const sealed = await this.#table.seal(tenant, { before: current, after, ...sealingOf(current, after, part) })
      if (!sealed) return { outcome: 'LOST', lanes: [], items: [], round: undefined }
      current = after
    }
    if (current.cut < current.frontier.size) {
      // an earlier pass ended before its round did
      const after = { ...current, cut: current.frontier.size }
      const cut = await this.#table.seal(tenant, { before: current, after, span: undefined, ends: [] })
      if (!cut) return { outcome: 'LOST', lanes: [], items: [], round: undefined }
    }
    const items = spans.flat().flatMap((lane) => lane.items)
    const states = lanes.map(({ items: own, ...lane }) => ({ ...lane, end: own.at(-1) ?? lane.end }))
    return { outcome: partial ? 'PARTIAL' : 'COMPLETE', lanes: states, items, round }
  }

  /** The head after a span. Its time never decreases, whatever the clock shows. */
  #after(before: Head, lanes: readonly LaneRead[], endsRound: boolean): Head {
    const frontier = lanes.flatMap(({ items }) => items).reduce((tree, item) => appended(tree, leafOf(item)), before.frontier)
    const time = Math.max(before.time, Math.floor(this.#now() / 1_000))
    return { frontier, time, cut: endsRound ? frontier.size : before.cut }
  }

  /** The lanes of the hours by name, each with its items that are not sealed yet. */
  async #read(tenant: string, hours: readonly Hour[]): Promise<{ lanes: LaneRead[]; partial: boolean }> {
    const registered = await Promise.all(
      hours.map(async (hour) => {
        const [lanes, ends] = await Promise.all([this.#reader.registry(tenant, hour), this.#table.sealedEnds(tenant, hour)])
        return lanes.map((lane) => ({ ...lane, hour, end: ends.get(lane.lane) ?? { sequence: 0, hash: NOTHING_BEFORE } }))
      }),
    )
    // a forged registration must not seal a lane twice: its first hour counts
    const byName = new Map<string, LaneState>()
    for (const lane of registered.flat()) if (!byName.has(lane.lane)) byName.set(lane.lane, lane)
    const waiting = [...byName.values()].sort((one, other) => (one.lane < other.lane ? -1 : 1))
    const read: LaneRead[] = []
    let [next, count, partial] = [0, 0, false]
    const readNext = async (): Promise<void> => {
      for (let lane = waiting[next++]; lane !== undefined; lane = waiting[next++]) {
        if (count >= this.#maxItems) {
          partial = true
          return
        }
        const { items, fault } = await this.#reader.after(tenant, lane.lane, lane.end, this.#maxItems)
        count += items.length
        if (items.length >= this.#maxItems) partial = true
        read.push({ ...lane, items, ...(fault !== undefined && { fault }) })
      }
    }
    await Promise.all(Array.from({ length: READERS }, readNext))
    return { lanes: read.sort((one, other) => (one.lane < other.lane ? -1 : 1)), partial }
  }
}

function spansOf(lanes: readonly LaneRead[]): LaneRead[][] {
  const spans: LaneRead[][] = []
  for (let at = 0; at < lanes.length; at += MAX_LANES) spans.push(lanes.slice(at, at + MAX_LANES))
  return spans
}

function sealingOf(before: Head, after: Head, lanes: readonly LaneRead[]) {
  const span: Span = {
    start: before.frontier.size,
    end: after.frontier.size,
    time: after.time,
    lanes: lanes.map(({ lane, end, items }) => ({ lane, first: end.sequence + 1, last: end.sequence + items.length })),
  }
  const ends = lanes.map(({ lane, hour, end, items }) => {
    const { sequence, hash } = items.at(-1) ?? end
    return { lane, hour, sequence, hash }
  })
  return { span, ends }
}
