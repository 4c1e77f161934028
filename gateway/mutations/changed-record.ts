import type { RecordRef } from '../model/ids.ts'

/** A record that this request changed. Its payload leads to the record, and an object that no mutation made leads nowhere. */
export class ChangedRecord {
  readonly ref: RecordRef
  readonly version: number

  constructor(ref: RecordRef, version: number) {
    this.ref = ref
    this.version = version
  }
}
