import { openCheckpoint } from './checkpoint.ts'
import { parseCheckpointText } from './checkpoint-text.ts'
import type { LateItem, LogFinding } from './findings.ts'
import { HeadLedger } from './head-ledger.ts'
import { LaneLedger } from './lane-ledger.ts'
import { CHECKPOINTS, EXPORT_NAME, LATEST_NAME, noteName, noteSize, SEGMENTS, segmentRange, tenantOf } from './layout.ts'
import { verifyLocks } from './locks.ts'
import type { LogReport } from './log-report.ts'
import { type LogSource, readText, sortedNames } from './log-source.ts'
import { parseNote, splitNotes } from './note.ts'
import { statedTime } from './note-time.ts'
import { jobRunner, type LogTrust, type RunJob, type SegmentJob, type SegmentOutcome } from './segment-job.ts'
import type { LogPolicy } from './log-policy.ts'
import { addCounts, NOTHING_REPLAYED } from './replay-tally.ts'
import type { SegmentPlace } from './segment.ts'
import { TreeCheck } from './tree-check.ts'

/** The folder has no checkpoint of a log that the policy names: nothing can be verified. */
export class UnknownLog extends Error {
  override readonly name = 'UnknownLog'
}

export interface VerifyOptions {
  readonly policy: LogPolicy
  /** Checkpoints that the auditor kept: notes, one after the other. */
  readonly kept?: string
  /** Digests, in hex, of the policy locks that the auditor reviewed. Items under another lock are findings. */
  readonly reviewed?: ReadonlySet<string>
  /** Starts the workers. Absent: all work is done in this thread. */
  readonly runner?: (trust: LogTrust) => { readonly run: RunJob; readonly width: number }
  /** Called after each segment, with the positions that are done and the end. */
  readonly onProgress?: (done: number, end: number) => void
}

const MAX_FINDINGS = 10_000
const MAX_LATE = 1_000

/**
 * Verifies an export: every item, its chain, its position in the signed tree, its disclosures under the policy lock in force,
 * the registry of lanes and the policy locks. It reads segment by segment, so that memory does not grow with the log.
 *
 * @throws UnknownLog
 */
export async function verifyLog(source: LogSource, options: VerifyOptions): Promise<LogReport> {
  const trust = await trustOf(source, options.policy)
  const verification = new LogVerification(source, trust, options)
  return await verification.run()
}

/** The origin of the export, if the policy names it. */
async function trustOf(source: LogSource, policy: LogPolicy): Promise<LogTrust> {
  const latest = await readText(source, LATEST_NAME)
  if (latest === undefined && (await sortedNames(source, SEGMENTS)).length === 0) throw new UnknownLog('no log')
  const stated = latest === undefined ? undefined : parseCheckpointText(parseNote(latest)?.text ?? '')?.origin
  const origins = [...new Set(policy.logs.map(({ key }) => key.name))]
  const origin = origins.find((name) => name === stated) ?? (origins.length === 1 ? origins[0] : undefined)
  const tenant = origin === undefined ? undefined : tenantOf(origin)
  if (origin === undefined || tenant === undefined) throw new UnknownLog('no log of the policy')
  return { origin, tenant, policy }
}

class LogVerification {
  readonly #source: LogSource
  readonly #trust: LogTrust
  readonly #options: VerifyOptions
  readonly #findings: LogFinding[] = []
  readonly #late: LateItem[] = []
  readonly #locks = new Set<string>()
  readonly #heads: HeadLedger
  #findingCount = 0
  #lateCount = 0
  #records = 0
  #replay = NOTHING_REPLAYED
  #items = 0

  constructor(source: LogSource, trust: LogTrust, options: VerifyOptions) {
    this.#source = source
    this.#trust = trust
    this.#options = options
    this.#heads = new HeadLedger((finding) => this.#found(finding))
  }

  async run(): Promise<LogReport> {
    const places = this.#inOrder((await sortedNames(this.#source, SEGMENTS)).flatMap((name) => segmentOf(name) ?? []))
    const sizes = (await sortedNames(this.#source, CHECKPOINTS)).flatMap((name) => noteSize(name) ?? [])
    await this.#compareClaim(places)
    const start = places[0]?.start ?? 0
    const end = places.at(-1)?.end ?? 0
    await this.#openKept()
    for (const size of missingSizes(places, sizes)) this.#found({ kind: 'CHECKPOINT_MISSING', size })

    const tree = new TreeCheck(this.#source, end, (finding) => this.#found(finding))
    const times = new Map<number, number>()
    const jobs = jobsOf(this.#source, places, sizes, times)
    let lanes: LaneLedger | undefined
    let position = start
    for await (const { job, outcome } of this.#outcomes(jobs)) {
      const { segment } = job
      this.#heads.add(outcome.notes)
      lanes ??= await LaneLedger.open(this.#source, start === 0 ? undefined : (times.get(start) ?? 0) * 1_000, (finding) =>
        this.#found(finding),
      )
      if (segment === undefined) continue
      if (position === start || segment.start !== position) {
        const head = this.#heads.at(segment.start)
        if (await tree.beginAt(segment.start, head)) this.#heads.verified(head === undefined ? [] : [head])
      }
      position = segment.end
      if (outcome.segment === undefined) {
        this.#found({ kind: 'SEGMENT_MISSING', start: segment.start, end: segment.end })
        continue
      }
      this.#count(outcome.segment)
      for (const run of outcome.segment.lanes) lanes.add(run)
      this.#heads.verified(await tree.add(segment, outcome.segment, this.#heads.within(segment.start, segment.end)))
      if (segment.time !== undefined) await lanes.advanceTo(segment.time * 1_000)
      this.#options.onProgress?.(segment.end - start, end - start)
    }
    await tree.finish()
    await lanes?.finish()
    for (const finding of await verifyLocks(this.#source, this.#locks, this.#options.reviewed)) this.#found(finding)
    const latest = await readText(this.#source, LATEST_NAME)
    this.#heads.finish(end, latest === undefined ? undefined : await openCheckpoint(latest, this.#trust.origin, this.#trust.policy))
    return this.#report({ start, end }, new Set([...places.map((place) => place.end), ...sizes]).size, lanes?.count ?? 0)
  }

  /** Removes overlapping segments, and reports what is missing between segments. */
  #inOrder(segments: readonly (SegmentPlace & { name: string })[]): (SegmentPlace & { name: string })[] {
    const kept: (SegmentPlace & { name: string })[] = []
    for (const segment of segments) {
      const before = kept.at(-1)?.end ?? segment.start
      if (segment.start < before) this.#found({ kind: 'SEGMENT_OVERLAP', start: segment.start, end: segment.end })
      else kept.push(segment)
      if (segment.start > before) this.#found({ kind: 'SEGMENT_MISSING', start: before, end: segment.start })
    }
    return kept
  }

  /** Reports segments that the export claims to hold before its first one and after its last one. */
  async #compareClaim(places: readonly SegmentPlace[]): Promise<void> {
    const claim = claimIn(await readText(this.#source, EXPORT_NAME))
    if (claim === undefined) return
    const [first, last] = [places[0]?.start ?? claim.end, places.at(-1)?.end ?? claim.end]
    if (claim.start < first) this.#found({ kind: 'SEGMENT_MISSING', start: claim.start, end: first })
    if (last < claim.end) this.#found({ kind: 'SEGMENT_MISSING', start: last, end: claim.end })
  }

  async #openKept(): Promise<void> {
    for (const text of splitNotes(this.#options.kept ?? '')) {
      const opened = await openCheckpoint(text, this.#trust.origin, this.#trust.policy)
      if (opened.outcome === 'OPENED') this.#heads.keep(opened.checkpoint)
      else this.#heads.refuseKept(opened.reason)
    }
  }

  /** Runs the jobs, several at a time, and yields their outcomes in order. */
  async *#outcomes(jobs: AsyncIterable<SegmentJob>): AsyncGenerator<{ job: SegmentJob; outcome: SegmentOutcome }> {
    const { run, width } = this.#options.runner?.(this.#trust) ?? { run: jobRunner(this.#source, this.#trust), width: 1 }
    const running: { readonly job: SegmentJob; readonly outcome: Promise<SegmentOutcome> }[] = []
    for await (const job of jobs) {
      const outcome = run(job)
      // a failure surfaces when its turn comes
      outcome.catch(() => undefined)
      running.push({ job, outcome })
      const first = running.length > width ? running.shift() : undefined
      if (first !== undefined) yield { job: first.job, outcome: await first.outcome }
    }
    for (const { job, outcome } of running) yield { job, outcome: await outcome }
  }

  #count(segment: NonNullable<SegmentOutcome['segment']>): void {
    this.#records += segment.records
    this.#items += segment.items
    this.#replay = addCounts(this.#replay, segment.replay)
    this.#lateCount += segment.lateCount
    for (const digest of segment.locks) this.#locks.add(digest)
    for (const item of segment.late) if (this.#late.length < MAX_LATE) this.#late.push(item)
    for (const finding of segment.findings) this.#found(finding)
    this.#findingCount += segment.findingCount - segment.findings.length
  }

  #found(finding: LogFinding): void {
    this.#findingCount++
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push(finding)
  }

  #report({ start, end }: SegmentPlace, expected: number, lanes: number): LogReport {
    const { verified, unwitnessed, kept, signedLast } = this.#heads.summary()
    const known = new Set(this.#trust.policy.witnesses.map(({ key }) => key.name).filter((name) => name !== this.#trust.origin))
    const [from, to] = [this.#heads.at(start), this.#heads.at(end)]
    return {
      origin: this.#trust.origin,
      from: { size: start, ...(from !== undefined && { time: from.time }) },
      to: { size: end, ...(to !== undefined && { time: to.time }) },
      records: this.#records,
      items: this.#items,
      lanes,
      checkpoints: { verified, expected },
      unwitnessed,
      witnesses: { signed: [...known].filter((name) => signedLast.has(name)).length, known: known.size },
      kept,
      replay: this.#replay,
      late: { count: this.#lateCount, items: this.#late },
      findings: this.#findings,
      findingCount: this.#findingCount,
    }
  }
}

/** The positions that an export claims; undefined for a store, and for a malformed claim, which proves nothing either way. */
function claimIn(text: string | undefined): SegmentPlace | undefined {
  try {
    const { start, end } = JSON.parse(text ?? '') as { start?: unknown; end?: unknown }
    return typeof start === 'number' && typeof end === 'number' ? { start, end } : undefined
  } catch {
    return undefined
  }
}

function segmentOf(name: string): (SegmentPlace & { name: string }) | undefined {
  const range = segmentRange(name)
  return range && { ...range, name }
}

/** Sizes at which a segment ends, and the size at which the first one begins, without a checkpoint. */
function missingSizes(places: readonly SegmentPlace[], sizes: readonly number[]): number[] {
  const known = new Set(sizes)
  const start = places[0]?.start ?? 0
  return [...(start > 0 ? [start] : []), ...places.map(({ end }) => end)].filter((size) => !known.has(size))
}

/**
 * The steps of a verification, with the notes and the times that each needs.
 *
 * @param times is filled with the times of notes by size. They are read before the signatures are verified: a note that is refused later is a
 *   finding in any case
 */
async function* jobsOf(
  source: LogSource,
  places: readonly (SegmentPlace & { name: string })[],
  sizes: readonly number[],
  times: Map<number, number>,
): AsyncGenerator<SegmentJob> {
  let next = 0
  let timeBefore: number | undefined
  const read = async (upTo: number): Promise<{ size: number; text: string }[]> => {
    const notes: { size: number; text: string }[] = []
    for (let size = sizes[next]; size !== undefined && size <= upTo; size = sizes[++next])
      notes.push({ size, text: (await readText(source, noteName(size))) ?? '' })
    return notes
  }
  for (const place of places) {
    const before = await read(place.start)
    const within = await read(place.end)
    timeBefore = statedTime(before.at(-1)?.text) ?? timeBefore
    const time = statedTime(within.at(-1)?.text)
    if (timeBefore !== undefined) times.set(place.start, timeBefore)
    yield {
      segment: { ...place, ...(timeBefore !== undefined && { timeBefore }), ...(time !== undefined && { time }) },
      notes: [...before, ...within],
    }
    timeBefore = time ?? timeBefore
  }
  const rest = await read(Number.POSITIVE_INFINITY)
  if (rest.length > 0) yield { notes: rest }
}
