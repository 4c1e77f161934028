import type { TransactWriteItem, TransactWriteItemsCommandInput } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { TenantId } from '../model/ids.ts'
import { type AuditContext, type AuditEntry, linkEntry, type TimedAccess } from './entry.ts'
import { LANES, laneKey, toItem } from './item.ts'
import type { Submission } from './submission.ts'
import type { UserAgents } from './user-agents.ts'

/** Where a lane stands: what its next transaction follows from. */
export interface LaneEnd {
  readonly tenant: TenantId
  readonly lane: string
  /** Said in the lane's first record: the retired lane that this one follows, `lane/last acknowledged sequence`. */
  readonly succeeds: string | undefined
  readonly sequence: number
  readonly prev: string
}

/** What is sent, and sent again in the very same bytes while its fate is unknown. */
export interface Transaction {
  readonly submissions: readonly Submission[]
  readonly entries: readonly AuditEntry[]
  readonly input: TransactWriteItemsCommandInput
  /** Position of the first audit record among the actions. */
  readonly offset: number
}

/** A submission's records in their places, linked. @throws TypeError, RangeError for what has no canonical form */
export function linkRecords(end: LaneEnd, { context, records }: Submission, userAgents: UserAgents): AuditEntry[] {
  let { prev } = end
  return records.map((access, index) => {
    const entry = linkEntry(unlinked(end, context, access, end.sequence + index + 1, userAgents), prev)
    prev = entry.hash
    return entry
  })
}

/**
 * @param end where the lane stood before `entries`
 * @param registerAt milliseconds since the epoch, for the registry of lanes; undefined once the lane is registered
 */
export function buildTransaction(
  table: string,
  end: LaneEnd,
  submissions: readonly Submission[],
  entries: readonly AuditEntry[],
  registerAt: number | undefined,
): Transaction {
  const { tenant, lane, sequence } = end
  const registration: TransactWriteItem[] =
    registerAt === undefined
      ? []
      : [put(table, { l: { S: laneKey(tenant, LANES) }, n: { S: lane }, at: { N: String(registerAt) } })]
  const token = createHash('sha256')
    .update(`${tenant}\n${lane}\n${sequence + 1}\n${entries.at(-1)?.hash ?? end.prev}`)
    .digest('base64url')
    .slice(0, 36)
  return {
    submissions,
    entries,
    offset: registration.length,
    input: {
      ClientRequestToken: token,
      TransactItems: [
        ...registration,
        ...entries.map((entry) => put(table, toItem(entry))),
        ...submissions.flatMap(({ items }) => items),
      ],
    },
  }
}

/** Whose records stand where ours should. NOBODY: the conditions of the other items failed. */
export function ownerOf(
  { entries, offset }: Transaction,
  failed: ReadonlyMap<number, Uint8Array | 'other'>,
): 'OURS' | 'OTHERS' | 'NOBODY' {
  let ours = 0
  let others = offset > 0 && failed.has(0) ? 1 : 0
  for (const [index, { hash }] of entries.entries()) {
    const stored = failed.get(index + offset)
    if (stored === undefined) continue
    if (stored !== 'other' && Buffer.from(stored).toString('hex') === hash) ours++
    else others++
  }
  if (ours === entries.length) return 'OURS'
  return ours + others > 0 ? 'OTHERS' : 'NOBODY'
}

function unlinked(
  { lane, succeeds }: LaneEnd,
  context: AuditContext,
  { at, ...access }: TimedAccess,
  sequence: number,
  userAgents: UserAgents,
): Omit<AuditEntry, 'prev' | 'hash'> {
  const { userAgent, ...who } = context
  return {
    ...who,
    ...access,
    lane,
    sequence,
    time: new Date(at).toISOString(),
    ...(userAgent !== undefined && userAgents.tell(userAgent, context.session)),
    ...(sequence === 1 && succeeds !== undefined && { succeeds }),
  }
}

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
