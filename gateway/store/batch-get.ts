import { type AttributeValue, BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../model/failures.ts'

export type Item = Record<string, AttributeValue>

/** Counts the requests, so that a test can assert the number that an operation makes. */
export interface RequestCounter {
  requests: number
}

export interface Key {
  readonly pk: string
  readonly sk: string
}

interface BatchOptions {
  /** Defaults to all attributes. */
  readonly attributes?: readonly string[] | undefined
  /** Ends the reads when no caller waits for them any more. */
  readonly signal?: AbortSignal | undefined
}

/** The maximum of keys in one BatchGetItem. */
const BATCH = 100
// about two seconds in total: a request has no more time for it
const ROUNDS = 7
const BACKOFF_MS = 15

/**
 * Reads items of one table by key with strong consistency, in parallel batches of a hundred.
 *
 * Under load, DynamoDB answers only a part of a batch and returns the remaining keys. These keys are read again. The result is complete,
 * or the call throws.
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

/** Attribute names can contain dots (`address.city`), so each gets a placeholder. */
export function project(attributes: readonly string[]): {
  ProjectionExpression: string
  ExpressionAttributeNames: Record<string, string>
} {
  const names = Object.fromEntries(attributes.map((name, index) => [`#${index}`, name]))
  return { ProjectionExpression: Object.keys(names).join(', '), ExpressionAttributeNames: names }
}

/** The SDK's errors contain requests and items. Only the class of the failure is passed on, with the cause for engineers. */
export async function unavailableOnFailure<T>(sent: Promise<T>): Promise<T> {
  try {
    return await sent
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
}
