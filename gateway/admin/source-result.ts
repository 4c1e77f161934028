import type { PatientId, RecordId } from '../model/ids.ts'
import type { WriteResult } from '../store/write-result.ts'

/** The result of writing resources. */
export interface SourceResult extends WriteResult {
  /** Resources of which the store has a newer version. */
  readonly outdated: readonly RecordId[]
  /** Patients that are closed, because their own resource or a consent was withdrawn or cannot be read. */
  readonly closed: readonly PatientId[]
  readonly refused: readonly RefusedResource[]
}

export interface RefusedResource {
  readonly id: RecordId
  /**
   * CONFLICT: two versions differ, and nothing orders them. REVIVAL: the source retracted the same text before. PATIENT: the patient was
   * not written. ENCOUNTER: its encounter is in the chart of another patient.
   */
  readonly why: 'CONFLICT' | 'REVIVAL' | 'PATIENT' | 'ENCOUNTER'
}

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
