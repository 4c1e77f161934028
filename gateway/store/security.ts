import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { CredentialFault } from '../model/credential-fault.ts'
import { type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** What came from one source within one minute and was not let in. */
export interface AuthFailureLine {
  /** Milliseconds since the epoch, at the beginning of the minute. */
  readonly minute: number
  readonly source: string
  readonly counts: ReadonlyMap<CredentialFault, number>
}

/** Many sources at once must not meet in one partition. */
const SHARDS = 8
const FORGET_AFTER_MS = 90 * 24 * 60 * 60_000

/**
 * Failures before authentication, by source and minute: `day#shard` / `minute#source`, an attribute for each kind of failure.
 * Nothing of a token and nobody's name. Items expire after 90 days.
 */
export class SecurityTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /**
   * Adds to what all processes together counted of the source in that minute.
   *
   * @throws StoreUnavailable, also where it was added and the answer was lost
   */
  async add({ minute, source, counts }: AuthFailureLine, signal: AbortSignal): Promise<void> {
    const time = new Date(minute).toISOString()
    const added = [...counts].map(([fault, count], index) => ({ fault, count, name: `#k${index}`, value: `:k${index}` }))
    this.counter.requests++
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: { pk: { S: `${time.slice(0, 10)}#${shardOf(source)}` }, sk: { S: `${time.slice(0, 16)}Z#${source}` } },
      UpdateExpression: `ADD ${added.map(({ name, value }) => `${name} ${value}`).join(', ')} SET expires = :expires`,
      ExpressionAttributeNames: Object.fromEntries(added.map(({ name, fault }) => [name, fault])),
      ExpressionAttributeValues: {
        ':expires': { N: String(Math.ceil((minute + FORGET_AFTER_MS) / 1000)) },
        ...Object.fromEntries(added.map(({ value, count }) => [value, { N: String(count) }])),
      },
    })
    await unavailableOnFailure(this.#client.send(command, { abortSignal: signal }))
  }
}

const shardOf = (source: string): number => createHash('sha256').update(source).digest().readUInt8(0) % SHARDS
