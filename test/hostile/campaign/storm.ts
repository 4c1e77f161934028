import { performance } from 'node:perf_hooks'
import type { Clock } from '../../../gateway/model/record.ts'
import { kmsWeather, type KmsFaultName } from '../kms-weather.ts'
import { type HostileProxy, startProxy } from '../proxy.ts'
import { storeWeather, type StoreWeather } from '../store-weather.ts'
import type { Weather } from '../weather.ts'
import { type ClinicAnswer, read, type RunningClinic } from '../../harness/running-clinic.ts'
import type { Question } from './questions.ts'

type Process = Awaited<ReturnType<RunningClinic['another']>>

export interface TimedAnswer {
  readonly answer: ClinicAnswer
  /** From the request to the answer. */
  readonly milliseconds: number
}

/** Processes of a clinic that reach the tables and KMS through fault injection, which is off at first. */
export interface Storm {
  /** The proxy before the tables. It plays the faults of the store. */
  readonly proxy: HostileProxy
  readonly store: StoreWeather
  readonly kms: Weather<KmsFaultName>
  readonly processes: readonly Process[]
  /** Sends a question to a process, with a deadline in milliseconds. */
  ask(process: Process, question: Question, withinMs: number): Promise<TimedAnswer>
  stop(): Promise<void>
}

interface StormOptions {
  readonly seed: number
  readonly processes: number
  /** The clock of the processes. */
  readonly now?: Clock
  /** Write units for each partition key and second. Defaults to DynamoDB's 1,000. */
  readonly unitsASecond?: number
  /** The clock by which the write units of keys recover. */
  readonly keyClock?: Clock
}

export async function startStorm(
  clinic: RunningClinic,
  { seed, processes, now = Date.now, unitsASecond, keyClock = Date.now }: StormOptions,
): Promise<Storm> {
  const { env } = clinic.stack
  const proxies = [
    await startProxy(env.AWS_ENDPOINT_URL_DYNAMODB, { remember: false }),
    await startProxy(env.AWS_ENDPOINT_URL_KMS, { remember: false }),
  ] as const
  const store = storeWeather({
    engine: env.AWS_ENDPOINT_URL_DYNAMODB,
    seed,
    now: keyClock,
    longestLatency: 20,
    ...(unitsASecond !== undefined && { unitsASecond }),
  })
  const kms = kmsWeather({ seed })
  proxies[0].play(store.script)
  proxies[1].play(kms.script)
  // the SDK reads the variables at the first request of a client; the clients of the clinic's own process already have theirs
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxies[0].endpoint
  process.env['AWS_ENDPOINT_URL_KMS'] = proxies[1].endpoint
  const opened: Process[] = []
  while (opened.length < processes) opened.push(await clinic.another({ now }))

  return {
    proxy: proxies[0],
    store,
    kms,
    processes: opened,
    ask: async ({ gateway }, { user, query, variables }, withinMs) => {
      const request = await clinic.requestOf(user, query, variables)
      const started = performance.now()
      const response = await gateway.handle({ ...request, deadline: now() + withinMs })
      return { answer: read(response), milliseconds: performance.now() - started }
    },
    // after the clinic, because its processes have connections through the proxies
    stop: async () => {
      store.close()
      for (const proxy of proxies) await proxy.stop()
    },
  }
}

/** Processes items with at most `width` at a time. Results are in the order of the items. */
export async function atATime<Item, Result>(
  width: number,
  items: readonly Item[],
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const waiting = items.entries()
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item, index)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
