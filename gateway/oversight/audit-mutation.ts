import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AccessRecord } from '../model/access-record.ts'
import type { RequestId } from '../model/ids.ts'
import type { AuditReading, Reviewed } from './audit-reader.ts'

/** One mutation of the auditor's API. */
export interface AuditWriting extends AuditReading {
  /** The caller. */
  readonly by: string
  /** The request. Its audit records have this id. */
  readonly requestId: RequestId
  /** Path and action of the audit record: `AuditLog.recordDisclosure`, CREATE. */
  readonly act: Pick<AccessRecord, 'path' | 'action'>
  /**
   * Writes items and the record of the write in one transaction: both are stored, or neither.
   *
   * @throws VersionConflict if a condition of the items fails; AuditUnavailable, after which it is unknown whether they are stored
   */
  readonly commit: (writes: readonly TransactWriteItem[], record: AccessRecord) => Promise<void>
}

/** The answer of a mutation. If nothing was stored, because there was nothing to change, the call is recorded as a review. */
interface Written extends Reviewed {
  readonly isStored: boolean
}

/** A field of `Mutation` of the auditor's API. @throws as `AuditRoot`; VersionConflict, AuditUnavailable */
export interface AuditMutation<Arguments> {
  readonly action: 'CREATE' | 'UPDATE'
  readonly run: (args: Arguments, writing: AuditWriting) => Promise<Written>
}
