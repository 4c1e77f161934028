import { ConditionalCheckFailedException, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import { batchGet, type RequestCounter, unavailableOnFailure } from './batch-get.ts'

/** The key set of an issuer as it lies in the table. Whoever writes there may have written it: the seal tells. */
export interface StoredKeySet {
  /** The set as the issuer gave it: RFC 7517 section 5. */
  readonly text: string
  /** When it was asked for; milliseconds since the epoch. */
  readonly at: number
  readonly seal: Uint8Array
}

/** Whose keys, and from where: who names another place asks for another set. */
export interface KeySetName {
  readonly issuer: string
  readonly jwksUri: string
}

const FORGET_AFTER_MS = 48 * 60 * 60_000
/** Clocks of processes differ by so much. What is further ahead says nothing. */
const CLOCK_TOLERANCE_MS = 60_000

/** The last key set of each issuer, beside the sessions: `#issuer-keys#digest` / `KEYS`, a partition that no tenant's name begins. */
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
   * Writes a set, unless there is a later one.
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
