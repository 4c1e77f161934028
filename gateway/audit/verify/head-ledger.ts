import type { CheckpointFault, openCheckpoint, SignedCheckpoint } from './checkpoint.ts'
import type { CheckpointFinding } from './findings.ts'
import type { NoteOutcome } from './segment-job.ts'
import { sameHash } from './tree.ts'
import type { ComparedHead } from './tree-check.ts'

/** The checkpoints of a verification: those of the export, by size, and those that the auditor kept. */
export class HeadLedger {
  readonly #report: (finding: CheckpointFinding) => void
  readonly #kept: ComparedHead[] = []
  /** Those of the segment at hand, and the one before. */
  #recent: ComparedHead[] = []
  #first: ComparedHead | undefined
  #last: (ComparedHead & Pick<Extract<NoteOutcome, { outcome: 'OPENED' }>, 'isWitnessed' | 'witnesses'>) | undefined
  #before: ComparedHead | undefined
  #verified = 0
  #verifiedKept = 0
  #refusedKept = 0
  readonly #unwitnessed = new Set<number>()

  constructor(report: (finding: CheckpointFinding) => void) {
    this.#report = report
  }

  /** Adds a checkpoint of the auditor, before those of the export. */
  keep(checkpoint: SignedCheckpoint): void {
    this.#kept.push({ ...checkpoint, source: 'KEPT' })
    this.#kept.sort((one, other) => one.size - other.size || one.time - other.time)
  }

  refuseKept(reason: CheckpointFault): void {
    this.#refusedKept++
    this.#report({ kind: 'CHECKPOINT', size: 0, reason, source: 'KEPT' })
  }

  /** Adds notes of the export, in the order of their sizes. */
  add(notes: readonly NoteOutcome[]): void {
    this.#recent = this.#recent.slice(-1)
    for (const note of notes) {
      if (note.outcome === 'REFUSED') {
        this.#report({ kind: 'CHECKPOINT', size: note.size, reason: note.reason })
        continue
      }
      const { checkpoint, isWitnessed, witnesses } = note
      const head: ComparedHead = { ...checkpoint, source: 'EXPORTED' }
      if (!isWitnessed) this.#unwitnessed.add(checkpoint.size)
      this.#compare(head)
      this.#recent.push(head)
      this.#first ??= head
      this.#last = { ...head, isWitnessed, witnesses }
    }
  }

  /** The checkpoint of a size, if it is one of the export's ends or of the segment at hand. */
  at(size: number): ComparedHead | undefined {
    return [...this.#recent, this.#first, this.#last].find((head) => head?.size === size)
  }

  /** All checkpoints of sizes from `start + 1` to `end`, by size. */
  within(start: number, end: number): ComparedHead[] {
    return [...this.#kept, ...this.#recent]
      .filter(({ size }) => size > start && size <= end)
      .sort((one, other) => one.size - other.size)
  }

  /** Counts checkpoints whose root is that of the items. One without the quorum proves nothing by itself. */
  verified(heads: readonly ComparedHead[]): void {
    for (const { source, size } of heads) {
      if (source === 'KEPT') this.#verifiedKept++
      else if (!this.#unwitnessed.has(size)) this.#verified++
    }
  }

  /**
   * Compares what is left after the last segment.
   *
   * @param end number of leaves with their items
   * @param latest the object `checkpoint`
   */
  finish(end: number, latest: Awaited<ReturnType<typeof openCheckpoint>> | undefined): void {
    for (const { size, source } of [...this.#kept, ...(this.#last === undefined ? [] : [this.#last])])
      if (size > end) this.#report({ kind: 'TRUNCATED', size, from: end, ...(source === 'KEPT' && { source }) })
    if (latest === undefined) this.#report({ kind: 'CHECKPOINT_MISSING', size: end })
    else if (latest.outcome === 'REFUSED') this.#report({ kind: 'CHECKPOINT', size: end, reason: latest.reason })
    else this.#compareLatest(latest.checkpoint, end)
    if (this.#last?.isWitnessed === false) this.#report({ kind: 'WITNESS', size: this.#last.size })
  }

  summary(): {
    readonly verified: number
    readonly unwitnessed: readonly number[]
    readonly kept: { readonly verified: number; readonly given: number }
    readonly signedLast: ReadonlySet<string>
  } {
    return {
      verified: this.#verified,
      unwitnessed: [...this.#unwitnessed],
      kept: { verified: this.#verifiedKept, given: this.#kept.length + this.#refusedKept },
      signedLast: new Set(this.#last?.witnesses),
    }
  }

  #compare(head: ComparedHead): void {
    const before = this.#before
    if (before !== undefined && head.time < before.time) this.#report({ kind: 'BACKWARDS', size: head.size })
    this.#before = head
    for (const kept of this.#kept) {
      if (kept.size === head.size) this.#compareSame(kept, head)
      else if (kept.size < head.size !== kept.time <= head.time && kept.time !== head.time)
        this.#report({ kind: 'BACKWARDS', size: Math.max(kept.size, head.size), source: 'KEPT' })
    }
  }

  #compareSame(one: SignedCheckpoint, { size, root, time }: ComparedHead): void {
    if (!sameHash(one.root, root)) this.#report({ kind: 'TWO_ROOTS', size })
    else if (one.time !== time) this.#report({ kind: 'TWO_TIMES', size })
  }

  #compareLatest(latest: SignedCheckpoint, end: number): void {
    const last = this.#last
    if (last === undefined) this.#report({ kind: 'CHECKPOINT_MISSING', size: latest.size })
    else if (latest.size === last.size) this.#compareSame(latest, last)
    else if (latest.size < last.size) this.#report({ kind: 'REPLAYED', size: latest.size })
    else this.#report({ kind: 'TRUNCATED', size: latest.size, from: end })
  }
}
