import { type DynamoDBClient, QueryCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { COMPARISON_KINDS, type ComparisonToken } from '../model/comparison.ts'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** One row of the workforce table. It names a user, or a person of public interest who is no user. */
export interface WorkforceRow {
  /** Undefined for a person of public interest who is no user. */
  readonly user: string | undefined
  /** Of public interest. */
  readonly vip: boolean
  readonly tokens: readonly ComparisonToken[]
  /** The display name and everything above, sealed for this row. */
  readonly sealed: Uint8Array
}

/** A row as stored. Only what is inside `sealed` is authenticated. */
export interface StoredWorkforceRow extends WorkforceRow {
  readonly key: Key
}

/** One action of the transaction that writes to the workforce. */
export type WorkforceWrite = TransactWriteItem

const USER = 'USER#'

/**
 * The workforce of a tenant and persons of public interest: `t#WORKFORCE` / `USER#user`, `VIP#token`. Comparison tokens are plain, so that
 * the audit function can compare them. Names are sealed.
 */
export class WorkforceTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  keyOf(tenant: TenantId, { user, tokens }: Pick<WorkforceRow, 'user' | 'tokens'>): Key {
    return { pk: `${tenant}#WORKFORCE`, sk: user === undefined ? `VIP#${tokens[0]?.token ?? ''}` : `${USER}${user}` }
  }

  /** All rows of a tenant. @throws StoreUnavailable */
  async rows(tenant: TenantId, signal?: AbortSignal): Promise<readonly StoredWorkforceRow[]> {
    const rows: StoredWorkforceRow[] = []
    let next: Item | undefined
    do {
      this.counter.requests++
      const page = await unavailableOnFailure(
        this.#client.send(
          new QueryCommand({
            TableName: this.#table,
            KeyConditionExpression: 'pk = :tenant',
            ExpressionAttributeValues: { ':tenant': { S: `${tenant}#WORKFORCE` } },
            ConsistentRead: true,
            ...(next && { ExclusiveStartKey: next }),
          }),
          { ...(signal && { abortSignal: signal }) },
        ),
      )
      rows.push(...(page.Items ?? []).map(readRow))
      next = page.LastEvaluatedKey
    } while (next !== undefined)
    return rows
  }

  /** The rows of these users. A user without a row is absent. @throws StoreUnavailable */
  async rowsOf(tenant: TenantId, users: readonly string[], signal?: AbortSignal): Promise<readonly StoredWorkforceRow[]> {
    const keys = users.map((user) => this.keyOf(tenant, { user, tokens: [] }))
    return (await batchGet(this.#client, this.counter, this.#table, keys, { signal })).map(readRow)
  }

  /** Returns the write of a row. It fails if the stored row is not `before`. */
  put(tenant: TenantId, row: WorkforceRow, before: StoredWorkforceRow | undefined): TransactWriteItem {
    const { pk, sk } = this.keyOf(tenant, row)
    const tokens = row.tokens.map(({ kind, token }) => `${kind}#${token}`)
    const item: Item = {
      pk: { S: pk },
      sk: { S: sk },
      sealed: { B: row.sealed },
      // an empty set does not exist
      ...(tokens.length > 0 && { tokens: { SS: tokens } }),
      ...(row.vip && { vip: { BOOL: true } }),
    }
    return { Put: { TableName: this.#table, Item: item, ...unchangedSince(before) } }
  }

  /** Returns the removal of a row. It fails if the stored row is not `before`. */
  remove(before: StoredWorkforceRow): TransactWriteItem {
    const { pk, sk } = before.key
    return { Delete: { TableName: this.#table, Key: { pk: { S: pk }, sk: { S: sk } }, ...unchangedSince(before) } }
  }
}

/** A planted row can lack the seal. */
function unchangedSince(before: StoredWorkforceRow | undefined) {
  if (before === undefined) return { ConditionExpression: 'attribute_not_exists(pk)' }
  if (before.sealed.length === 0) return { ConditionExpression: 'attribute_not_exists(sealed)' }
  return { ConditionExpression: 'sealed = :before', ExpressionAttributeValues: { ':before': { B: before.sealed } } }
}

function readRow({ pk, sk, vip, tokens, sealed }: Item): StoredWorkforceRow {
  const key = { pk: pk?.S ?? '', sk: sk?.S ?? '' }
  return {
    key,
    user: key.sk.startsWith(USER) ? key.sk.slice(USER.length) : undefined,
    vip: vip?.BOOL === true,
    tokens: (tokens?.SS ?? []).flatMap(readToken),
    sealed: sealed?.B ?? new Uint8Array(),
  }
}

/** A row that the gateway did not write can have anything in its place. */
function readToken(text: string): readonly ComparisonToken[] {
  const [name = '', token = ''] = text.split('#')
  const kind = COMPARISON_KINDS.find((one) => one === name)
  return kind === undefined || token === '' ? [] : [{ kind, token }]
}
