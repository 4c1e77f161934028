import { type AttributeValue, BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../model/failures.ts'

export type Item = Record<string, AttributeValue>

/** Counts what is sent, so that a test can state how many requests an operation makes. */
export interface RequestCounter {
  requests: number
}

export interface Key {
  readonly pk: string
  readonly sk: string
}

interface BatchOptions {
  /** All of them when left out. */
  readonly attributes?: readonly string[] | undefined
  /** Ends the reading when nobody waits for it any more. */
  readonly signal?: AbortSignal | undefined
}

/** What DynamoDB takes in one BatchGetItem. */
const BATCH = 100
// some two seconds in all: a request does not have longer for it
const ROUNDS = 7
const BACKOFF_MS = 15

/**
 * Reads items of one table by key, a hundred at a time and side by side, with strong consistency.
 *
 * DynamoDB answers a part of a batch when it is pressed, and says what it left out; what is left out is asked for again.
 * A list is complete or it is an error: never silently shorter.
 *
 * @throws StoreUnavailable
 */
export async function batchGet(
  client: DynamoDBClient,
  counter: RequestCounter,
  table: string,
  keys: readonly Key[],
  { attributes, signal }: BatchOptions = {},
): Promise<Item[]> {
  const distinct = [...new Map(keys.map((key) => [`${key.pk}\n${key.sk}`, key])).values()]
  const batches: Promise<Item[]>[] = []
  for (let start = 0; start < distinct.length; start += BATCH) {
    batches.push(readBatch(client, counter, table, distinct.slice(start, start + BATCH), { attributes, signal }))
  }
  return (await Promise.all(batches)).flat()
}

async function readBatch(
  client: DynamoDBClient,
  counter: RequestCounter,
  table: string,
  keys: readonly Key[],
  { attributes, signal }: BatchOptions,
): Promise<Item[]> {
  const projection = attributes && project(['pk', 'sk', ...attributes])
  const items: Item[] = []
  let wanted: Item[] = keys.map(({ pk, sk }) => ({ pk: { S: pk }, sk: { S: sk } }))
  for (let round = 0; wanted.length > 0; round++) {
    if (round === ROUNDS) throw new StoreUnavailable()
    if (signal?.aborted === true) throw new StoreUnavailable()
    if (round > 0) await sleep(BACKOFF_MS * 2 ** round * (0.5 + Math.random() / 2))
    counter.requests++
    const answer = await unavailableOnFailure(
      client.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys: wanted, ConsistentRead: true, ...projection } } }), {
        ...(signal && { abortSignal: signal }),
      }),
    )
    items.push(...(answer.Responses?.[table] ?? []))
    wanted = answer.UnprocessedKeys?.[table]?.Keys ?? []
  }
  return items
}

/** Attribute names are data here (`address.city`), so each is told to DynamoDB by a placeholder. */
export function project(attributes: readonly string[]): {
  ProjectionExpression: string
  ExpressionAttributeNames: Record<string, string>
} {
  const names = Object.fromEntries(attributes.map((name, index) => [`#${index}`, name]))
  return { ProjectionExpression: Object.keys(names).join(', '), ExpressionAttributeNames: names }
}

/** The SDK's errors carry requests and items; only the class of the failure goes on, with the cause for engineers. */
export async function unavailableOnFailure<T>(sent: Promise<T>): Promise<T> {
  try {
    return await sent
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
}
