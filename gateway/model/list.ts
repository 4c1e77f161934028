import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef } from './ids.ts'

/** A position in a list. Lists are ordered newest first, and by id for equal dates. */
export interface ListPosition {
  /** ISO 8601 in UTC with milliseconds, so that text order is time order. Empty for a record without a date, which comes last. */
  readonly date: string
  readonly id: RecordId
}

/** The filter of a list. Each part is a read of the field that it filters by (P11). */
export interface ListFilter {
  /**
   * Milliseconds since the epoch; `since` is inclusive, `until` is exclusive: the end of the argument's day, month or year. A record with
   * a partial date passes if any part of its day, month or year is between them.
   */
  readonly since?: number
  readonly until?: number
  readonly code?: string
  readonly category?: string
}

/** The features of a listed record that decide whether it is closed to a caller. A source gives all that it knows. */
export interface ListedRecord {
  readonly id: RecordId
  /** The sensitivities of the record. */
  readonly labels: readonly string[]
  readonly encounter?: RecordId
  /** The FHIR identity of the author. */
  readonly author?: string
}

/** The reason for which a list omits a record. */
export type ClosedBy = 'CONSENT' | 'RELATIONSHIP'

/** A closed record that an answer omits. The version is 0 if it is unknown. */
export interface LeftOut {
  readonly ref: RecordRef
  readonly version: number
  readonly reason: ClosedBy
}

/** Decides which records a list omits. */
export interface ListClosure {
  /**
   * Whether records without labels can be closed too. It follows from the caller and the patient's consents, never from a record. A
   * source then reads the whole list, so that the length of the read does not depend on closed records.
   */
  readonly closesUnlabeled: boolean
  /** The reason for which a record is closed to the caller; undefined if it is open. */
  closedBy(record: ListedRecord): ClosedBy | undefined
}

/** A request for a page of one patient's records of one type. */
export interface ListRequest {
  readonly patient: PatientId
  readonly type: TypeName
  /** The maximum number of records, 1 to `MAX_PAGE`. */
  readonly size: number
  readonly after?: ListPosition
  readonly filter: ListFilter
  /** The page omits closed records. */
  readonly closure: ListClosure
}

/** The records of a page, in order. A source throws if it cannot list all of them. */
export interface ListedPage {
  readonly items: readonly { readonly position: ListPosition; readonly version: number }[]
  /** The closed records that the page omits, up to its end. They are for the audit only. */
  readonly leftOut: readonly { readonly id: RecordId; readonly version: number; readonly reason: ClosedBy }[]
  /** Whether the list continues after this page. */
  readonly more: boolean
}

/** The maximum number of records on a page of any list. */
export const MAX_PAGE = 100

/** The maximum number of candidates that a search compares for one value. Only records that the caller may find are candidates. */
export const MAX_CANDIDATES = 50

/** The maximum number of records in a tenant that share a searched value. A more frequent value is not an identifier. */
export const MAX_LISTED = 500

/** Compares for `sort`: negative if `a` comes before `b`. */
export function newestFirst(a: ListPosition, b: ListPosition): number {
  if (a.date !== b.date) return a.date > b.date ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
