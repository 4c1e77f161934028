import type { TransactWriteItem, TransactWriteItemsCommandInput } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { TenantId } from '../model/ids.ts'
import { itemHash } from './entry.ts'
import type { Hour } from './hour.ts'
import { type ItemParts, registryKey, toItem } from './item.ts'
import type { ItemDraft } from './item-draft.ts'
import type { Submission } from './submission.ts'
import type { UserAgents } from './user-agents.ts'

/** The end of a lane, which its next transaction continues. */
export interface LaneEnd {
  readonly tenant: TenantId
  readonly lane: string
  /** For the first item of the lane: the lane before it, `lane/last acknowledged sequence`. */
  readonly succeeds: string | undefined
  readonly sequence: number
  readonly prev: string
}

/** A transaction. While its outcome is unknown, the lane sends the same bytes again. */
export interface Transaction {
  readonly submissions: readonly Submission[]
  readonly items: readonly ItemParts[]
  readonly input: TransactWriteItemsCommandInput
  /** The position of the first audit item among the actions. */
  readonly offset: number
}

/** The registration of a lane in the registry of its hour. */
export interface Registration {
  readonly hour: Hour
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** The items of a submission at their places in the lane, linked. @throws RangeError for an invalid time */
export function linkItems(end: LaneEnd, { drafts }: Pick<Submission, 'drafts'>, userAgents: UserAgents): ItemParts[] {
  let { prev } = end
  return drafts.map((draft, index) => {
    const item = linked({ ...end, sequence: end.sequence + index + 1, prev }, draft, userAgents)
    prev = item.hash
    return item
  })
}

function linked({ tenant, lane, succeeds, sequence, prev }: LaneEnd, draft: ItemDraft, userAgents: UserAgents): ItemParts {
  const { context, time, patient, userAgent } = draft
  // an item without a valid time would be in no index
  if (!Number.isSafeInteger(time)) throw new RangeError('an audit item has a time in milliseconds')
  const { text, bytes } = draft.encode({
    ...(userAgent !== undefined && userAgents.membersFor(userAgent, context.session)),
    ...(sequence === 1 && succeeds !== undefined && { succeeds }),
  })
  const hash = itemHash({ tenant, lane, sequence }, text, prev)
  // half of a surrogate pair has no UTF-8: the keys of the indexes have the same characters as the text
  const [user, subject] = [context.user.toWellFormed(), patient?.toWellFormed()]
  return { tenant, lane, sequence, time, user, patient: subject, text, bytes, prev, hash }
}

/**
 * @param end the end of the lane before `items`
 * @param registration undefined once the lane is registered
 */
export function buildTransaction(
  table: string,
  end: LaneEnd,
  submissions: readonly Submission[],
  items: readonly ItemParts[],
  registration: Registration | undefined,
): Transaction {
  const { tenant, lane, sequence } = end
  const registrations: TransactWriteItem[] =
    registration === undefined
      ? []
      : [put(table, { l: { S: registryKey(tenant, registration.hour) }, n: { S: lane }, at: { N: String(registration.at) } })]
  const token = createHash('sha256')
    .update(`${tenant}\n${lane}\n${sequence + 1}\n${items.at(-1)?.hash ?? end.prev}`)
    .digest('base64url')
    .slice(0, 36)
  return {
    submissions,
    items,
    offset: registrations.length,
    input: {
      ClientRequestToken: token,
      TransactItems: [
        ...registrations,
        ...items.map((item) => put(table, toItem(item))),
        ...submissions.flatMap(({ writes }) => writes),
      ],
    },
  }
}

/** The owner of the items that are stored at the positions of ours. NOBODY: the conditions of the other writes failed. */
export function ownerOf(
  { items, offset }: Transaction,
  failed: ReadonlyMap<number, Uint8Array | 'other'>,
): 'OURS' | 'OTHERS' | 'NOBODY' {
  let ours = 0
  let others = offset > 0 && failed.has(0) ? 1 : 0
  for (const [index, { hash }] of items.entries()) {
    const stored = failed.get(index + offset)
    if (stored === undefined) continue
    if (stored !== 'other' && Buffer.from(stored).toString('hex') === hash) ours++
    else others++
  }
  if (ours === items.length) return 'OURS'
  return ours + others > 0 ? 'OTHERS' : 'NOBODY'
}

/** The condition of every audit put. An item that exists is never overwritten. */
function put(table: string, item: NonNullable<TransactWriteItem['Put']>['Item']): TransactWriteItem {
  return {
    Put: {
      TableName: table,
      Item: item,
      ConditionExpression: 'attribute_not_exists(l)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    },
  }
}
