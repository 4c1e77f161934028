import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from './ids.ts'

/** A position in a list. Lists are ordered newest first, and by id for equal dates. */
export interface ListPosition {
  /** ISO 8601 in UTC with milliseconds, so that text order is time order. Empty for a record without a date, which comes last. */
  readonly date: string
  readonly id: RecordId
}

/** The filter of a list. Each part is a read of the field that it filters by (P11). */
export interface ListFilter {
  /** Milliseconds since the epoch; `since` is inclusive, `until` is exclusive. */
  readonly since?: number
  readonly until?: number
  readonly code?: string
  readonly category?: string
}

/** A request for a page of one patient's records of one type. */
export interface ListRequest {
  readonly patient: PatientId
  readonly type: TypeName
  /** The maximum number of records, 1 to `MAX_PAGE`. */
  readonly size: number
  readonly after?: ListPosition
  readonly filter: ListFilter
  /** Whether a record with these sensitivities is closed to the caller. The page omits closed records. */
  readonly isClosed: (labels: readonly string[]) => boolean
}

/** The records of a page, in order. A source throws if it cannot list all of them. */
export interface ListedPage {
  readonly items: readonly { readonly position: ListPosition; readonly version: number }[]
  /** The closed records that the page omits, up to its end. They are for the audit only. */
  readonly leftOut: readonly RecordId[]
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
