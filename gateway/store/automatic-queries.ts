import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'
import { automaticCountKey, automaticQueryKey } from './operation-keys.ts'

/** A stored query. */
export interface AutomaticQueryItem {
  readonly sealed: Uint8Array
  /** The end, in milliseconds since the epoch. An engine keeps the item for days longer. */
  readonly expires: number
}

type UpdateParts = Omit<ConstructorParameters<typeof UpdateItemCommand>[0], 'TableName' | 'Key'>

/** Queries that clients registered by themselves, in the table of operations. Items expire by TTL. Reads are consistent. */
export class AutomaticQueryTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  /** @param table the table of operations */
  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** Reads a query. It can be past its end. @throws StoreUnavailable */
  async load(tenant: TenantId, client: string, sha256: string, signal: AbortSignal): Promise<AutomaticQueryItem | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [automaticQueryKey(tenant, client, sha256)], { signal })
    return item && { sealed: item['v']?.B ?? new Uint8Array(), expires: Number(item['expires']?.N ?? 0) * 1000 }
  }

  /**
   * Counts a new query of a day. Returns false, and counts nothing, if the client has reached the maximum.
   *
   * @param day `2025-01-31`
   * @param expires the end of the count, in milliseconds since the epoch
   * @throws StoreUnavailable
   */
  async count(
    { tenant, client, day }: { readonly tenant: TenantId; readonly client: string; readonly day: string },
    most: number,
    expires: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const update: UpdateParts = {
      UpdateExpression: 'SET #expires = :expires ADD #count :one',
      ConditionExpression: 'attribute_not_exists(#count) OR #count < :most',
      ExpressionAttributeNames: { '#expires': 'expires', '#count': 'count' },
      ExpressionAttributeValues: { ':expires': seconds(expires), ':one': { N: '1' }, ':most': { N: String(most) } },
    }
    return await this.#update(automaticCountKey(tenant, client, day), update, signal)
  }

  /** Stores a query. @throws StoreUnavailable */
  async put(key: Key, { sealed, expires }: AutomaticQueryItem, signal: AbortSignal): Promise<void> {
    const update: UpdateParts = {
      UpdateExpression: 'SET #expires = :expires, v = :sealed',
      ExpressionAttributeNames: { '#expires': 'expires' },
      ExpressionAttributeValues: { ':expires': seconds(expires), ':sealed': { B: sealed } },
    }
    await this.#update(key, update, signal)
  }

  /** Returns false if the condition fails. */
  async #update(key: Key, update: UpdateParts, signal: AbortSignal): Promise<boolean> {
    this.counter.requests++
    const command = new UpdateItemCommand({ TableName: this.#table, Key: { pk: { S: key.pk }, sk: { S: key.sk } }, ...update })
    const sent = this.#client.send(command, { abortSignal: signal }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof ConditionalCheckFailedException) return false
        throw error
      },
    )
    return await unavailableOnFailure(sent)
  }
}

const seconds = (milliseconds: number) => ({ N: String(Math.ceil(milliseconds / 1000)) })
