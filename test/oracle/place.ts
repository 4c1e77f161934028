import type { RecordRef } from '../../gateway/model/ids.ts'
import type { NewRecord } from '../../gateway/model/record.ts'

/** The place of a selection: a record, or one that is hidden from this caller. `at` is its type or embedded path. */
export class Place {
  readonly ref: RecordRef
  readonly record: NewRecord | undefined
  readonly at: string
  /** PHI paths selected at this place. */
  readonly selected: Set<string>
  readonly hidden: Hidden | undefined

  constructor(ref: RecordRef, record: NewRecord | undefined, hidden?: Hidden, within?: Place, at?: string) {
    this.ref = ref
    this.record = record
    this.hidden = hidden
    this.at = at ?? ref.type
    this.selected = within?.selected ?? new Set()
  }
}

/** A record that is not given: one that does not exist, or exists without the caller knowing. */
export interface Hidden {
  readonly exists: boolean
  /** Consents close it. Otherwise, no relationship reaches it. */
  readonly closed?: true
}
