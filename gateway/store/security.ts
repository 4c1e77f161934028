import { type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { CredentialFault } from '../model/credential-fault.ts'
import { type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The failed authentications from one source in one minute. */
export interface AuthFailureLine {
  /** Milliseconds since the epoch, at the beginning of the minute. */
  readonly minute: number
  readonly source: string
  readonly counts: ReadonlyMap<CredentialFault, number>
}

/** Many sources at once must not overload one partition. */
const SHARDS = 8
const FORGET_AFTER_MS = 90 * 24 * 60 * 60_000

/**
 * Failures before authentication, by source and minute: `day#shard` / `minute#source`, an attribute for each kind of failure.
 * Items contain no token and no name. They expire after 90 days.
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
   * Adds to the counts of all processes for the source and minute.
   *
   * @throws StoreUnavailable, also if the counts were added and the answer was lost
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
