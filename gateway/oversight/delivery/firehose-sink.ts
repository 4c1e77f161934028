import { FirehoseClient, FirehoseServiceException, PutRecordBatchCommand } from '@aws-sdk/client-firehose'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../model/record.ts'
import type { Batch } from './batch.ts'
import type { Sent, Sink } from './sink.ts'

/** The service takes 500 records in a call. */
const MAX_RECORDS = 500
/** The service takes 4 MB in a call, of which base64 can need a quarter. A batch has less. */
const MAX_BYTES = 3_000_000
const CONNECT_MS = 1_000
const REQUEST_MS = 5_000
/** The sink repeats calls itself, because it must look at each record of an answer. */
const ATTEMPTS = 1
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

/** A client of Firehose that prints no records. The SDK reads region, credentials and endpoint itself. */
export function firehoseClient(): FirehoseClient {
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true }
  const client = new FirehoseClient({ maxAttempts: ATTEMPTS, requestHandler })
  client.middlewareStack.remove('loggerMiddleware')
  return client
}

interface FirehoseOptions {
  readonly client: FirehoseClient
  readonly stream: string
  readonly now: Clock
  readonly firstPauseMs?: number
}

/**
 * A stream of Amazon Data Firehose. A batch is one record. A call can fail for some records only, and an answer can be lost: whatever is not
 * acknowledged is sent again, so that a record arrives once or more often.
 *
 * @source https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
 */
export class FirehoseSink implements Sink {
  readonly #options: FirehoseOptions

  constructor(options: FirehoseOptions) {
    this.#options = options
  }

  async send(_tenant: string, batches: readonly Batch[], until: number): Promise<Sent> {
    const { now, firstPauseMs = FIRST_PAUSE_MS } = this.#options
    let pending = batches.map((_batch, at) => at)
    for (let pause = firstPauseMs; ; ) {
      const count = oneCall(batches, pending)
      const { failed, cause } = await this.#attempt(batches, pending.slice(0, count), Math.max(1, until - now()))
      pending = [...failed, ...pending.slice(count)]
      const [first] = pending
      if (first === undefined) return { acknowledged: batches.length }
      if (failed.length === 0 && now() < until) continue
      if (isPermanent(cause) || now() + pause >= until) return { acknowledged: first, cause }
      // with jitter, so that processes do not repeat their calls at the same time
      await sleep(pause * (0.5 + Math.random() / 2))
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS)
    }
  }

  /** One call for the pending batches. */
  async #attempt(
    batches: readonly Batch[],
    pending: readonly number[],
    leftMs: number,
  ): Promise<{ readonly failed: number[]; readonly cause?: unknown }> {
    const { client, stream } = this.#options
    const Records = pending.map((at) => ({ Data: batches[at]?.bytes }))
    try {
      const command = new PutRecordBatchCommand({ DeliveryStreamName: stream, Records })
      const { RequestResponses: answers = [] } = await client.send(command, {
        abortSignal: AbortSignal.timeout(Math.min(leftMs, REQUEST_MS)),
      })
      // a record without an id in the answer is not acknowledged, whatever the count of failed records says
      const failed = pending.filter(
        (_at, place) => (answers[place]?.RecordId ?? '') === '' || answers[place]?.ErrorCode !== undefined,
      )
      return failed.length === 0 ? { failed } : { failed, cause: new RecordsRefused() }
    } catch (cause) {
      return { failed: [...pending], cause }
    }
  }
}

/** The number of pending batches that one call takes: one at least. */
function oneCall(batches: readonly Batch[], pending: readonly number[]): number {
  let [count, bytes] = [0, 0]
  for (const at of pending) {
    bytes += batches[at]?.bytes.length ?? 0
    if (count === MAX_RECORDS || (count > 0 && bytes > MAX_BYTES)) break
    count++
  }
  return count
}

/** The service took some records of a call, and not the others. */
class RecordsRefused extends Error {
  override readonly name = 'RecordsRefused'
}

/** Whether the same call would fail again: the stream does not exist, its key is disabled, or the role may not write. */
const isPermanent = (cause: unknown): boolean =>
  cause instanceof FirehoseServiceException &&
  cause.$fault === 'client' &&
  cause.$retryable === undefined &&
  !/Throttl|LimitExceeded|TooManyRequests|RequestTimeout|Expired/.test(cause.name)
