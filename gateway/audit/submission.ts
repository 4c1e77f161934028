import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Deadline } from '../model/deadline.ts'
import type { AuditUnavailable, VersionConflict } from '../model/failures.ts'
import type { ItemDraft } from './item-draft.ts'

/** A transaction holds 100 actions. The first one of a lane also registers the lane. */
export const MAX_ACTIONS = 99
/**
 * The write units of audit items in one transaction. One partition key takes 1,000 units a second, and a larger transaction would
 * be throttled whenever it is sent. The rest up to 500 is for the registration and for texts of user agents.
 */
export const MAX_UNITS = 480

/** The place of a stored item, and its hash. */
export interface ItemReceipt {
  readonly lane: string
  readonly sequence: number
  /** 32 bytes, lower-case hex. */
  readonly hash: string
}

/** Items that become durable together, with the writes that they record. At most `MAX_ACTIONS` of both. */
export interface Submission {
  readonly drafts: readonly ItemDraft[]
  readonly writes: readonly TransactWriteItem[]
  /** The time after which the caller no longer uses the result. */
  readonly deadline: Deadline
  /** One receipt for each draft, in their order. */
  readonly resolve: (receipts: readonly ItemReceipt[]) => void
  readonly reject: (failure: AuditUnavailable | VersionConflict) => void
}

/** Splits items so that each part fits in a transaction. */
export function fitting(drafts: readonly ItemDraft[]): ItemDraft[][] {
  const parts: ItemDraft[][] = []
  let [part, units]: [ItemDraft[], number] = [[], 0]
  for (const draft of drafts) {
    if (part.length > 0 && (part.length === MAX_ACTIONS || units + draft.units > MAX_UNITS)) {
      parts.push(part)
      ;[part, units] = [[], 0]
    }
    part.push(draft)
    units += draft.units
  }
  return [...parts, part]
}
