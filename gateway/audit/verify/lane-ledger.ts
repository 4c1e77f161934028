import type { LogFinding } from './findings.ts'
import { CLOCK_TOLERANCE_MS, HOUR_MS, LINGER_MS } from './hour-limits.ts'
import { laneEnd } from './lane.ts'
import { HOURS, hourIn } from './layout.ts'
import { type LogSource, readText, sortedNames } from './log-source.ts'
import type { LaneRun } from './segment.ts'
import { Successions } from './successions.ts'

/** Lanes of a closed hour are read again after a day. Later, nothing of them is expected. */
const COMPARE_AFTER_MS = HOUR_MS + LINGER_MS + CLOCK_TOLERANCE_MS + 25 * HOUR_MS
/** A lane is forgotten after its hour was compared. */
const FORGET_AFTER_MS = COMPARE_AFTER_MS + 2 * HOUR_MS

interface LaneState {
  last: LaneRun['last']
  times: { first: number; last: number }
  isRegistered: boolean
  /** The largest number that a successor states as acknowledged. */
  declared: number
  /** Number of items. */
  count: number
}

/** The registry of one hour: `hours/<hour>.json`. */
interface HourLine {
  readonly lane: string
  /** The last sealed sequence when the hour was closed. */
  readonly last: number
}

/**
 * Compares the lanes of segments with each other and with the registry. Memory does not grow with the log: lanes are forgotten a day
 * after their hour.
 */
export class LaneLedger {
  readonly #source: LogSource
  readonly #report: (finding: LogFinding) => void
  /** Whether lanes may have items before the export. */
  readonly #isPartial: boolean
  /** When the export begins, in milliseconds since the epoch. */
  readonly #since: number
  readonly #lanes = new Map<string, LaneState>()
  /** Predecessors that no item is there of yet, with the number that their successor states. */
  readonly #awaited = new Map<string, number>()
  readonly #successions: Successions
  readonly #hours: string[]
  readonly #known: ReadonlySet<string>
  #count = 0
  #hasForgotten = false
  #forgotAt = 0

  private constructor(source: LogSource, hours: string[], since: number | undefined, report: (finding: LogFinding) => void) {
    this.#source = source
    this.#report = report
    this.#isPartial = since !== undefined
    this.#since = since ?? Number.NEGATIVE_INFINITY
    this.#successions = new Successions(report)
    this.#hours = hours
    this.#known = new Set(hours)
  }

  /** @param since when the export begins, in milliseconds since the epoch; undefined for one from the first item */
  static async open(source: LogSource, since: number | undefined, report: (finding: LogFinding) => void): Promise<LaneLedger> {
    const hours = (await sortedNames(source, HOURS)).flatMap((name) => hourIn(name) ?? [])
    return new LaneLedger(source, hours, since, report)
  }

  /** Number of lanes so far. */
  get count(): number {
    return this.#count
  }

  add({ lane, first, last, times, count }: LaneRun): void {
    const { sequence, prev, position, succeeds } = first
    const state = this.#lanes.get(lane)
    const after = state?.last.sequence ?? 0
    if (state === undefined) {
      this.#count++
      if (sequence > 1 && !this.#isPartial && !this.#hasForgotten) this.#report({ kind: 'GAP', lane, sequence, after: 0, position })
      const declared = this.#awaited.get(lane) ?? 0
      this.#awaited.delete(lane)
      this.#lanes.set(lane, { last, times: { ...times }, isRegistered: false, declared, count })
    } else {
      if (sequence <= after) this.#report({ kind: 'OUT_OF_ORDER', lane, sequence, position })
      else if (sequence > after + 1) this.#report({ kind: 'GAP', lane, sequence, after, position })
      else if (prev !== state.last.hash) this.#report({ kind: 'UNLINKED', lane, sequence, position })
      if (last.sequence > after) state.last = last
      state.count += count
      state.times.first = Math.min(state.times.first, times.first)
      state.times.last = Math.max(state.times.last, times.last)
    }
    const before = succeeds === undefined ? undefined : laneEnd(succeeds)
    if (before === undefined) return
    this.#successions.opened(lane, before)
    if (before.sequence > 0) this.#expect(before.lane, before.sequence)
  }

  /** Compares the hours that a log of this time has closed for good. @param time milliseconds since the epoch */
  async advanceTo(time: number): Promise<void> {
    for (;;) {
      const [hour] = this.#hours
      if (hour === undefined || startOf(hour) + COMPARE_AFTER_MS > time) break
      this.#hours.shift()
      await this.#compareHour(hour)
    }
    if (time - this.#forgotAt < HOUR_MS) return
    this.#forgotAt = time
    for (const [lane, state] of this.#lanes) {
      if (state.times.last + FORGET_AFTER_MS > time) continue
      this.#conclude(lane, state)
      this.#lanes.delete(lane)
      this.#hasForgotten = true
    }
    this.#successions.forget(FORGET_AFTER_MS, time)
  }

  async finish(): Promise<void> {
    for (const hour of this.#hours.splice(0)) await this.#compareHour(hour)
    for (const [lane, state] of this.#lanes) this.#conclude(lane, state)
    this.#successions.finish()
    if (this.#isPartial || this.#hasForgotten) return
    for (const [lane, declared] of this.#awaited) this.#report({ kind: 'LANE_MISSING', lane, declared })
  }

  #expect(lane: string, declared: number): void {
    const state = this.#lanes.get(lane)
    if (state === undefined) this.#awaited.set(lane, Math.max(declared, this.#awaited.get(lane) ?? 0))
    else state.declared = Math.max(declared, state.declared)
  }

  async #compareHour(hour: string): Promise<void> {
    const name = `${HOURS}${hour}.json`
    const lines = hourLines(await readText(this.#source, name), hour)
    if (lines === undefined) {
      this.#report({ kind: 'HOUR_FORM', name })
      return
    }
    const start = startOf(hour)
    for (const { lane, last } of lines) {
      const state = this.#lanes.get(lane)
      if (state === undefined) {
        if (last > 0 && start > this.#since) this.#report({ kind: 'LANE_MISSING', lane, declared: last })
        continue
      }
      const held = state.last.sequence
      if (held < last) this.#report({ kind: 'CUT_SHORT', lane, declared: last, held })
      const { first, last: latest } = state.times
      const isOfHour = first >= start - LINGER_MS - CLOCK_TOLERANCE_MS && latest < start + HOUR_MS + CLOCK_TOLERANCE_MS
      if (state.isRegistered || (!isOfHour && Number.isFinite(first))) this.#report({ kind: 'WRONG_HOUR', lane })
      state.isRegistered = true
    }
  }

  #conclude(lane: string, { last, times, isRegistered, declared, count }: LaneState): void {
    const held = last.sequence
    this.#successions.concluded(lane, { count, held })
    if (held < declared) this.#report({ kind: 'CUT_SHORT', lane, declared, held })
    if (isRegistered || !Number.isFinite(times.first)) return
    // the clock tolerance allows two hours: the registries of both must be there to miss the lane
    const hours = [times.first - CLOCK_TOLERANCE_MS, times.first + LINGER_MS + CLOCK_TOLERANCE_MS].map(hourOf)
    if (hours.every((hour) => this.#known.has(hour))) this.#report({ kind: 'UNREGISTERED', lane })
  }
}

const startOf = (hour: string): number => Date.parse(`${hour}:00:00.000Z`)
const hourOf = (time: number): string => new Date(time).toISOString().slice(0, 13)

/** The lanes of an hour, or undefined for a malformed registry. */
function hourLines(text: string | undefined, hour: string): readonly HourLine[] | undefined {
  try {
    const value = JSON.parse(text ?? '') as { hour?: unknown; lanes?: unknown }
    if (value.hour !== hour || !Array.isArray(value.lanes) || Number.isNaN(startOf(hour))) return undefined
    const lines = value.lanes as Partial<Record<keyof HourLine, unknown>>[]
    const isLine = ({ lane, last }: Partial<Record<keyof HourLine, unknown>>): boolean =>
      typeof lane === 'string' && Number.isSafeInteger(last) && Number(last) >= 0
    if (!lines.every(isLine) || new Set(lines.map(({ lane }) => lane)).size < lines.length) return undefined
    return lines as unknown as readonly HourLine[]
  } catch {
    return undefined
  }
}
