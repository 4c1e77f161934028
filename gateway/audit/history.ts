import { BatchGetItemCommand, type DynamoDBClient, GetItemCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { AuditEntry } from './entry.ts'
import { type Hour, hoursBetween, hoursOfRequest } from './hour.ts'
import { AUDIT_INDEX, entriesOf, INDEX_SHARDS, indexKey, type Item, laneKey, registryKey, sequenceKey } from './item.ts'
import { queryAll } from './query-all.ts'
import { readRequestId } from './request-id.ts'
import { CLOCK_TOLERANCE_MS } from './verify/hour-limits.ts'

/** Milliseconds since the epoch, both inclusive. An end that is absent has no limit. */
export interface Span {
  readonly from?: number
  readonly to?: number
}

/** The records of a path, and the number of items that were read to find them. */
export interface PathHistory {
  readonly entries: readonly AuditEntry[]
  readonly examined: number
}

/** No request, and no import of one patient, takes longer. */
const REQUEST_MS = 600_000
/**
 * A lane is in the order of storing, while an item has the time of its first record. An item may therefore follow items with a later
 * time: by the time that a request takes, and by the amount that a clock was set back.
 */
const DISORDER_MS = REQUEST_MS + CLOCK_TOLERANCE_MS
const BATCH = 100

/** Reads the audit log of one tenant, in time order. It decrypts nothing, because the log contains nothing sealed. */
export class AuditHistory {
  readonly #client: Pick<DynamoDBClient, 'send'>
  readonly #table: string

  constructor(client: Pick<DynamoDBClient, 'send'>, table: string) {
    this.#client = client
    this.#table = table
  }

  /** All records about a patient, or by a user. Shards are merged by time. @throws StoreUnavailable */
  async entriesBy(index: keyof typeof AUDIT_INDEX, tenant: TenantId, subject: string, span: Span = {}): Promise<AuditEntry[]> {
    const { name, key } = AUDIT_INDEX[index]
    const { from = 0, to = Number.MAX_SAFE_INTEGER } = span
    // DynamoDB refuses a span that ends before it begins
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
    return inTimeOrder((await this.#get(keys)).flatMap(entriesOf))
  }

  /** All records of one request; none if the text is no request id. */
  async ofRequest(tenant: TenantId, requestId: string): Promise<AuditEntry[]> {
    const request = readRequestId(requestId)
    if (request === undefined) return []
    const lanes = await Promise.all(hoursOfRequest(request.at).map((hour) => this.#lanes(tenant, hour, `${request.process}.`)))
    const items = await Promise.all(lanes.flat().map((lane) => this.#inLane(laneKey(tenant, lane), request.id, request.at)))
    return inTimeOrder(items.flat().flatMap(entriesOf))
  }

  /** All records of one item; none if there is no such item. */
  async ofItem(tenant: TenantId, lane: string, sequence: number): Promise<AuditEntry[]> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :lane AND n = :sequence',
      ExpressionAttributeValues: { ':lane': { S: laneKey(tenant, lane) }, ':sequence': { S: sequenceKey(sequence) } },
      ConsistentRead: true,
    })
    return items.flatMap(entriesOf)
  }

  /** All records of a path within a span. There is no index by path: every item of the span is read. */
  async ofPath(tenant: TenantId, path: string, span: Required<Span>): Promise<PathHistory> {
    const entries: AuditEntry[] = []
    let examined = 0
    // DynamoDB refuses a span that ends before it begins
    if (span.from > span.to) return { entries, examined }
    for (const hour of hoursBetween(span.from - REQUEST_MS, span.to + REQUEST_MS)) {
      const lanes = await this.#lanes(tenant, hour)
      const items = await Promise.all(lanes.map((lane) => this.#between(laneKey(tenant, lane), span)))
      for (const item of items.flat()) {
        examined++
        entries.push(...entriesOf(item).filter((entry) => entry.path === path || entry.paths?.includes(path) === true))
      }
    }
    return { entries: inTimeOrder(entries), examined }
  }

  /** The names of an hour's lanes, of one process or of all. */
  async #lanes(tenant: TenantId, hour: Hour, process = ''): Promise<string[]> {
    const registered = await this.#query({
      KeyConditionExpression: process === '' ? 'l = :lanes' : 'l = :lanes AND begins_with(n, :process)',
      ExpressionAttributeValues: {
        ':lanes': { S: registryKey(tenant, hour) },
        ...(process !== '' && { ':process': { S: process } }),
      },
      ConsistentRead: true,
    })
    return registered.map(({ n }) => n?.S ?? '')
  }

  async #between(lane: string, { from, to }: Required<Span>): Promise<Item[]> {
    return await this.#query({
      KeyConditionExpression: 'l = :lane',
      FilterExpression: '#at BETWEEN :from AND :to',
      ExpressionAttributeNames: { '#at': 'at' },
      ExpressionAttributeValues: { ':lane': { S: lane }, ':from': { N: String(from) }, ':to': { N: String(to) } },
      ConsistentRead: true,
    })
  }

  async #inLane(lane: string, requestId: string, at: number): Promise<Item[]> {
    const end = await this.#end(lane)
    const [first, last] = await Promise.all([
      this.#firstSince(lane, end, at - DISORDER_MS, 'EARLIER'),
      this.#firstSince(lane, end, at + REQUEST_MS + DISORDER_MS, 'LATER'),
    ])
    return await this.#query({
      KeyConditionExpression: 'l = :lane AND n BETWEEN :first AND :last',
      // a request id is random: no other member of an item contains it
      FilterExpression: 'contains(e, :request)',
      ExpressionAttributeValues: {
        ':lane': { S: lane },
        ':first': { S: sequenceKey(first) },
        ':last': { S: sequenceKey(last) },
        ':request': { S: `"q":"${requestId}"` },
      },
      ConsistentRead: true,
    })
  }

  /** The last sequence number of a lane. */
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
   * The first sequence number with a time at or after `at`, or the last one, by binary search: the numbers of a lane have no gap. If
   * an item is missing all the same, `missing` is the direction that skips no item.
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
    return await queryAll(this.#client, { ...input, TableName: this.#table })
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
    // an item that an index names and the table does not have must not disappear unnoticed
    if (items.length !== keys.length) throw new StoreUnavailable()
    return items
  }
}

function inTimeOrder(entries: readonly AuditEntry[]): AuditEntry[] {
  return entries.toSorted(
    (a, b) => compare(a.time, b.time) || compare(a.lane, b.lane) || a.sequence - b.sequence || a.index - b.index,
  )
}

// by code units: localeCompare would depend on the language of the machine
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
