import type { DynamoDBClient, TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter } from './batch-get.ts'

/** The key of a tenant's studies in the access table. No patient has this id. */
export const studiesKey = (tenant: TenantId): Key => ({ pk: `${tenant}##STUDIES`, sk: '#STUDIES' })

/** The studies of a tenant: one sealed item. */
export class StudyTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  /** @param table the access table */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** Reads consistently. Returns undefined if the tenant has no studies. @throws StoreUnavailable */
  async load(tenant: TenantId, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [studiesKey(tenant)], { signal })
    return item && (item['v']?.B ?? new Uint8Array())
  }

  /** Returns the write of the item. It fails if the stored item is not `before`, so that no writer loses a study of another. */
  put(tenant: TenantId, sealed: Uint8Array, before: Uint8Array | undefined): TransactWriteItem {
    const { pk, sk } = studiesKey(tenant)
    const condition =
      before === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : { ConditionExpression: 'v = :before', ExpressionAttributeValues: { ':before': { B: before } } }
    return { Put: { TableName: this.#table, Item: { pk: { S: pk }, sk: { S: sk }, v: { B: sealed } }, ...condition } }
  }
}
