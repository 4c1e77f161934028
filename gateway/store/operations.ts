import { type DynamoDBClient, QueryCommand, type QueryCommandInput, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TenantId } from '../model/ids.ts'
import { batchGet, type Item, type Key, type RequestCounter, unavailableOnFailure } from './batch-get.ts'
import { clientListPartition, clientPartition, CONTRACT, OPERATION } from './operation-keys.ts'

/** One action of the transaction that changes the registry. */
export type OperationWrite = TransactWriteItem

/** An item of the registry. Only `sealed` is authenticated: the other attributes refuse earlier, or lead to an item. */
export interface OperationItem {
  readonly key: Key
  /** Empty for a text. */
  readonly sealed: Uint8Array
  /** Of an operation: it is revoked. */
  readonly isRevoked?: boolean
  /** Of a client: counts its changes. */
  readonly version?: number
  /** Of a client: the end of its contract, in milliseconds since the epoch. Not `expires`, by which DynamoDB removes an item. */
  readonly until?: number
  /** Of a text: the ids of the operations with this text. */
  readonly ids?: readonly string[]
}

interface PutWrite extends OperationWrite {
  readonly Put: NonNullable<OperationWrite['Put']>
}

/** The registry of operations and contracts. Reads are consistent. */
export class OperationTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** Reads items by their keys, a hundred in each request. Returns them in the order of the keys. @throws StoreUnavailable */
  async load(keys: readonly Key[], signal?: AbortSignal): Promise<readonly (OperationItem | undefined)[]> {
    const items = await batchGet(this.#client, this.counter, this.#table, keys, { signal })
    const found = new Map(items.map(itemOf).map((item) => [nameOf(item.key), item]))
    return keys.map((key) => found.get(nameOf(key)))
  }

  /** Reads all operations of a client. @throws StoreUnavailable */
  async operationsOf(tenant: TenantId, client: string, signal?: AbortSignal): Promise<readonly OperationItem[]> {
    return await this.#query(clientPartition(tenant, client), OPERATION, signal)
  }

  /** Reads all contracts that a client ever had. @throws StoreUnavailable */
  async contractsOf(tenant: TenantId, client: string, signal?: AbortSignal): Promise<readonly OperationItem[]> {
    return await this.#query(clientPartition(tenant, client), CONTRACT, signal)
  }

  /** Reads the list of clients of a tenant. @throws StoreUnavailable */
  async clientsOf(tenant: TenantId, signal?: AbortSignal): Promise<readonly OperationItem[]> {
    return await this.#query(clientListPartition(tenant), undefined, signal)
  }

  /** Returns the write of an item. */
  put({ key, sealed, isRevoked, version, until, ids }: OperationItem): PutWrite {
    const item: Item = {
      pk: { S: key.pk },
      sk: { S: key.sk },
      ...(sealed.length > 0 && { v: { B: sealed } }),
      ...(isRevoked === true && { revoked: { BOOL: true } }),
      ...(version !== undefined && { version: { N: String(version) } }),
      ...(until !== undefined && { until: { N: String(until) } }),
      ...(ids !== undefined && { ids: { L: ids.map((id) => ({ S: id })) } }),
    }
    return { Put: { TableName: this.#table, Item: item } }
  }

  /** Returns the write of a client. It fails if the stored client does not have the version `before`. */
  replace(item: OperationItem, before: number | undefined): PutWrite {
    const { Put: put } = this.put(item)
    if (before === undefined) return { Put: { ...put, ConditionExpression: 'attribute_not_exists(pk)' } }
    const condition = {
      ConditionExpression: '#version = :before',
      ExpressionAttributeNames: { '#version': 'version' },
      ExpressionAttributeValues: { ':before': { N: String(before) } },
    }
    return { Put: { ...put, ...condition } }
  }

  async #query(pk: string, sk: string | undefined, signal: AbortSignal | undefined): Promise<readonly OperationItem[]> {
    const items: OperationItem[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      this.counter.requests++
      const command = new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: sk === undefined ? 'pk = :pk' : 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': { S: pk }, ...(sk !== undefined && { ':sk': { S: sk } }) },
        ConsistentRead: true,
        ...(next && { ExclusiveStartKey: next }),
      })
      const page = await unavailableOnFailure(this.#client.send(command, { ...(signal && { abortSignal: signal }) }))
      items.push(...(page.Items ?? []).map(itemOf))
      next = page.LastEvaluatedKey
    } while (next !== undefined)
    return items
  }
}

const nameOf = ({ pk, sk }: Key): string => `${pk}\n${sk}`

function itemOf(item: Item): OperationItem {
  const [version, until, ids] = [item['version']?.N, item['until']?.N, item['ids']?.L]
  return {
    key: { pk: item['pk']?.S ?? '', sk: item['sk']?.S ?? '' },
    sealed: item['v']?.B ?? new Uint8Array(),
    // any value refuses
    ...(item['revoked'] !== undefined && { isRevoked: true }),
    ...(version !== undefined && { version: Number(version) }),
    ...(until !== undefined && { until: Number(until) }),
    ...(ids !== undefined && { ids: ids.flatMap(({ S }) => S ?? []) }),
  }
}
