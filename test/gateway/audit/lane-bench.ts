import {
  DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  type TransactWriteItem,
  type TransactWriteItemsCommandInput,
} from '@aws-sdk/client-dynamodb'
import { createHash, randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import type { AuditContext, AuditEntry, TimedAccess } from '../../../gateway/audit/entry.ts'
import { AuditHistory } from '../../../gateway/audit/history.ts'
import { entriesOf, type Item, laneKey, sequenceKey } from '../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { LaneLog, type LaneLogOptions } from '../../../gateway/audit/log.ts'
import { newProcessId, newRequestId, type ProcessId } from '../../../gateway/audit/request-id.ts'
import type { ItemReceipt } from '../../../gateway/audit/submission.ts'
import { type Engine, startEngine } from '../../../infra/local/engine.ts'
import { createTables, dropTables } from '../../../infra/local/tables.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { access, context, itemsOf, NOON } from './examples.ts'
import { type Fault, PASS, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'

/**
 * The wall clock of writers, in milliseconds since the epoch. It starts at the beginning of an hour, so that no test meets the end
 * of an hour by accident.
 */
export const benchNow = (): number => NOON + Math.floor(performance.now())

interface SentTransaction {
  readonly ClientRequestToken: string
  readonly TransactItems: readonly TransactWriteItem[]
}

/** One process that writes to the log of its own tenant. */
export interface Writer {
  readonly tenant: TenantId
  readonly process: ProcessId
  readonly log: LaneLog
  readonly events: readonly GatewayEvent[]
  readonly context: AuditContext
  /** Appends accesses with these numbers, each in its own item. Returns the receipt of the last item. */
  append(numbers: readonly number[], withinMs?: number, change?: Partial<TimedAccess>): Promise<ItemReceipt>
  /** Plays one fault for each of the next transactions of this writer, and then `after`. Other writers pass. Clears `sent`. */
  meets(faults: readonly Fault[], after?: Fault): void
  /** The transactions of this writer since then, as they were sent. */
  sent(): SentTransaction[]
  /** The stored records of a lane, in order, as a reader finds them. Defaults to the first lane. */
  stored(lane?: number | string): Promise<AuditEntry[]>
  /** The stored records of every lane of the tenant, by name of the lane. */
  storedByLane(): Promise<Map<string, AuditEntry[]>>
  /** The names of the tenant's lanes, from the registries of all hours. */
  lanes(): Promise<string[]>
  /** The registries of the tenant: the names of the lanes, by hour. */
  hours(): Promise<Record<string, string[]>>
}

/** The audit table of a real engine, behind a proxy that injects network faults. */
export class LaneBench {
  readonly faulty: HostileProxy
  readonly table: string
  readonly history: AuditHistory
  /** A client that bypasses the proxy. */
  readonly direct: DynamoDBClient
  readonly #engine: Engine
  readonly #stage: string
  readonly #client: DynamoDBClient
  /** Every hour in which a writer could open a lane: the hours that its wall clock showed, and the adjacent hours. */
  readonly #hours = new Set<string>()
  #tenants = 0

  private constructor(engine: Engine, faulty: HostileProxy, stage: string, direct: DynamoDBClient, table: string) {
    this.#engine = engine
    this.faulty = faulty
    this.#stage = stage
    this.direct = direct
    this.table = table
    this.#client = clientFor(faulty.endpoint)
    this.history = new AuditHistory(direct, table)
  }

  static async start(): Promise<LaneBench> {
    const engine = await startEngine()
    // a shared engine keeps its data
    const stage = `audit-${randomBytes(4).toString('hex')}`
    const direct = clientFor(engine.endpoint, 3)
    const { PHI_TABLE_AUDIT: audit } = await createTables(direct, stage)
    return new LaneBench(engine, await startProxy(engine.endpoint), stage, direct, audit)
  }

  /** The URL of the engine, without the proxy. */
  get engine(): string {
    return this.#engine.endpoint
  }

  async stop(): Promise<void> {
    this.#client.destroy()
    await this.faulty.stop()
    await dropTables(this.direct, this.#stage)
    this.direct.destroy()
    await this.#engine.stop()
  }

  /** A tenant that no other test writes to. */
  tenant(): TenantId {
    return `tenant-${++this.#tenants}` as TenantId
  }

  writer({
    tenant = this.tenant(),
    process = newProcessId(randomBytes),
    now = benchNow,
    ...options
  }: Partial<Pick<LaneLogOptions, 'process' | 'now' | 'monotonic' | 'lanes'>> & { tenant?: TenantId } = {}): Writer {
    const events: GatewayEvent[] = []
    const log = new LaneLog({
      client: this.#client,
      table: this.table,
      process,
      now: () => this.#noted(now()),
      events: (event) => void events.push(event),
      ...options,
    })
    const about = context({ tenant, requestId: newRequestId(process, now(), randomBytes) })
    const packer = new ItemPacker(about)
    // a lane that retired in another test may still linger
    const isOurs = ({ operation, body }: ServiceCall): boolean =>
      operation === 'TransactWriteItems' && body.includes(`"${tenant}#${process}.`)
    return {
      tenant,
      process,
      meets: (faults, after = PASS) => {
        const left = [...faults]
        this.faulty.play((request) => (isOurs(request) ? (left.shift() ?? after) : PASS))
      },
      sent: () => this.faulty.requests.filter(isOurs).map(({ body }) => JSON.parse(body) as SentTransaction),
      log,
      events,
      context: about,
      append: async (numbers, withinMs = 5_000, change = {}) => {
        const accesses = numbers.map((number) => access(number, change))
        return (await log.append(itemsOf(packer, accesses), now() + withinMs)).at(-1) as ItemReceipt
      },
      stored: async (lane = 1) => await this.stored(tenant, typeof lane === 'number' ? `${process}.${lane}` : lane),
      lanes: async () => await this.lanes(tenant),
      hours: async () => await this.hours(tenant),
      storedByLane: async () => await this.storedByLane(tenant),
    }
  }

  #noted(time: number): number {
    for (const near of [time - HOUR_MS, time, time + HOUR_MS]) this.#hours.add(new Date(near).toISOString().slice(0, 13))
    return time
  }

  async stored(tenant: TenantId, lane: string): Promise<AuditEntry[]> {
    return (await this.items(laneKey(tenant, lane))).flatMap(storedEntries)
  }

  async lanes(tenant: TenantId): Promise<string[]> {
    return Object.values(await this.hours(tenant))
      .flat()
      .toSorted()
  }

  async hours(tenant: TenantId): Promise<Record<string, string[]>> {
    const hours = [...this.#hours].toSorted()
    const registries = await Promise.all(hours.map((hour) => this.items(`${tenant}#LANES#${hour}`)))
    const named = hours.map((hour, at): [string, string[]] => [
      hour,
      (registries[at] ?? []).map(({ n }) => String(n?.S)).toSorted(),
    ])
    return Object.fromEntries(named.filter(([, lanes]) => lanes.length > 0))
  }

  async storedByLane(tenant: TenantId): Promise<Map<string, AuditEntry[]>> {
    const names = await this.lanes(tenant)
    return new Map(
      await Promise.all(names.map(async (name): Promise<[string, AuditEntry[]]> => [name, await this.stored(tenant, name)])),
    )
  }

  async items(lane: string): Promise<Item[]> {
    const items: Item[] = []
    let from: Item | undefined
    do {
      const page = await this.direct.send(
        new QueryCommand({
          TableName: this.table,
          KeyConditionExpression: 'l = :lane',
          ExpressionAttributeValues: { ':lane': { S: lane } },
          ConsistentRead: true,
          ...(from && { ExclusiveStartKey: from }),
        }),
      )
      items.push(...(page.Items ?? []))
      from = page.LastEvaluatedKey
    } while (from !== undefined)
    return items
  }

  /** Commits a sent transaction without its token. */
  async commit(body: string): Promise<void> {
    const { TransactItems } = JSON.parse(body, (name, value: unknown) =>
      name === 'B' ? Buffer.from(String(value), 'base64') : value,
    ) as TransactWriteItemsCommandInput
    await this.direct.send(new TransactWriteItemsCommand({ TransactItems }))
  }

  /** Writes an item at the next position of the lane, as another process would. */
  async intrude({ tenant, process }: Writer, sequence: number): Promise<void> {
    const key = { l: { S: laneKey(tenant, `${process}.1`) }, n: { S: sequenceKey(sequence) } }
    await this.direct.send(new PutItemCommand({ TableName: this.table, Item: { ...key, h: { B: randomBytes(32) } } }))
  }
}

export function clientFor(endpoint: string, maxAttempts = 1): DynamoDBClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  // as in production, the SDK does not retry: a lane sees each answer
  return new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts })
}

const HOUR_MS = 3_600_000
/** The item of a stored record. */
const itemOf = new WeakMap<AuditEntry, Item>()

/** The records of an item, registered for `expectIntact`, which compares them with the item. */
export function storedEntries(item: Item): AuditEntry[] {
  const entries = entriesOf(item)
  for (const entry of entries) itemOf.set(entry, item)
  return entries
}

/**
 * Compares the records of a lane with the format: item numbers without a gap, and each hash over the previous hash, the address and
 * the text. This code computes the hash independently of the writer and the verifier, because the two could share a fault.
 *
 * @param entries all records of a lane, from `storedEntries`
 */
export function expectIntact(entries: readonly AuditEntry[]): void {
  const items = Map.groupBy(entries, (entry) => itemOf.get(entry))
  let before = '0'.repeat(64)
  let sequence = 0
  for (const [item, records] of items) {
    sequence++
    const [first] = records
    expect(item).toMatchObject({ l: { S: `${first?.tenant}#${first?.lane}` }, n: { S: String(sequence).padStart(8, '0') } })
    const address = `${first?.tenant}#${first?.lane}/${sequence}\n`
    const hash = createHash('sha256')
      .update(Buffer.from(before, 'hex'))
      .update(address)
      .update(String(item?.['e']?.S))
      .digest('hex')
    expect(records.map(({ index }) => index)).toEqual(records.map((_, at) => at + 1))
    for (const record of records) expect(record).toMatchObject({ sequence, prev: before, hash })
    expect(Buffer.from(item?.['pv']?.B ?? []).toString('hex')).toBe(before)
    expect(Buffer.from(item?.['h']?.B ?? []).toString('hex')).toBe(hash)
    before = hash
  }
}

/** The numbers of the tests' accesses, in stored order. */
export const numbersOf = (entries: readonly AuditEntry[]): (number | undefined)[] =>
  entries.map(({ recordVersion }) => recordVersion)

/** The lane of a transaction, by its last record. */
export const laneOf = ({ TransactItems }: SentTransaction): string =>
  String(TransactItems.at(-1)?.Put?.Item?.['l']?.S).split('#')[1] ?? ''

/** Lets pending work run up to its next network call, so that the next request comes later and not together with it. */
export const aMoment = async (): Promise<void> => {
  await new Promise(setImmediate)
}

export const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)
