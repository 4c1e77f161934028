import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AuditUnavailable, VersionConflict } from '../model/failures.ts'
import type { Deadline } from '../model/deadline.ts'
import type { AuditContext, TimedAccess } from './entry.ts'

/** A transaction holds 100 actions; the first one of a lane also registers the lane. */
export const MAX_ACTIONS = 99

/** The last record of a submission, so that its writer can prove later that it was there. */
export interface LaneReceipt {
  readonly lane: string
  readonly sequence: number
  readonly hash: string
}

/** Records that become durable together, with the items whose writing they tell of. At most `MAX_ACTIONS` of both. */
export interface Submission {
  readonly context: AuditContext
  readonly records: readonly TimedAccess[]
  readonly items: readonly TransactWriteItem[]
  /** When the answer is of no more use to the one who waits. */
  readonly deadline: Deadline
  readonly resolve: (receipt: LaneReceipt) => void
  readonly reject: (failure: AuditUnavailable | VersionConflict) => void
}
