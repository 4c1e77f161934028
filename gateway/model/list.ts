import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from './ids.ts'

/** A place in a list that is ordered newest first, and by id where dates are the same. */
export interface ListPosition {
  /** ISO 8601 in UTC with milliseconds, so that text order is time order; empty for a record without a date, which comes last. */
  readonly date: string
  readonly id: RecordId
}

/** What of a list is wanted. Each part is a read of the field that it filters by (P11). */
export interface ListFilter {
  /** Milliseconds since the epoch; `since` is inclusive, `until` is not. */
  readonly since?: number
  readonly until?: number
  readonly code?: string
  readonly category?: string
}

/** A page of the records of one type of one patient. */
export interface ListRequest {
  readonly patient: PatientId
  readonly type: TypeName
  readonly size: number
  readonly after?: ListPosition
  readonly filter: ListFilter
  /** Whether a record is closed to the one who asks by the sensitivities that its list tells: it is left out of the page. */
  readonly isClosed: (labels: readonly string[]) => boolean
}

/** The records of a page, in order. A list is complete or it is an error. */
export interface ListedPage {
  readonly items: readonly { readonly position: ListPosition; readonly version: number }[]
  /** Those that were left out on the way to the end of the page, for the audit alone. */
  readonly leftOut: readonly RecordId[]
  readonly more: boolean
}

/** The most records that one page holds, in any list. */
export const MAX_PAGE = 100

/** The most records that are looked at for one value that is searched for, of those that the caller may find. */
export const MAX_CANDIDATES = 50

/** The most records that may have a value which is searched for: what more of a tenant have is no identifier. */
export const MAX_LISTED = 500

/** Negative when `a` stands before `b`. */
export function newestFirst(a: ListPosition, b: ListPosition): number {
  if (a.date !== b.date) return a.date > b.date ? -1 : 1
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
