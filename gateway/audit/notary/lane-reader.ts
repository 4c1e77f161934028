import type { DynamoDBClient, QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { AuditReads } from '../audit-reads.ts'
import type { Hour } from '../hour.ts'
import { type Item, laneKey, laneOf, registryKey, sequenceKey } from '../item.ts'
import { queryAll } from '../query-all.ts'
import { continuing, type LaneEnd, type LaneFault, type SealedItem } from './sealed-item.ts'

/** A lane in the registry of an hour. */
export interface RegisteredLane {
  readonly lane: string
  /** Milliseconds since the epoch. */
  readonly registered: number
}

/** Reads the audit table, with consistent reads only. It has no other right over this table. */
export class LaneReader {
  readonly #client: Pick<DynamoDBClient, 'send'>
  readonly #table: string

  constructor(client: Pick<DynamoDBClient, 'send'>, table: string) {
    this.#client = client
    this.#table = table
  }

  /** The lanes of an hour, by name. */
  async registry(tenant: string, hour: Hour): Promise<RegisteredLane[]> {
    const items = await this.#query({
      KeyConditionExpression: 'l = :l',
      ExpressionAttributeValues: { ':l': { S: registryKey(tenant, hour) } },
    })
    return items.map(({ n, at }) => ({ lane: n?.S ?? '', registered: Number(at?.N) }))
  }

  /**
   * The items of a lane after an end that continue it, at most about `limit`.
   *
   * A query is no snapshot: it can see the later of two transactions that were committed meanwhile, and miss the earlier one. A fault is
   * therefore read a second time.
   */
  async after(
    tenant: string,
    lane: string,
    end: LaneEnd,
    limit: number,
  ): Promise<{ readonly items: readonly SealedItem[]; readonly fault?: LaneFault }> {
    const first = continuing(tenant, lane, end, await this.#items(tenant, lane, end.sequence, limit))
    if (first.fault === undefined) return first
    const last = first.items.at(-1) ?? end
    const again = continuing(tenant, lane, last, await this.#items(tenant, lane, last.sequence, limit))
    return { ...again, items: [...first.items, ...again.items] }
  }

  /** The items from `first` to `last`, in order, with those that are stored. */
  async between(tenant: string, lane: string, first: number, last: number): Promise<Item[]> {
    return await this.#query({
      KeyConditionExpression: 'l = :l AND n BETWEEN :first AND :last',
      ExpressionAttributeValues: {
        ':l': { S: laneKey(tenant, lane) },
        ':first': { S: sequenceKey(first) },
        ':last': { S: sequenceKey(last) },
      },
    })
  }

  /** All items after a sequence that are stored, in order, whether they continue the lane or not. At most about `limit`. */
  async storedAfter(tenant: string, lane: string, sequence: number, limit: number): Promise<Item[]> {
    return await this.#items(tenant, lane, sequence, limit)
  }

  /** Of some lanes, those with an item directly after a sequence. */
  async continued(tenant: string, ends: ReadonlyMap<string, number>): Promise<string[]> {
    const keys = [...ends].map(([lane, end]): Item => ({ l: { S: laneKey(tenant, lane) }, n: { S: sequenceKey(end + 1) } }))
    const items = await new AuditReads(this.#client, this.#table).get(keys, undefined, ['l'])
    return items.map(({ l }) => laneOf(l?.S ?? '').lane)
  }

  async #items(tenant: string, lane: string, after: number, limit: number): Promise<Item[]> {
    return await this.#query(
      {
        KeyConditionExpression: 'l = :l AND n > :n',
        ExpressionAttributeValues: { ':l': { S: laneKey(tenant, lane) }, ':n': { S: sequenceKey(after) } },
      },
      limit,
    )
  }

  async #query(input: Omit<QueryCommandInput, 'TableName'>, enough?: number): Promise<Item[]> {
    return await queryAll(this.#client, { ...input, TableName: this.#table, ConsistentRead: true }, enough)
  }
}
