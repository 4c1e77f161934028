import {
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  type QueryCommandInput,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { Hour } from '../hour.ts'
import { queryAll } from '../query-all.ts'
import type { Span } from '../verify/span.ts'
import { frontierBytes, frontierOf, type Head, type Item, NEW_LOG, numberOf, type Round, rootOfHead, textOf } from './head.ts'
import type { LaneEnd } from './sealed-item.ts'

/** The variable with the name of the table. */
export const CHECKPOINTS_VARIABLE = 'PHI_TABLE_CHECKPOINTS'

/** The last hour that is closed, and those up to which the lanes of closed hours were read again. */
export interface HourCursors {
  readonly closed: Hour
  /** One hour after the close. */
  readonly again: Hour
  /** One day after the close. */
  readonly last: Hour
}

/** A change of the head in one transaction. */
export interface Sealing {
  readonly before: Head
  readonly after: Head
  /** Undefined if the change only ends a round. */
  readonly span: Span | undefined
  /** The new ends of the lanes of the span, at most 90 with the span. */
  readonly ends: readonly (LaneEnd & { readonly hour: Hour; readonly lane: string })[]
}

const key = (position: number): string => String(position).padStart(16, '0')

/** The table of heads, spans and rounds, `docs/checkpoints.md`, section "Storage". Nothing here is deleted. */
export class CheckpointTable {
  readonly #client: Pick<DynamoDBClient, 'send'>
  readonly #table: string

  constructor(client: Pick<DynamoDBClient, 'send'>, table: string) {
    this.#client = client
    this.#table = table
  }

  /** The tenants that the stream of the audit table saw, with the hour of their first lane. */
  async tenants(): Promise<{ readonly tenant: string; readonly since: Hour }[]> {
    const items = await this.#query({ KeyConditionExpression: 'l = :l', ExpressionAttributeValues: { ':l': { S: 'TENANTS' } } })
    return items.map((item) => ({ tenant: textOf(item, 'n'), since: textOf(item, 'hr') as Hour }))
  }

  /** Adds a tenant. An earlier entry stays. */
  async addTenant(tenant: string, since: Hour): Promise<void> {
    await this.#putOnce({ l: { S: 'TENANTS' }, n: { S: tenant }, hr: { S: since } })
  }

  async head(tenant: string): Promise<Head> {
    const item = await this.#get(`${tenant}#HEAD`, 'HEAD')
    if (item === undefined) return NEW_LOG
    return { frontier: frontierOf(numberOf(item, 'z'), item['f']?.B), time: numberOf(item, 't'), cut: numberOf(item, 'p') }
  }

  /**
   * Replaces the head on the condition that it is unchanged, together with the span and the ends of its lanes. If the new head ends a
   * round, the round is stored with it. Each size has therefore one root and one time for good.
   *
   * @returns false if another notary changed the head
   */
  async seal(tenant: string, { before, after, span, ends }: Sealing): Promise<boolean> {
    const { size } = before.frontier
    const writes: TransactWriteItem[] = [
      this.#put({
        item: {
          l: { S: `${tenant}#HEAD` },
          n: { S: 'HEAD' },
          z: { N: String(after.frontier.size) },
          r: { B: rootOfHead(after) },
          t: { N: String(after.time) },
          f: { B: frontierBytes(after.frontier) },
          p: { N: String(after.cut) },
        },
        ...(before === NEW_LOG
          ? { condition: 'attribute_not_exists(l)' }
          : { condition: 'z = :z AND p = :p', values: { ':z': { N: String(size) }, ':p': { N: String(before.cut) } } }),
      }),
      ...ends.map(({ hour, lane, sequence, hash }) =>
        this.#put({
          item: {
            l: { S: `${tenant}#SEALED#${hour}` },
            n: { S: lane },
            z: { N: String(sequence) },
            h: { B: Buffer.from(hash, 'hex') },
          },
        }),
      ),
    ]
    if (span !== undefined) {
      const { start, end, time, lanes } = span
      const item: Item = {
        l: { S: `${tenant}#SPAN` },
        n: { S: key(start) },
        e: { N: String(end) },
        t: { N: String(time) },
        la: { S: JSON.stringify(lanes) },
      }
      writes.push(this.#put({ item, condition: 'attribute_not_exists(l)' }))
    }
    if (after.cut > before.cut) {
      const item: Item = {
        l: { S: `${tenant}#ROUND` },
        n: { S: key(before.cut) },
        e: { N: String(after.cut) },
        t: { N: String(after.time) },
        f: { B: frontierBytes(after.frontier) },
      }
      writes.push(this.#put({ item, condition: 'attribute_not_exists(l)' }))
    }
    return await this.#transact(writes)
  }

  /** The sealed ends of the lanes of an hour, by lane. */
  async sealedEnds(tenant: string, hour: Hour): Promise<Map<string, LaneEnd>> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#SEALED#${hour}` } },
    })
    return new Map(
      items.map((item) => [
        textOf(item, 'n'),
        { sequence: numberOf(item, 'z'), hash: Buffer.from(item['h']?.B ?? []).toString('hex') },
      ]),
    )
  }

  /** Notes that a lane is not sealed beyond its end, because its next item does not continue it. It stays noted. */
  async addFault(tenant: string, hour: Hour, lane: string): Promise<void> {
    await this.#putOnce({ l: { S: `${tenant}#FAULTS` }, n: { S: lane }, hr: { S: hour } })
  }

  /** The lanes that once had an item that did not continue them, each with its hour. */
  async faults(tenant: string): Promise<Map<string, Hour>> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#FAULTS` } },
    })
    return new Map(items.map((item) => [textOf(item, 'n'), textOf(item, 'hr') as Hour]))
  }

  /** The spans of a round, in order. */
  async spans(tenant: string, { start, frontier }: Pick<Round, 'start' | 'frontier'>): Promise<Span[]> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l AND n BETWEEN :from AND :to',
      ExpressionAttributeValues: {
        ':l': { S: `${tenant}#SPAN` },
        ':from': { S: key(start) },
        ':to': { S: key(frontier.size - 1) },
      },
    })
    return items.map(spanOf)
  }

  /** The time of the first span, in seconds since the epoch; undefined if nothing is sealed. */
  async firstTime(tenant: string): Promise<number | undefined> {
    const [item] = await this.#query({
      KeyConditionExpression: 'l = :l',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#SPAN` } },
      Limit: 1,
    })
    return item && numberOf(item, 't')
  }

  /** The spans that begin at this position or later, in order. */
  async spansFrom(tenant: string, start: number): Promise<Span[]> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l AND n >= :n',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#SPAN` }, ':n': { S: key(start) } },
    })
    return items.map(spanOf)
  }

  /** The rounds that begin at this position or later, in order. */
  async roundsFrom(tenant: string, start: number): Promise<Round[]> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l AND n >= :n',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#ROUND` }, ':n': { S: key(start) } },
    })
    return items.map(roundOf)
  }

  /** The round that ends where this one starts. Undefined for the first one. */
  async roundBefore(tenant: string, start: number): Promise<Round | undefined> {
    if (start === 0) return undefined
    const [item] = await this.#query({
      KeyConditionExpression: 'l = :l AND n < :n',
      ExpressionAttributeValues: { ':l': { S: `${tenant}#ROUND` }, ':n': { S: key(start) } },
      ScanIndexForward: false,
      Limit: 1,
    })
    return item && roundOf(item)
  }

  /** The size up to which segment, tiles and checkpoint are published. */
  async published(tenant: string): Promise<number> {
    const item = await this.#get(`${tenant}#HEAD`, 'PUBLISHED')
    return item === undefined ? 0 : numberOf(item, 'z')
  }

  async markPublished(tenant: string, size: number): Promise<void> {
    await this.#putLater({ l: { S: `${tenant}#HEAD` }, n: { S: 'PUBLISHED' }, z: { N: String(size) } }, 'z')
  }

  async cursors(tenant: string): Promise<HourCursors | undefined> {
    const item = await this.#get(`${tenant}#HEAD`, 'HOURS')
    if (item === undefined) return undefined
    return { closed: textOf(item, 'c') as Hour, again: textOf(item, 'r1') as Hour, last: textOf(item, 'r2') as Hour }
  }

  async setCursors(tenant: string, { closed, again, last }: HourCursors): Promise<void> {
    const item = { l: { S: `${tenant}#HEAD` }, n: { S: 'HOURS' }, c: { S: closed }, r1: { S: again }, r2: { S: last } }
    await this.#putLater(item, 'c', 'r1', 'r2')
  }

  /** When the last complete pass began, in milliseconds since the epoch. */
  async lastPass(tenant: string): Promise<number | undefined> {
    const item = await this.#get(`${tenant}#HEAD`, 'PASS')
    return item && numberOf(item, 't')
  }

  async setLastPass(tenant: string, time: number): Promise<void> {
    // no condition: after a clock was wrong, the time must be able to return
    await this.#client.send(
      new PutItemCommand({
        TableName: this.#table,
        Item: { l: { S: `${tenant}#HEAD` }, n: { S: 'PASS' }, t: { N: String(time) } },
      }),
    )
  }

  #put({ item, condition, values }: { item: Item; condition?: string; values?: Item }): TransactWriteItem {
    return {
      Put: {
        TableName: this.#table,
        Item: item,
        ...(condition !== undefined && { ConditionExpression: condition }),
        ...(values !== undefined && { ExpressionAttributeValues: values }),
      },
    }
  }

  /** Puts an item unless the stored one is as late or later, by each of these members. */
  async #putLater(item: Item, ...members: readonly string[]): Promise<void> {
    const earlier = members.map((name) => `#${name} <= :${name}`).join(' AND ')
    await this.#putOnce(item, {
      ConditionExpression: `attribute_not_exists(l) OR (${earlier})`,
      ExpressionAttributeNames: Object.fromEntries(members.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: Object.fromEntries(members.map((name) => [`:${name}`, item[name]])) as Item,
    })
  }

  async #putOnce(Item: Item, condition: object = { ConditionExpression: 'attribute_not_exists(l)' }): Promise<void> {
    try {
      await this.#client.send(new PutItemCommand({ TableName: this.#table, Item, ...condition }))
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error
    }
  }

  async #transact(TransactItems: TransactWriteItem[]): Promise<boolean> {
    try {
      await this.#client.send(new TransactWriteItemsCommand({ TransactItems }))
      return true
    } catch (error) {
      const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : []
      if (reasons.some(({ Code }) => Code === 'ConditionalCheckFailed' || Code === 'TransactionConflict')) return false
      throw error
    }
  }

  async #get(l: string, n: string): Promise<Item | undefined> {
    const { Item } = await this.#client.send(
      new GetItemCommand({ TableName: this.#table, Key: { l: { S: l }, n: { S: n } }, ConsistentRead: true }),
    )
    return Item
  }

  async #query(input: Omit<QueryCommandInput, 'TableName'>): Promise<Item[]> {
    return await queryAll(this.#client, { ...input, TableName: this.#table, ConsistentRead: true })
  }
}

function spanOf(item: Item): Span {
  return {
    start: Number(textOf(item, 'n')),
    end: numberOf(item, 'e'),
    time: numberOf(item, 't'),
    lanes: JSON.parse(textOf(item, 'la')) as Span['lanes'],
  }
}

function roundOf(item: Item): Round {
  return { start: Number(textOf(item, 'n')), frontier: frontierOf(numberOf(item, 'e'), item['f']?.B), time: numberOf(item, 't') }
}
