import type { PatientId, RecordId } from './ids.ts'

/** Numbers of records by result. */
export interface WriteCounts {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  /** Records that left their chart. Absent if there is none. */
  readonly removed?: number
  /** Records that moved from the chart of another patient. Absent if there is none. */
  readonly moved?: number
}

/** The result of writing one patient. */
export interface WriteResult extends WriteCounts {
  /** The records that were found unchanged, as `Type#id`. */
  readonly unchangedRecords: ReadonlySet<string>
  /** Whether a membership or a consent changed. */
  readonly accessChanged: boolean
}

/** The result of writing resources of a source. */
export interface SourceResult extends WriteResult {
  /** Resources of which the store has a newer version. */
  readonly outdated: readonly RecordId[]
  /** Patients that are closed, because their own resource or a consent was withdrawn or cannot be read. */
  readonly closed: readonly PatientId[]
  readonly refused: readonly RefusedResource[]
}

/** A resource that the store refused. */
export interface RefusedResource {
  readonly id: RecordId
  /**
   * CONFLICT: two versions differ, and nothing orders them. REVIVAL: the source retracted the same text before. PATIENT: the patient was
   * not written. ENCOUNTER: its encounter is in the chart of another patient.
   */
  readonly why: 'CONFLICT' | 'REVIVAL' | 'PATIENT' | 'ENCOUNTER'
}

/** The result of a write that changes nothing. */
export const NO_CHANGES: SourceResult = {
  created: 0,
  updated: 0,
  unchanged: 0,
  unchangedRecords: new Set(),
  accessChanged: false,
  outdated: [],
  closed: [],
  refused: [],
}

export function sumOf(one: SourceResult, other: SourceResult): SourceResult {
  const sum = (name: 'removed' | 'moved') => (one[name] ?? 0) + (other[name] ?? 0)
  const named = (['removed', 'moved'] as const).filter((name) => sum(name) > 0)
  return {
    created: one.created + other.created,
    updated: one.updated + other.updated,
    unchanged: one.unchanged + other.unchanged,
    ...Object.fromEntries(named.map((name) => [name, sum(name)])),
    unchangedRecords: new Set([...one.unchangedRecords, ...other.unchangedRecords]),
    accessChanged: one.accessChanged || other.accessChanged,
    outdated: [...one.outdated, ...other.outdated],
    closed: [...one.closed, ...other.closed],
    refused: [...one.refused, ...other.refused],
  }
}
