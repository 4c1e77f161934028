import { DynamoDBClient, GetItemCommand, paginateScan, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes, randomUUID } from 'node:crypto'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import { entriesOf } from '../../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../../gateway/audit/item-packer.ts'
import { LaneLog } from '../../../../gateway/audit/log.ts'
import { newProcessId } from '../../../../gateway/audit/request-id.ts'
import type { Contract } from '../../../../gateway/model/contract.ts'
import { Deadline } from '../../../../gateway/model/deadline.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import type { Approval } from '../../../../gateway/model/registered-operation.ts'
import { automaticQueries } from '../../../../gateway/operations/persisted/automatic-queries.ts'
import type { ClientOf } from '../../../../gateway/operations/persisted/operation-registry.ts'
import type { PublishedOperation } from '../../../../gateway/operations/persisted/publication.ts'
import { OperationRegistrar } from '../../../../gateway/operations/persisted/registrar.ts'
import { type Changes, isRefused } from '../../../../gateway/operations/persisted/registry-change.ts'
import { storedRegistry } from '../../../../gateway/operations/persisted/stored-registry.ts'
import { AutomaticQueryTable } from '../../../../gateway/store/automatic-queries.ts'
import type { Key } from '../../../../gateway/store/batch-get.ts'
import { OperationTable } from '../../../../gateway/store/operations.ts'
import { RecipientTable } from '../../../../gateway/store/recipients.ts'
import { startEngine } from '../../../../infra/local/engine.ts'
import { createTables, dropTables } from '../../../../infra/local/tables.ts'
import { KillSwitch } from '../../../hostile/kill-switch.ts'
import { type HostileProxy, startProxy } from '../../../hostile/proxy.ts'
import { NOON, context } from '../../audit/examples.ts'
import { KeyHouse, RIVERSIDE } from '../../crypto/key-fixtures.ts'
import type { Item } from '../../store/database-hand.ts'

/** The versions that tests publish. */
export const V1 = { app: 'portal', version: '1' }
export const V2 = { app: 'portal', version: '2' }

interface Names {
  readonly PHI_TABLE_OPERATIONS: string
  readonly PHI_TABLE_AUDIT: string
}

/** A process that reads the registry, with a table client and a keyring of its own. */
export interface RegistryProcess {
  readonly registry: ReturnType<typeof storedRegistry>
  readonly queries: ReturnType<typeof automaticQueries>
  /** The requests of the registry to the table. */
  requests(): number
}

/** The table of operations on a real engine, behind a proxy that injects faults, with a clock that the test sets. */
export class RegistryBench {
  readonly proxy: HostileProxy
  readonly #house: KeyHouse
  readonly #client: DynamoDBClient
  readonly #names: Names
  readonly #log: LaneLog
  readonly #stop: () => Promise<void>
  /** Milliseconds since the start of the test clock. */
  elapsed = 0

  private constructor(parts: {
    proxy: HostileProxy
    house: KeyHouse
    client: DynamoDBClient
    names: Names
    stop: () => Promise<void>
  }) {
    this.proxy = parts.proxy
    this.#house = parts.house
    this.#client = parts.client
    this.#names = parts.names
    this.#stop = parts.stop
    const process = newProcessId(randomBytes)
    this.#log = new LaneLog({
      client: parts.client,
      table: parts.names.PHI_TABLE_AUDIT,
      process,
      now: Date.now,
      events: () => undefined,
    })
  }

  static async start(): Promise<RegistryBench> {
    const engine = await startEngine()
    const proxy = await startProxy(engine.endpoint)
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
    const client = new DynamoDBClient({ endpoint: proxy.endpoint, region: 'us-east-1', credentials, maxAttempts: 1 })
    const stage = `registry-${randomUUID()}`
    const names = await createTables(client, stage)
    const house = new KeyHouse()
    await house.ring.createTenant(RIVERSIDE)
    const stop = async (): Promise<void> => {
      await dropTables(client, stage)
      client.destroy()
      await proxy.stop()
      await engine.stop()
    }
    return new RegistryBench({ proxy, house, client, names, stop })
  }

  readonly now = (): number => NOON + this.elapsed

  /** The calls to KMS. */
  get kmsCalls(): number {
    return this.#house.kms.decrypts
  }

  set kmsIsDown(down: boolean) {
    this.#house.kms.down = down
  }

  get table(): string {
    return this.#names.PHI_TABLE_OPERATIONS
  }

  /** A process with cold keys and caches. */
  process(): RegistryProcess {
    const table = new OperationTable(this.#client, this.table)
    const automatic = new AutomaticQueryTable(this.#client, this.table)
    const parts = { keyring: this.#house.newRing(), now: this.now, monotonic: () => this.elapsed }
    return {
      registry: storedRegistry({ table, ...parts }),
      queries: automaticQueries({ table: automatic, ...parts }),
      requests: () => table.counter.requests + automatic.counter.requests,
    }
  }

  registrar(): OperationRegistrar {
    const table = new OperationTable(this.#client, this.table)
    const recipients = new RecipientTable(this.#client, this.table)
    return new OperationRegistrar({ table, recipients, keyring: this.#house.newRing(), now: this.now })
  }

  /** Commits changes in their order, each with its audit record. @throws VersionConflict */
  async commit(changes: Changes, process = new KillSwitch(Number.POSITIVE_INFINITY, 'BEFORE')): Promise<void> {
    if (isRefused(changes)) throw new Error(changes.refused)
    for (const { writes, record } of changes) {
      const items = new ItemPacker(context()).ofWrite([{ ...record, at: NOON }])
      await process.call(() => this.#log.commit(writes, items, Date.now() + 30_000))
    }
  }

  deadline(milliseconds = 10_000): Deadline {
    return new Deadline(Date.now() + milliseconds, { now: Date.now, monotonic: () => performance.now() })
  }

  /** Publishes operations in an active version. */
  async publish(of: ClientOf, operations: readonly PublishedOperation[], appVersion = V1): Promise<void> {
    await this.commit(await this.registrar().publication(of, operations, appVersion, APPROVAL, 'ACTIVE'))
  }

  async agree(of: ClientOf, change: Partial<Contract> = {}): Promise<void> {
    await this.commit(await this.registrar().contractChange(of, contractOf(of, change), APPROVAL))
  }

  async item({ pk, sk }: Key): Promise<Item> {
    const { Item: item } = await this.#client.send(
      new GetItemCommand({ TableName: this.table, Key: { pk: { S: pk }, sk: { S: sk } }, ConsistentRead: true }),
    )
    if (item === undefined) throw new Error('no such item')
    return item
  }

  /** Writes an item as a writer of the database does. */
  async put(item: Item): Promise<void> {
    await this.#client.send(new PutItemCommand({ TableName: this.table, Item: item }))
  }

  /** All items of a partition. */
  async partition(pk: string): Promise<readonly Item[]> {
    const { Items: items } = await this.#client.send(
      new QueryCommand({
        TableName: this.table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: pk } },
        ConsistentRead: true,
      }),
    )
    return items ?? []
  }

  /** The audit records about a client, in the order of their commits. */
  async auditOf({ client }: ClientOf): Promise<readonly AuditEntry[]> {
    const pages = paginateScan({ client: this.#client }, { TableName: this.#names.PHI_TABLE_AUDIT })
    const entries: AuditEntry[] = []
    for await (const { Items: items = [] } of pages) {
      // the registries of lanes have no entries
      entries.push(...items.filter(({ e }) => e !== undefined).flatMap(entriesOf))
    }
    return entries.filter(({ recordId }) => recordId === client).toSorted((one, other) => one.sequence - other.sequence)
  }

  stop(): Promise<void> {
    return this.#stop()
  }
}

export const APPROVAL: Approval = { by: 'os:admin', at: NOON, policy: 'ab'.repeat(32), contract: 'cd'.repeat(32) }

/** A client that no other test has. */
export const newClient = (): ClientOf => ({ tenant: RIVERSIDE, client: `client-${randomUUID()}` })

export const contractOf = ({ client }: ClientOf, change: Partial<Contract> = {}): Contract => ({
  client,
  recipient: { name: 'Acme Health Plan', address: '1 Main Street, Springfield', reference: 'Organization/acme' },
  roles: new Set(['PAYER']) as unknown as Contract['roles'],
  purposes: new Set(['HPAYMT'] as const),
  paths: new Set(['Patient.mrn', 'Patient.birthDate']) as unknown as Contract['paths'],
  categories: new Set(['IDENTITY']) as unknown as Contract['categories'],
  sensitivities: new Set() as unknown as Contract['sensitivities'],
  maxPage: 50,
  valuesPerDay: 50_000,
  expiresAt: (NOON + 90 * 24 * 60 * 60_000) as Instant,
  networks: ['192.0.2.0/24'],
  digest: 'cd'.repeat(32),
  ...change,
})

/** Operations with distinct ids, texts and hashes. */
export const operationsOf = (count: number, first = 1): PublishedOperation[] =>
  Array.from({ length: count }, (_, index) => operation(first + index))

export const operation = (number: number, change: Partial<PublishedOperation> = {}): PublishedOperation => ({
  id: number.toString(16).padStart(64, '0'),
  name: `Operation${number}`,
  text: `query Operation${number} { viewer { userId } }`,
  textHash: number.toString(16).padStart(64, 'f'),
  ...change,
})
