import { BatchGetItemCommand, type DynamoDBClient, QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Deadline } from '../model/deadline.ts'
import { Failure, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Item } from './item.ts'

/** The most keys of one `BatchGetItem`. */
const BATCH = 100
/** How often the keys that a batch left unprocessed are requested again. The last pause is up to 2.6 s. */
const ATTEMPTS = 8
const FIRST_PAUSE_MS = 20

/** A query of the audit table. */
export type AuditQuery = Omit<QueryCommandInput, 'TableName'>

/** One page of a query. */
export interface QueryPage {
  readonly items: readonly Item[]
  /** Where the next page begins. Undefined at the end. */
  readonly next: QueryCommandInput['ExclusiveStartKey']
}

/** Reads of the audit table. Each throws StoreUnavailable if the table cannot be read, or not before the deadline. */
export class AuditReads {
  readonly #client: Pick<DynamoDBClient, 'send'>
  readonly #table: string

  constructor(client: Pick<DynamoDBClient, 'send'>, table: string) {
    this.#client = client
    this.#table = table
  }

  async page(query: AuditQuery, deadline?: Deadline): Promise<QueryPage> {
    return await inTime(deadline, async (options) => {
      const page = await this.#client.send(new QueryCommand({ ...query, TableName: this.#table }), options)
      return { items: page.Items ?? [], next: page.LastEvaluatedKey }
    })
  }

  /** The items of all pages. */
  async all(query: AuditQuery, deadline?: Deadline): Promise<Item[]> {
    const items: Item[] = []
    let next: QueryPage['next']
    do {
      const page = await this.page({ ...query, ...(next && { ExclusiveStartKey: next }) }, deadline)
      items.push(...page.items)
      next = page.next
    } while (next !== undefined)
    return items
  }

  /**
   * The items of these keys that exist, in no order. Batches are read in parallel.
   *
   * The reads are consistent: an index can have an item that another replica of the table does not have yet.
   *
   * @param names the attributes to read. Default: all
   */
  async get(keys: readonly Item[], deadline?: Deadline, names?: readonly string[]): Promise<Item[]> {
    const batches = Array.from({ length: Math.ceil(keys.length / BATCH) }, (_, at) => keys.slice(at * BATCH, (at + 1) * BATCH))
    return (await Promise.all(batches.map(async (batch) => await this.#batch(batch, deadline, names)))).flat()
  }

  async #batch(keys: readonly Item[], deadline?: Deadline, names?: readonly string[]): Promise<Item[]> {
    const projection = names && {
      ProjectionExpression: names.map((_, at) => `#${at}`).join(),
      ExpressionAttributeNames: Object.fromEntries(names.map((name, at) => [`#${at}`, name])),
    }
    const items: Item[] = []
    let wanted = [...keys]
    for (let attempt = 0; wanted.length > 0; attempt++) {
      if (attempt === ATTEMPTS) throw new StoreUnavailable()
      const request = { [this.#table]: { Keys: wanted, ConsistentRead: true, ...projection } }
      wanted = await inTime(deadline, async (options) => {
        if (attempt > 0) await sleep(pauseBefore(attempt), undefined, options.abortSignal && { signal: options.abortSignal })
        const answer = await this.#client.send(new BatchGetItemCommand({ RequestItems: request }), options)
        items.push(...(answer.Responses?.[this.#table] ?? []))
        return answer.UnprocessedKeys?.[this.#table]?.Keys ?? []
      })
    }
    return items
  }
}

/** Milliseconds. At random, so that the batches of one list do not return together. */
const pauseBefore = (attempt: number): number => FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random() / 2)

/** @throws StoreUnavailable for any failure of the read, and at the deadline */
async function inTime<T>(deadline: Deadline | undefined, read: (options: { abortSignal?: AbortSignal }) => Promise<T>): Promise<T> {
  try {
    if (deadline === undefined) return await read({})
    return await deadline.wait(async () => await read({ abortSignal: deadline.signal }), storeOverdue)
  } catch (cause) {
    throw cause instanceof Failure ? cause : new StoreUnavailable({ cause })
  }
}
