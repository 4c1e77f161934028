import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import type { GapFinding, ItemFinding, LateItem, ReplayFinding, SegmentFinding } from './findings.ts'
import { gzipLines, MalformedText } from './gzip-lines.ts'
import { CLOCK_TOLERANCE_MS, LINGER_MS } from './hour-limits.ts'
import { NOTHING_BEFORE } from './item.ts'
import { laneEnd } from './lane.ts'
import { itemFacts } from './item-facts.ts'
import { base64urlBytes } from './member-forms.ts'
import type { ReplayLocks } from './replay-locks.ts'
import { type ReplayCounts, ReplayTally } from './replay-tally.ts'
import { parseSegmentLine, type SegmentItem } from './segment-line.ts'

const HASH_BYTES = 32
/** An item has the time of its first record, and is stored at most this long after it, in milliseconds. */
const LATE_AFTER_MS = LINGER_MS + CLOCK_TOLERANCE_MS
/** Findings of one segment at most. More of them are counted only. */
const MAX_FINDINGS = 1_000

/** The items at the positions `start` to `end - 1`. */
export interface SegmentPlace {
  readonly start: number
  readonly end: number
  /** The times of the checkpoints at `start` and at `end`, in seconds since the epoch; absent if there is no such checkpoint. */
  readonly timeBefore?: number
  readonly time?: number
}

/** The part of a lane that a segment holds. */
export interface LaneRun {
  readonly lane: string
  readonly first: { readonly sequence: number; readonly prev: string; readonly position: number; readonly succeeds?: string }
  readonly last: { readonly sequence: number; readonly hash: string }
  /** Milliseconds since the epoch. */
  readonly times: { readonly first: number; readonly last: number }
  readonly count: number
}

export interface SegmentReport {
  /** The hashes of the items, 32 bytes each, in the order of the lines. */
  readonly hashes: Uint8Array<ArrayBuffer>
  readonly items: number
  /** Number of field-level records. */
  readonly records: number
  readonly lanes: readonly LaneRun[]
  /** Lines that follow each other in lane and sequence: from the line at `at`, from 0. */
  readonly runs: readonly { readonly at: number; readonly lane: string; readonly sequence: number }[]
  /** Digests of the policy locks that the items name, in hex. */
  readonly locks: readonly string[]
  readonly replay: ReplayCounts
  /** The first of them, and the number of all. */
  readonly late: readonly LateItem[]
  readonly lateCount: number
  readonly findings: readonly FindingOfSegment[]
  readonly findingCount: number
}

type FindingOfSegment = ItemFinding | ReplayFinding | GapFinding | SegmentFinding

interface OpenLane {
  first: LaneRun['first']
  last: LaneRun['last']
  times: { first: number; last: number }
  count: number
}

/**
 * Checks the items of one segment by themselves: form, hash, and chain within the segment. The caller compares the lanes with those of
 * other segments, and the hashes with the signed tree. Replays each disclosure under the policy lock of its item.
 *
 * @param tenant of the log
 */
export async function verifySegment(
  compressed: ReadableStream<Uint8Array<ArrayBuffer>>,
  tenant: string,
  place: SegmentPlace,
  locks: ReplayLocks,
): Promise<SegmentReport> {
  const check = new SegmentCheck(tenant, place, locks)
  try {
    for await (const lines of gzipLines(compressed)) {
      for (const line of lines) {
        const replayed = check.line(line)
        if (replayed !== undefined) await replayed
      }
    }
  } catch (error) {
    if (!(error instanceof MalformedText)) throw error
    check.isMalformed()
  }
  return check.report()
}

class SegmentCheck {
  readonly #tenant: string
  readonly #place: SegmentPlace
  readonly #lanes = new Map<string, OpenLane>()
  readonly #runs: { at: number; lane: string; sequence: number }[] = []
  readonly #locks = new Set<string>()
  readonly #late: LateItem[] = []
  readonly #findings: FindingOfSegment[] = []
  readonly #policies: ReplayLocks
  readonly #replay = new ReplayTally((finding) => this.#found(finding))
  readonly #encoder = new TextEncoder()
  #buffer = new Uint8Array(65_536)
  #hashes: Uint8Array<ArrayBuffer>
  #items = 0
  #lines = 0
  #records = 0
  #lateCount = 0
  #findingCount = 0
  #malformed: number | undefined
  #next: { lane: string; sequence: number } | undefined

  constructor(tenant: string, place: SegmentPlace, policies: ReplayLocks) {
    this.#tenant = tenant
    this.#place = place
    this.#policies = policies
    // the name of a segment can claim any number of items
    this.#hashes = new Uint8Array(Math.min(place.end - place.start, 65_536) * HASH_BYTES)
  }

  /** @returns a promise if the policy lock of the item is not loaded yet. Await it before the next line */
  line(line: string): Promise<void> | undefined {
    this.#lines++
    const item = parseSegmentLine(line)
    if (item !== undefined) return this.#item(item)
    this.isMalformed()
    return undefined
  }

  /** The line at hand is no item, or the bytes after it are no line. */
  isMalformed(): void {
    this.#malformed ??= Math.max(1, this.#lines)
  }

  report(): SegmentReport {
    const { start, end } = this.#place
    if (this.#malformed !== undefined || this.#items !== end - start) {
      this.#found({
        kind: 'SEGMENT_FORM',
        start,
        end,
        ...(this.#malformed !== undefined && { line: this.#malformed }),
        ...(this.#items !== end - start && { count: this.#items }),
      })
    }
    return {
      hashes: this.#hashes.slice(0, this.#items * HASH_BYTES),
      items: this.#items,
      records: this.#records,
      lanes: [...this.#lanes].map(([lane, run]) => ({ lane, ...run })),
      runs: this.#runs,
      locks: [...this.#locks].map((digest) => bytesToHex(base64urlBytes(digest))),
      replay: this.#replay.counts(),
      late: this.#late,
      lateCount: this.#lateCount,
      findings: this.#findings,
      findingCount: this.#findingCount,
    }
  }

  #item(item: SegmentItem): Promise<void> | undefined {
    const { lane, sequence, hash, text } = item
    const position = this.#place.start + this.#items
    if (this.#next?.lane !== lane || this.#next.sequence !== sequence) this.#runs.push({ at: this.#items, lane, sequence })
    this.#next = { lane, sequence: sequence + 1 }
    this.#keep(hash)
    const faulty = (kind: ItemFinding['kind']): void => this.#found({ kind, lane, sequence, position })

    if (this.#hashOf(item) !== hash) faulty('ALTERED')
    const facts = itemFacts(text)
    if (facts === undefined) faulty('FORMAT')
    else {
      this.#records += facts.records
      this.#locks.add(facts.policy)
      this.#compareTime(item, facts.time)
      if (facts.succeeds !== undefined && (sequence !== 1 || laneEnd(facts.succeeds) === undefined)) faulty('STRAY_SUCCESSION')
    }
    this.#chain(item, position, facts)
    return facts && this.#disclosures(facts, { lane, sequence, position })
  }

  #disclosures(
    { policy, content }: NonNullable<ReturnType<typeof itemFacts>>,
    place: Pick<ItemFinding, 'lane' | 'sequence' | 'position'>,
  ): Promise<void> | undefined {
    const replay = this.#policies.replayUnder(policy)
    if (replay instanceof Promise) return replay.then((loaded) => this.#replay.item(loaded, policy, content, place))
    this.#replay.item(replay, policy, content, place)
    return undefined
  }

  #chain({ lane, sequence, prev, hash }: SegmentItem, position: number, facts: ReturnType<typeof itemFacts>): void {
    const times = facts === undefined ? undefined : { first: facts.time, last: facts.time }
    const open = this.#lanes.get(lane)
    if (open === undefined) {
      if (sequence === 1 && prev !== NOTHING_BEFORE) this.#found({ kind: 'UNLINKED', lane, sequence, position })
      const succeeds = sequence === 1 ? facts?.succeeds : undefined
      this.#lanes.set(lane, {
        first: { sequence, prev, position, ...(succeeds !== undefined && { succeeds }) },
        last: { sequence, hash },
        times: times ?? { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY },
        count: 1,
      })
      return
    }
    open.count++
    if (times !== undefined) {
      open.times.first = Math.min(open.times.first, times.first)
      open.times.last = Math.max(open.times.last, times.last)
    }
    if (sequence <= open.last.sequence) {
      this.#found({ kind: 'OUT_OF_ORDER', lane, sequence, position })
      return
    }
    if (sequence !== open.last.sequence + 1) this.#found({ kind: 'GAP', lane, sequence, after: open.last.sequence, position })
    else if (prev !== open.last.hash) this.#found({ kind: 'UNLINKED', lane, sequence, position })
    open.last = { sequence, hash }
  }

  #compareTime({ lane, sequence }: SegmentItem, time: number): void {
    const { timeBefore, time: sealedAt } = this.#place
    if (timeBefore === undefined || time + LATE_AFTER_MS >= timeBefore * 1_000) return
    this.#lateCount++
    const delay = Math.floor((sealedAt ?? timeBefore) - time / 1_000)
    if (this.#late.length < MAX_FINDINGS) this.#late.push({ lane, sequence, delay })
  }

  /** As `chainHash`, over the exact text. */
  #hashOf({ lane, sequence, prev, text }: SegmentItem): string {
    const place = `${this.#tenant}#${lane}/${sequence}\n`
    // a character of UTF-16 has at most 3 bytes in UTF-8
    const most = HASH_BYTES + (place.length + text.length) * 3
    if (this.#buffer.length < most) this.#buffer = new Uint8Array(most * 2)
    this.#buffer.set(hexToBytes(prev))
    const { written } = this.#encoder.encodeInto(place + text, this.#buffer.subarray(HASH_BYTES))
    return bytesToHex(sha256(this.#buffer.subarray(0, HASH_BYTES + written)))
  }

  #keep(hash: string): void {
    const at = this.#items++ * HASH_BYTES
    if (at >= this.#hashes.length) {
      const longer = new Uint8Array(2 * this.#hashes.length)
      longer.set(this.#hashes)
      this.#hashes = longer
    }
    this.#hashes.set(hexToBytes(hash), at)
  }

  #found(finding: FindingOfSegment): void {
    this.#findingCount++
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(finding)
  }
}
