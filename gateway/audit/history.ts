import {
  BatchGetItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { AuditEntry } from './entry.ts'
import { AUDIT_INDEX, fromItem, INDEX_SHARDS, indexKey, type Item, LANES, laneKey, sequenceKey } from './item.ts'
import { readRequestId } from './request-id.ts'

/** Milliseconds since the epoch, both inclusive; open where left out. */
export interface Span {
  readonly from?: number
  readonly to?: number
}

/** No request, and no writing of one patient by an import, takes longer. */
const REQUEST_MS = 600_000
/**
 * A lane is in the order of storing, while a record names the moment of its decision: it may stand behind records whose
 * time is later by a request's deadline, or by what a clock was set back.
 */
const DISORDER_MS = 60_000
const BATCH = 100

/** Reads the audit log of one tenant, in time order. Never decrypts anything: there is nothing in it to decrypt. */
export class AuditHistory {
  readonly #client: DynamoDBClient
  readonly #table: string

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** All records about a patient, by a user, or of a field. Shards are merged by time. */
  async entriesBy(index: keyof typeof AUDIT_INDEX, tenant: TenantId, subject: string, span: Span = {}): Promise<AuditEntry[]> {
    const { name, key } = AUDIT_INDEX[index]
    const { from = 0, to = Number.MAX_SAFE_INTEGER } = span
    // DynamoDB takes a span that ends before it begins for an error
    if (from > to) return []
    const shards = Array.from({ length: INDEX_SHARDS }, (_, shard) =>
      this.#query({
        IndexName: name,
        KeyConditionExpression: `${key} = :subject AND #at BETWEEN :from AND :to`,
        ExpressionAttributeNames: { '#at': 'at' },
        ExpressionAttributeValues: {
          ':subject': { S: indexKey(tenant, subject, shard) },
          ':from': { N: String(from) },
          ':to': { N: String(to) },
        },
      }),
    )
    const keys = (await Promise.all(shards)).flat().map(({ l, n }) => ({ l, n }) as Item)
    return inTimeOrder((await this.#get(keys)).map(fromItem))
  }

  /** All records of one request; none when the text is no request id. */
  async ofRequest(tenant: TenantId, requestId: string): Promise<AuditEntry[]> {
    const request = readRequestId(requestId)
    if (request === undefined) return []
    const lanes = await this.#query({
      KeyConditionExpression: 'l = :lanes AND begins_with(n, :process)',
      ExpressionAttributeValues: { ':lanes': { S: laneKey(tenant, LANES) }, ':process': { S: `${request.process}.` } },
      ConsistentRead: true,
    })
    const found = await Promise.all(lanes.map(({ n }) => this.#inLane(laneKey(tenant, n?.S ?? ''), request.id, request.at)))
    return inTimeOrder(found.flat())
  }

  async #inLane(lane: string, requestId: string, at: number): Promise<AuditEntry[]> {
    const end = await this.#end(lane)
    const [first, last] = await Promise.all([
      this.#firstSince(lane, end, at - DISORDER_MS, 'EARLIER'),
      this.#firstSince(lane, end, at + REQUEST_MS + DISORDER_MS, 'LATER'),
    ])
    const items = await this.#query({
      KeyConditionExpression: 'l = :lane AND n BETWEEN :first AND :last',
      FilterExpression: 'q = :request',
      ExpressionAttributeValues: {
        ':lane': { S: lane },
        ':first': { S: sequenceKey(first) },
        ':last': { S: sequenceKey(last) },
        ':request': { S: requestId },
      },
      ConsistentRead: true,
    })
    return items.map(fromItem)
  }

  /** The last number of a lane. */
  async #end(lane: string): Promise<number> {
    const [last] = await this.#query({
      KeyConditionExpression: 'l = :lane',
      ExpressionAttributeValues: { ':lane': { S: lane } },
      ScanIndexForward: false,
      Limit: 1,
      ConsistentRead: true,
    })
    return Number(last?.['n']?.S ?? 1)
  }

  /**
   * The first sequence whose time is not before `at`, or the last one of all, by halving: a lane's numbers have no gap. Where
   * one is missing all the same, `missing` says which way passes over no record.
   */
  async #firstSince(lane: string, end: number, at: number, missing: 'EARLIER' | 'LATER'): Promise<number> {
    let low = 1
    let high = end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const { Item } = await this.#client.send(
        new GetItemCommand({
          TableName: this.#table,
          Key: { l: { S: lane }, n: { S: sequenceKey(middle) } },
          ProjectionExpression: '#at',
          ExpressionAttributeNames: { '#at': 'at' },
          ConsistentRead: true,
        }),
      )
      const isBefore = Item === undefined ? missing === 'LATER' : Number(Item['at']?.N) < at
      if (isBefore) low = middle + 1
      else high = middle
    }
    return low
  }

  async #query(input: Omit<QueryCommandInput, 'TableName'>): Promise<Item[]> {
    const items: Item[] = []
    let next: QueryCommandInput['ExclusiveStartKey']
    do {
      const page = await this.#client.send(
        new QueryCommand({ ...input, TableName: this.#table, ...(next && { ExclusiveStartKey: next }) }),
      )
      items.push(...(page.Items ?? []))
      next = input.Limit === undefined ? page.LastEvaluatedKey : undefined
    } while (next !== undefined)
    return items
  }

  async #get(keys: readonly Item[]): Promise<Item[]> {
    const items: Item[] = []
    for (let start = 0; start < keys.length; start += BATCH) {
      let wanted = keys.slice(start, start + BATCH)
      for (let round = 0; wanted.length > 0; round++) {
        if (round === 8) throw new StoreUnavailable()
        if (round > 0) await sleep(20 * 2 ** round)
        const answer = await this.#client.send(
          new BatchGetItemCommand({ RequestItems: { [this.#table]: { Keys: wanted, ConsistentRead: true } } }),
        )
        items.push(...(answer.Responses?.[this.#table] ?? []))
        wanted = answer.UnprocessedKeys?.[this.#table]?.Keys ?? []
      }
    }
    // an index that names a record which the table lacks is not to be passed over in silence
    if (items.length !== keys.length) throw new StoreUnavailable()
    return items
  }
}

function inTimeOrder(entries: readonly AuditEntry[]): AuditEntry[] {
  return entries.toSorted((a, b) => compare(a.time, b.time) || compare(a.lane, b.lane) || a.sequence - b.sequence)
}

// by code units: localeCompare would sort by the machine's language
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
