import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter } from './batch-get.ts'

/** The key of a tenant's studies, in the access table: no patient has such an id. */
export const studiesKey = (tenant: TenantId): Key => ({ pk: `${tenant}##STUDIES`, sk: '#STUDIES' })

/** The studies of a tenant: one sealed item, which is read whole. */
export class StudyTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  /** @param table the access table */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** Read consistently; undefined where the tenant has none. @throws StoreUnavailable */
  async load(tenant: TenantId, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [studiesKey(tenant)], { signal })
    return item && (item['v']?.B ?? new Uint8Array())
  }

  /** The writing of the item over what it was made from, and over nothing else: no writer loses another's study. */
  put(tenant: TenantId, sealed: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = studiesKey(tenant)
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } }, ...condition } }
  }
}
