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
import { fromItem, type Item, LANES, laneKey, sequenceKey } from '../../../gateway/audit/item.ts'
import { LaneLog, type LaneLogOptions } from '../../../gateway/audit/log.ts'
import { newProcessId, newRequestId, type ProcessId } from '../../../gateway/audit/request-id.ts'
import type { LaneReceipt } from '../../../gateway/audit/submission.ts'
import { type Engine, startEngine } from '../../../infra/local/engine.ts'
import { createTables, dropTables } from '../../../infra/local/tables.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { access, context } from './examples.ts'
import { type Fault, PASS, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'

interface SentTransaction {
  readonly ClientRequestToken: string
  readonly TransactItems: readonly TransactWriteItem[]
}

/** One process that writes to the log of a tenant of its own. */
export interface Writer {
  readonly tenant: TenantId
  readonly process: ProcessId
  readonly log: LaneLog
  readonly events: readonly GatewayEvent[]
  readonly context: AuditContext
  /** Appends accesses that bear these numbers; the receipt of the last transaction they went with. */
  append(numbers: readonly number[], withinMs?: number, change?: Partial<TimedAccess>): Promise<LaneReceipt>
  /** These faults for its next transactions, one each, and then `after`; other writers pass. Forgets what it sent so far. */
  meets(faults: readonly Fault[], after?: Fault): void
  /** Its transactions since then, as they were sent. */
  sent(): SentTransaction[]
  /** What is stored of a lane, in order, as a reader finds it; the first lane unless told. */
  stored(lane?: number | string): Promise<AuditEntry[]>
  /** What is stored of every lane of the tenant, by its name. */
  storedByLane(): Promise<Map<string, AuditEntry[]>>
  /** The names of the tenant's lanes, as they were registered. */
  lanes(): Promise<string[]>
}

/** The audit table of a real engine, behind a proxy that does to calls what a network does. */
export class LaneBench {
  readonly faulty: HostileProxy
  readonly table: string
  readonly history: AuditHistory
  /** Past the proxy. */
  readonly direct: DynamoDBClient
  readonly #engine: Engine
  readonly #stage: string
  readonly #client: DynamoDBClient
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
    // an engine that others use too keeps what they hold
    const stage = `audit-${randomBytes(4).toString('hex')}`
    const direct = clientFor(engine.endpoint, 3)
    const { PHI_TABLE_AUDIT: audit } = await createTables(direct, stage)
    return new LaneBench(engine, await startProxy(engine.endpoint), stage, direct, audit)
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
    now = Date.now,
    ...options
  }: Partial<Pick<LaneLogOptions, 'process' | 'now' | 'monotonic' | 'lanes'>> & { tenant?: TenantId } = {}): Writer {
    const events: GatewayEvent[] = []
    const log = new LaneLog({
      client: this.#client,
      table: this.table,
      process,
      now,
      events: (event) => void events.push(event),
      ...options,
    })
    const about = context({ tenant, requestId: newRequestId(process, now(), randomBytes) })
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
        const records = numbers.map((number) => access(number, change))
        return (await log.append(about, records, now() + withinMs)).at(-1) as LaneReceipt
      },
      stored: async (lane = 1) => await this.stored(tenant, typeof lane === 'number' ? `${process}.${lane}` : lane),
      lanes: async () => await this.lanes(tenant),
      storedByLane: async () => await this.storedByLane(tenant),
    }
  }

  async stored(tenant: TenantId, lane: string): Promise<AuditEntry[]> {
    return (await this.items(laneKey(tenant, lane))).map(fromItem)
  }

  async lanes(tenant: TenantId): Promise<string[]> {
    return (await this.items(laneKey(tenant, LANES))).map(({ n }) => String(n?.S)).toSorted()
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

  /** Commits a transaction as it was sent, without its token. */
  async commit(body: string): Promise<void> {
    const { TransactItems } = JSON.parse(body, (name, value: unknown) =>
      name === 'B' ? Buffer.from(String(value), 'base64') : value,
    ) as TransactWriteItemsCommandInput
    await this.direct.send(new TransactWriteItemsCommand({ TransactItems }))
  }

  /** Somebody else writes where the lane will write next. */
  async intrude({ tenant, process }: Writer, sequence: number): Promise<void> {
    const key = { l: { S: laneKey(tenant, `${process}.1`) }, n: { S: sequenceKey(sequence) } }
    await this.direct.send(new PutItemCommand({ TableName: this.table, Item: { ...key, h: { B: randomBytes(32) } } }))
  }
}

export function clientFor(endpoint: string, maxAttempts = 1): DynamoDBClient {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  // as in service: a lane sees each answer itself
  return new DynamoDBClient({ endpoint, region: 'us-east-1', credentials, maxAttempts })
}

/**
 * Holds a lane against what the verifier does: numbers without a gap, and each hash over the one before and the record's
 * canonical JSON. Recomputed here by other code than the lane's and the verifier's, on purpose: a fault that those two share
 * would be found by neither.
 */
export function expectIntact(entries: readonly AuditEntry[]): void {
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1))
  let before = '0'.repeat(64)
  for (const { prev, hash, ...told } of entries) {
    expect(prev).toBe(before)
    const members = Object.entries(told).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const json = `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`
    expect(hash).toBe(createHash('sha256').update(Buffer.from(prev, 'hex')).update(json).digest('hex'))
    before = hash
  }
}

/** The numbers that the accesses of a test bear, in the order in which they stand. */
export const numbersOf = (entries: readonly AuditEntry[]): (number | undefined)[] =>
  entries.map(({ recordVersion }) => recordVersion)

/** Which lane a transaction is of, by its last record. */
export const laneOf = ({ TransactItems }: SentTransaction): string =>
  String(TransactItems.at(-1)?.Put?.Item?.['l']?.S).split('#')[1] ?? ''

/** What was begun goes on as far as it can without the network: the next one comes later, and not together with it. */
export const aMoment = async (): Promise<void> => {
  await new Promise(setImmediate)
}

export const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, index) => first + index)
