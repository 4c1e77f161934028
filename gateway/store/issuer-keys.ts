import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import { batchGet, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The key set of an issuer as stored. A writer of the table can replace it, so verify the seal. */
export interface StoredKeySet {
  /** The response of the issuer, a JWK set. @source RFC 7517 section 5 */
  readonly text: string
  /** When it was requested, in milliseconds since the epoch. */
  readonly at: number
  readonly seal: Uint8Array
}

/** The issuer of a key set and its URL. Another URL is another set. */
export interface KeySetName {
  readonly issuer: string
  readonly jwksUri: string
}

const FORGET_AFTER_MS = 48 * 60 * 60_000
/** The tolerated difference between the clocks of processes. A time further ahead is ignored. */
const CLOCK_TOLERANCE_MS = 60_000

/** The last key set of each issuer, in the sessions table: `#issuer-keys#digest` / `KEYS`. No tenant's partition begins with `#`. */
export class IssuerKeysTable {
  readonly #client: DynamoDBClient
  readonly #table: string
  readonly counter: RequestCounter = { requests: 0 }

  constructor(client: DynamoDBClient, table: string) {
    this.#client = client
    this.#table = table
  }

  /** @throws StoreUnavailable */
  async read(name: KeySetName, signal: AbortSignal): Promise<StoredKeySet | undefined> {
    const [item] = await batchGet(this.#client, this.counter, this.#table, [keyOf(name)], { signal })
    const [text, at, seal] = [item?.['text']?.S, Number(item?.['at']?.N), item?.['seal']?.B]
    return text === undefined || seal === undefined || !Number.isFinite(at) ? undefined : { text, at, seal }
  }

  /**
   * Writes a set, unless a later one is stored.
   *
   * @throws StoreUnavailable
   */
  async write(name: KeySetName, { text, at, seal }: StoredKeySet, signal: AbortSignal): Promise<void> {
    const { pk, sk } = keyOf(name)
    this.counter.requests++
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: { pk: { S: pk }, sk: { S: sk } },
      UpdateExpression: 'SET #text = :text, #at = :at, #seal = :seal, expires = :expires',
      ConditionExpression: 'attribute_not_exists(#at) OR #at < :at OR #at > :ahead',
      ExpressionAttributeNames: { '#text': 'text', '#at': 'at', '#seal': 'seal' },
      ExpressionAttributeValues: {
        ':text': { S: text },
        ':at': { N: String(at) },
        ':seal': { B: seal },
        ':ahead': { N: String(at + CLOCK_TOLERANCE_MS) },
        ':expires': { N: String(Math.ceil((at + FORGET_AFTER_MS) / 1000)) },
      },
    })
    const sent = this.#client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      if (!(error instanceof ConditionalCheckFailedException)) throw error
    })
    await unavailableOnFailure(sent)
  }
}

function keyOf({ issuer, jwksUri }: KeySetName): { pk: string; sk: string } {
  const digest = createHash('sha256')
    .update(JSON.stringify([issuer, jwksUri]))
    .digest('base64url')
  return { pk: `#issuer-keys#${digest}`, sk: 'KEYS' }
}
