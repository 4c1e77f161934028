import type { Clock } from '../../gateway/model/record.ts'
import { cancel, DROP_ANSWER, errorReply, type Fault, PASS, type Script, type ServiceCall } from './faults.ts'
import { IndexLag } from './index-lag.ts'
import { type Random, seeded } from './seeded.ts'
import { TableShapes } from './table-shapes.ts'
import { everyTime, type Mishap, mishapOf, type Rates, secondTimeUnharmed, type Weather, zeroes } from './weather.ts'
import { WriteUnits } from './write-units.ts'
import { type Write, writesOf } from './writes.ts'

/**
 * Faults before DynamoDB. `WRITE_UNITS` and `INDEX_LAG` are on (above 0) or off, because they follow from the writes and not from
 * chance.
 */
export type StoreFault =
  | 'LATENCY'
  | 'TRANSACTION_CONFLICT'
  | 'TRANSACTION_IN_PROGRESS'
  | 'THROUGHPUT_EXCEEDED'
  | 'THROTTLED'
  | 'SERVER_ERROR'
  | 'ANSWER_DROPPED'
  | 'UNPROCESSED_KEYS'
  | 'WRITE_UNITS'
  | 'INDEX_LAG'

export interface StoreWeather extends Weather<StoreFault> {
  close(): void
}

export interface StoreWeatherOptions {
  /** URL of the engine, without the proxy. It describes the keys and indexes of its tables. */
  readonly engine: string
  readonly seed: number
  readonly now: Clock
  /** Maximum milliseconds of an injected latency. */
  readonly longestLatency?: number
  /** Milliseconds after which an index shows every item. */
  readonly longestLag?: number
  /** Write units for each partition key and second. Defaults to DynamoDB's 1,000. */
  readonly unitsASecond?: number
  /** Whether a retry of a failed call succeeds, so that code with one retry sees no fault. */
  readonly mercy?: boolean
}

/** Every fault, at a rate that correct code survives, but not always at the first attempt. */
export const STORMY_STORE: Rates<StoreFault> = {
  LATENCY: 0.2,
  TRANSACTION_CONFLICT: 0.05,
  TRANSACTION_IN_PROGRESS: 0.04,
  THROUGHPUT_EXCEEDED: 0.02,
  THROTTLED: 0.02,
  SERVER_ERROR: 0.03,
  ANSWER_DROPPED: 0.04,
  UNPROCESSED_KEYS: 0.15,
  WRITE_UNITS: 1,
  INDEX_LAG: 1,
}

const isTransaction = ({ operation }: ServiceCall): boolean => operation === 'TransactWriteItems'
const isOnItems = ({ operation }: ServiceCall): boolean => !/Tables?$/.test(operation)

/** A transaction has the cause in its cancellation reasons; any other call fails as a whole. */
const inReasons = (call: ServiceCall, aside: number, code: string, exception: string): Fault => {
  const writes = isTransaction(call) ? (writesOf(call) ?? []) : []
  const chosen = Math.floor(aside * writes.length)
  if (writes.length === 0) return { kind: 'REFUSE', error: exception }
  return cancel(...writes.map((_, position) => (position === chosen ? code : 'None')))
}
/** An error with an unknown outcome: the service executes one of two such calls. */
const unknown = (error: string, status: number, aside: number): Fault =>
  aside < 0.5 ? { kind: 'REFUSE', error, status } : { kind: 'REWRITE', change: () => errorReply({ error, status }) }

const MISHAPS: readonly Mishap<StoreFault>[] = [
  {
    name: 'TRANSACTION_CONFLICT',
    // the only single write of the gateway concerns a tenant's keys, an item that no transaction touches
    befalls: isTransaction,
    fault: (call, aside) => inReasons(call, aside, 'TransactionConflict', 'TransactionConflictException'),
  },
  {
    name: 'TRANSACTION_IN_PROGRESS',
    befalls: isTransaction,
    fault: (_, aside) => unknown('TransactionInProgressException', 400, aside),
  },
  {
    name: 'THROUGHPUT_EXCEEDED',
    befalls: isOnItems,
    fault: (call, aside) => inReasons(call, aside, 'ProvisionedThroughputExceeded', 'ProvisionedThroughputExceededException'),
  },
  { name: 'THROTTLED', befalls: isOnItems, fault: () => ({ kind: 'REFUSE', error: 'ThrottlingException' }) },
  { name: 'SERVER_ERROR', befalls: isOnItems, fault: (_, aside) => unknown('InternalServerError', 500, aside) },
  { name: 'ANSWER_DROPPED', befalls: isOnItems, fault: () => DROP_ANSWER },
  { name: 'UNPROCESSED_KEYS', befalls: (call) => keysOf(call) > 1, fault: leaveOut },
]

/** Faults of DynamoDB. For a given seed, the n-th call of an operation always meets the same fault, independent of other calls. */
export function storeWeather(options: StoreWeatherOptions): StoreWeather {
  const { engine, seed, now, longestLatency = 40, longestLag = 400, unitsASecond, mercy = false } = options
  const counts = zeroes(Object.keys(STORMY_STORE) as StoreFault[])
  const shapes = new TableShapes(engine)
  const units = new WriteUnits(shapes, now, unitsASecond)
  const lag = new IndexLag(shapes, now, seed)
  const chances = new Map<string, Random>()
  /** Tokens of transactions that were paid for. A repetition costs the read of a token, and no writes. */
  const paid = new Set<string>()
  const merciful = mercy ? secondTimeUnharmed<StoreFault>() : everyTime<StoreFault>
  let rates: Partial<Rates<StoreFault>> = {}

  const throttle = async (call: ServiceCall, writes: readonly Write[]): Promise<Fault | undefined> => {
    const token = call.json['ClientRequestToken']
    if (typeof token === 'string' && paid.has(token)) return undefined
    const pressed = await units.take(writes, isTransaction(call))
    if (pressed.size === 0) {
      if (typeof token === 'string') paid.add(token)
      return undefined
    }
    if (!isTransaction(call)) return { kind: 'REFUSE', error: 'ThrottlingException' }
    return cancel(...writes.map((_, position) => (pressed.has(position) ? 'ThrottlingError' : 'None')))
  }

  const befall = async (call: ServiceCall, mishap: Mishap<StoreFault> | undefined, aside: number): Promise<Fault> => {
    const fault = mishap?.fault(call, aside)
    if (mishap) counts[mishap.name]++
    if (fault?.kind === 'REFUSE') return fault
    const writes = writesOf(call)
    if (writes) {
      const throttled = rates.WRITE_UNITS ? await throttle(call, writes) : undefined
      if (throttled) {
        counts.WRITE_UNITS++
        return throttled
      }
      if (rates.INDEX_LAG) await lag.wrote(writes, longestLag)
    }
    if (fault) return fault
    if (!rates.INDEX_LAG || call.operation !== 'Query' || call.json['IndexName'] === undefined) return PASS
    return {
      kind: 'REWRITE',
      change: async (reply) => {
        const { reply: seen, hidden } = await lag.seen(String(call.json['TableName']), reply)
        counts.INDEX_LAG += hidden
        return seen
      },
    }
  }

  const script: Script = async (call) => {
    const random = chances.get(call.operation) ?? seeded(seed, call.operation)
    chances.set(call.operation, random)
    // every call draws equally many numbers, so that a disabled fault does not change the others
    const mishap = merciful(call, mishapOf(MISHAPS, rates, call, random))
    const [aside, late, how] = [random(), random(), random()]
    const isLate = late < (rates.LATENCY ?? 0)
    if (isLate) counts.LATENCY++
    const fault = await befall(call, mishap, aside)
    return isLate ? { kind: 'DELAY', milliseconds: how * longestLatency, then: fault } : fault
  }
  return {
    script,
    counts,
    blow: (next) => {
      rates = next
    },
    calm: () => {
      rates = {}
    },
    close: () => shapes.close(),
  }
}

interface Asked {
  readonly Keys: readonly object[]
}

/** The number of items in a batch for one table; 0 for any other call. */
function keysOf({ operation, json }: ServiceCall): number {
  if (operation !== 'BatchGetItem') return 0
  const [asked, ...others] = Object.values(json['RequestItems'] as Record<string, Asked>)
  return asked === undefined || others.length > 0 ? 0 : asked.Keys.length
}

/** The engine gets some of the keys, and the client gets the others as unprocessed. */
function leaveOut({ json }: ServiceCall, aside: number): Fault {
  const [[table, asked] = ['', { Keys: [] }]] = Object.entries(json['RequestItems'] as Record<string, Asked>)
  const taken = 1 + Math.floor(aside * (asked.Keys.length - 1))
  const part = (Keys: readonly object[]): object => ({ [table]: { ...asked, Keys } })
  return {
    kind: 'REWRITE',
    body: JSON.stringify({ ...json, RequestItems: part(asked.Keys.slice(0, taken)) }),
    change: ({ status, body }) => ({
      status,
      body: status === 200 ? { ...body, UnprocessedKeys: part(asked.Keys.slice(taken)) } : body,
    }),
  }
}
