import type { Checkpoint } from './checkpoint.ts'
import type { ChainedEntry } from './entry.ts'
import { recordLeaf } from './receipt.ts'
import { continues, type Span } from './span.ts'
import { appended, EMPTY, type Frontier, frontierRoot, sameHash } from './tree.ts'

export type SealFinding =
  | {
      /** SPAN_GAP: the span does not begin where the one before ends. SPAN_FORM: its lanes are not those that follow there. */
      readonly kind: 'SPAN_GAP' | 'SPAN_FORM'
      readonly start: number
    }
  | {
      /** Of the records from `first` to `last` that were sealed together, so many are not there. */
      readonly kind: 'SEALED_MISSING'
      readonly lane: string
      readonly first: number
      readonly last: number
      readonly missing: number
    }
  | {
      /** A checkpoint from long after the time of this record is without it. */
      readonly kind: 'LATE'
      readonly lane: string
      readonly sequence: number
    }
  | {
      /**
       * ROOT: the records are not those that were signed. TWO_ROOTS: two checkpoints differ over one size, so the notary lied to
       * somebody. BACKWARDS: a larger log was signed at an earlier time. SIZE: no span ends at the size that was signed.
       * SPAN_TIME: the span says another time than the checkpoint over it.
       */
      readonly kind: 'ROOT' | 'TWO_ROOTS' | 'BACKWARDS' | 'SIZE' | 'SPAN_TIME'
      readonly size: number
    }

export interface SealReport {
  /** Leaves whose records are there. */
  readonly sealed: number
  /** Records that no span holds: the notary has not come to them yet, or they were put in afterwards. */
  readonly unsealed: number
  readonly findings: readonly SealFinding[]
}

/** How much older than an earlier checkpoint a record may be, in seconds: what a notary that works each minute leaves open. */
const LATE_AFTER = 120

/**
 * Compares the records of one tenant with what was signed. That the records of each lane follow each other is for `verifyLanes`.
 *
 * @param entries all records of the tenant, in any order
 * @param spans all spans, from position 0
 * @param checkpoints verified ones, at least one: without a signature the spans are anybody's
 */
export function verifySeals(
  entries: readonly ChainedEntry[],
  spans: readonly Span[],
  checkpoints: readonly Checkpoint[],
): SealReport {
  const findings: SealFinding[] = compareHeads(checkpoints)
  const bySize = Map.groupBy(checkpoints, ({ size }) => size)
  const lanes = new Map([...Map.groupBy(entries, ({ lane }) => lane)].map(([lane, group]) => [lane, new LoadedSeals(group)]))
  const ends = new Map<string, number>()
  // undefined from the first leaf on that is not there: no root after it can be known
  let tree: Frontier | undefined = EMPTY
  let [position, sealed, before] = [0, 0, Number.NEGATIVE_INFINITY]

  const compare = (size: number, time: number | undefined): void => {
    for (const checkpoint of bySize.get(size) ?? []) {
      if (tree !== undefined && !sameHash(frontierRoot(tree), checkpoint.root)) findings.push({ kind: 'ROOT', size })
      if (time !== undefined && checkpoint.time !== time) findings.push({ kind: 'SPAN_TIME', size })
    }
    bySize.delete(size)
  }

  compare(0, undefined)
  for (const span of spans.toSorted((one, other) => one.start - other.start)) {
    const { start, end, time } = span
    if (start !== position) {
      findings.push({ kind: 'SPAN_GAP', start })
      tree = undefined
    }
    if (!continues(span, ends)) {
      findings.push({ kind: 'SPAN_FORM', start })
      break
    }
    for (const { lane, first, last } of span.lanes) {
      ends.set(lane, last)
      const held = lanes.get(lane)?.through(last) ?? []
      sealed += held.length
      const missing = last - first + 1 - held.length
      if (missing > 0) {
        findings.push({ kind: 'SEALED_MISSING', lane, first, last, missing })
        tree = undefined
      }
      for (const entry of held) {
        if (tree !== undefined) tree = appended(tree, recordLeaf(entry))
        if (Date.parse(entry.time) / 1000 + LATE_AFTER < before) findings.push({ kind: 'LATE', lane, sequence: entry.sequence })
      }
    }
    position = end
    before = time
    compare(end, time)
  }
  for (const size of bySize.keys()) findings.push({ kind: 'SIZE', size })
  const unsealed = [...lanes.values()].reduce((sum, { left }) => sum + left, 0)
  return { sealed, unsealed, findings }
}

/** The records of a lane, one for each sequence, taken from the first on. */
class LoadedSeals {
  readonly #entries: readonly ChainedEntry[]
  #taken = 0

  constructor(entries: readonly ChainedEntry[]) {
    const bySequence = new Map(entries.map((entry) => [entry.sequence, entry]))
    this.#entries = [...bySequence.values()].sort((one, other) => one.sequence - other.sequence)
  }

  get left(): number {
    return this.#entries.length - this.#taken
  }

  /** Those not taken yet up to a sequence. Never longer than what is there, whatever a span claims. */
  through(last: number): readonly ChainedEntry[] {
    const from = this.#taken
    while ((this.#entries[this.#taken]?.sequence ?? Number.POSITIVE_INFINITY) <= last) this.#taken++
    return this.#entries.slice(from, this.#taken)
  }
}

/**
 * What checkpoints of one log say of each other, without any record: never two roots for one size, never a larger log at an
 * earlier time. Whoever keeps old checkpoints can ask this of a new one.
 */
export function compareHeads(checkpoints: readonly Checkpoint[]): SealFinding[] {
  const findings: SealFinding[] = []
  let before: Checkpoint | undefined
  for (const checkpoint of checkpoints.toSorted((one, other) => one.size - other.size || one.time - other.time)) {
    const { size, root, time } = checkpoint
    if (before?.size === size && !sameHash(before.root, root)) findings.push({ kind: 'TWO_ROOTS', size })
    if (before !== undefined && before.size < size && time < before.time) findings.push({ kind: 'BACKWARDS', size })
    before = checkpoint
  }
  return findings
}
