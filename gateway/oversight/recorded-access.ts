import type { AuditEntry } from '../audit/entry.ts'
import { compareItemPlaces, type ItemPlace } from '../audit/item-place.ts'

/**
 * A field-level record as an auditor reads it: the export form. `prev` and `hash` prove something only for a whole item. The indexes
 * return them, and the tables do not have them. The address of a record is `lane/sequence/index`.
 */
export type RecordedAccess = Omit<AuditEntry, 'prev' | 'hash'>

/** The place of a record in the order of a list: the latest time first, then lane, sequence and index, each ascending. */
export interface AccessPosition extends ItemPlace {
  readonly index: number
}

export const positionOf = ({ time, lane, sequence, index }: RecordedAccess): AccessPosition => ({
  time: Date.parse(time),
  lane,
  sequence,
  index,
})

/** Negative if `one` comes before `other` in a list. */
export const comparePositions = (one: AccessPosition, other: AccessPosition): number =>
  compareItemPlaces(one, other) || one.index - other.index

/** A page of a list. */
export interface AccessPage {
  /** In the order of `comparePositions`. A page can have fewer than were requested, and others after it. */
  readonly accesses: readonly RecordedAccess[]
  /** The number of field-level records that were read to find these. */
  readonly examined: number
  /** Where the next page begins: after this position. Undefined at the end of the list. */
  readonly next: AccessPosition | undefined
}

export interface PageRequest {
  readonly first: number
  readonly after?: AccessPosition
}
