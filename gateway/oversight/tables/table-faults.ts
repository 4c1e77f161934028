import { Failure } from '../../model/failures.ts'

// Each of these faults stops the tables of one tenant. The manifest stays as it was, and questions get the answers of before. No message has
// a value: a position in the log locates the cause.

/** A line of a segment is no audit item, or the item differs from its hash. Nothing is skipped: the tables end before it. */
export class MalformedSegment extends Error {
  override readonly name = 'MalformedSegment'
  readonly position: number

  /** @param position of the item in the log, from 0 */
  constructor(position: number, options?: ErrorOptions) {
    super(`The sealed log has no valid item at position ${position}. Run: phi audit verify.`, options)
    this.position = position
  }
}

/** No segment, or no checkpoint at the end of a segment, holds these positions of the log. */
export class SegmentMissing extends Error {
  override readonly name = 'SegmentMissing'
  readonly position: number

  constructor(position: number) {
    super(`The sealed log has no segment with a checkpoint at position ${position}. Run: phi audit verify.`)
    this.position = position
  }
}

/** The log ends before the tables do, so they are of another log. */
export class LogShortened extends Error {
  override readonly name = 'LogShortened'

  constructor() {
    super('The sealed log is shorter than its tables. Run: phi audit verify, then: phi audit rebuild.')
  }
}

/** The manifest is of another format, or was altered. */
export class ManifestUnreadable extends Error {
  override readonly name = 'ManifestUnreadable'

  constructor(options?: ErrorOptions) {
    super('The manifest of the audit tables cannot be read. Run: phi audit rebuild.', options)
  }
}

/** A file that the manifest lists is absent, or has other bytes or rows. */
export class TableAltered extends Error {
  override readonly name = 'TableAltered'

  constructor() {
    super('A file of the audit tables is missing or altered. Run: phi audit rebuild.')
  }
}

const NEEDS_DUCKDB = 'Questions over the tables of the audit log need DuckDB. Run: npm install @duckdb/node-api@1.5.6-r.1'

/** The library of DuckDB is not installed. Questions about one request, patient or user do not need it. */
export class DuckDbMissing extends Failure {
  override readonly name = 'DuckDbMissing'
  readonly code = 'AUDIT_LOG_UNAVAILABLE'

  constructor(options?: ErrorOptions) {
    super(NEEDS_DUCKDB, { ...options, detail: NEEDS_DUCKDB })
  }
}
