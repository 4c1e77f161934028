import { type CheckpointFault, openCheckpoint, type SignedCheckpoint } from './checkpoint.ts'
import type { LogPolicy } from './log-policy.ts'
import type { LogSource } from './log-source.ts'
import { ReplayLocks } from './replay-locks.ts'
import { type SegmentPlace, type SegmentReport, verifySegment } from './segment.ts'

/** The work of one step: a segment, and the notes of sizes up to its end. */
export interface SegmentJob {
  /** Absent for notes behind the last segment. */
  readonly segment?: SegmentPlace & { readonly name: string }
  readonly notes: readonly ExportedNote[]
}

/** A note with the size in its name. */
interface ExportedNote {
  readonly size: number
  readonly text: string
}

export type NoteOutcome = { readonly size: number } & (
  | {
      readonly outcome: 'OPENED'
      readonly checkpoint: SignedCheckpoint
      readonly isWitnessed: boolean
      /** Names of the known witnesses that signed. */
      readonly witnesses: readonly string[]
    }
  | { readonly outcome: 'REFUSED'; readonly reason: CheckpointFault | 'NAME' }
)

export interface SegmentOutcome {
  /** Undefined if there is no segment. */
  readonly segment: SegmentReport | undefined
  readonly notes: readonly NoteOutcome[]
}

/** Does the work of a step. All of it is independent of other steps, so that several workers can share a log. */
export type RunJob = (job: SegmentJob) => Promise<SegmentOutcome>

/** The names and keys that every step needs. */
export interface LogTrust {
  readonly origin: string
  readonly tenant: string
  readonly policy: LogPolicy
}

/** Does steps in this thread. */
export function jobRunner(source: LogSource, trust: LogTrust): RunJob {
  const locks = new ReplayLocks(source)
  return async ({ segment, notes }) => {
    const stream = segment && (await source.open(segment.name))
    return {
      segment: segment && stream && (await verifySegment(stream, trust.tenant, segment, locks)),
      notes: await Promise.all(notes.map((note) => openNote(note, trust))),
    }
  }
}

async function openNote({ size, text }: ExportedNote, { origin, policy }: LogTrust): Promise<NoteOutcome> {
  const opened = await openCheckpoint(text, origin, policy)
  if (opened.outcome === 'REFUSED') return { size, ...opened }
  const { checkpoint, isWitnessed, cosignatures } = opened
  if (checkpoint.size !== size) return { size, outcome: 'REFUSED', reason: 'NAME' }
  return { size, outcome: 'OPENED', checkpoint, isWitnessed, witnesses: cosignatures.map(({ witness }) => witness) }
}
