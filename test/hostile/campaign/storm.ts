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
  /** From the question to the answer. */
  readonly milliseconds: number
}

/** Processes of a clinic whose ways to the tables and to KMS lead through weather; it is calm at first. */
export interface Storm {
  /** Before the tables; it plays the weather of the store. */
  readonly proxy: HostileProxy
  readonly store: StoreWeather
  readonly kms: Weather<KmsFaultName>
  readonly processes: readonly Process[]
  /** Asks a process and gives it so long, in milliseconds. */
  ask(process: Process, question: Question, withinMs: number): Promise<TimedAnswer>
  stop(): Promise<void>
}

interface StormOptions {
  readonly seed: number
  readonly processes: number
  /** The clock of the processes. */
  readonly now?: Clock
  /** Write units that a partition key takes in a second; DynamoDB's own 1,000 when left out. */
  readonly unitsASecond?: number
  /** The clock by which keys recover from what was written to them. */
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
  // the SDK reads the variables itself, at a client's first request: those of the clinic's own process were made before
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
    // after the clinic: its processes have connections through here
    stop: async () => {
      store.close()
      for (const proxy of proxies) await proxy.stop()
    },
  }
}

/** Does the work of each item, so many at a time. Results are in the order of the items. */
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
