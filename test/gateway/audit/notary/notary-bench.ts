import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { LaneLog } from '../../../../gateway/audit/log.ts'
import { hourBefore } from '../../../../gateway/audit/notary/hours.ts'
import { CheckpointTable } from '../../../../gateway/audit/notary/checkpoint-table.ts'
import { LaneReader } from '../../../../gateway/audit/notary/lane-reader.ts'
import { Notary } from '../../../../gateway/audit/notary/notary.ts'
import { type AskWitnesses, Publisher } from '../../../../gateway/audit/notary/publisher.ts'
import { Sealer } from '../../../../gateway/audit/notary/sealer.ts'
import { hourOf } from '../../../../gateway/audit/hour.ts'
import { newProcessId } from '../../../../gateway/audit/request-id.ts'
import type { ItemReceipt } from '../../../../gateway/audit/submission.ts'
import { appended, EMPTY, frontierRoot, leafHash } from '../../../../gateway/audit/verify/tree.ts'
import type { CheckpointSigner } from '../../../../gateway/model/checkpoint-signer.ts'
import type { Instant, TenantId } from '../../../../gateway/model/ids.ts'
import type { ObjectStore } from '../../../../gateway/model/object-store.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import type { GatewayEvent } from '../../../../gateway/telemetry/events.ts'
import { type Engine, startEngine } from '../../../../infra/local/engine.ts'
import { createTables, dropTables } from '../../../../infra/local/tables.ts'
import { access, context, itemsOf } from '../examples.ts'

/** Clocks that move only when a test moves them. */
export class SetClock {
  /** Milliseconds since the epoch. */
  time: number
  constructor(text: string) {
    this.time = Date.parse(text)
  }
  readonly now = (): number => this.time
  readonly monotonic = this.now
  pass(seconds: number): void {
    this.time += seconds * 1_000
  }
}

const pairs = { ED25519: generateKeyPairSync('ed25519'), ML_DSA_44: generateKeyPairSync('ml-dsa-44') }
const RAW_BYTES = { ED25519: 32, ML_DSA_44: 1_312 }

/** The keys of the log in this process. */
export const SIGNERS: readonly CheckpointSigner[] = (['ED25519', 'ML_DSA_44'] as const).map((algorithm) => {
  const { publicKey, privateKey } = pairs[algorithm]
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-RAW_BYTES[algorithm])
  return {
    algorithm,
    publicKey: () => Promise.resolve(raw),
    sign: (message) => Promise.resolve(sign(null, message, privateKey)),
  }
})

export interface NotaryServices {
  readonly client: Pick<DynamoDBClient, 'send'>
  readonly objects: ObjectStore
  readonly signers: readonly CheckpointSigner[]
}

interface SegmentItem {
  readonly l: string
  readonly n: number
  readonly pv: string
  readonly h: string
  readonly e: string
}

export const originOf = (tenant: string): string => `phi.example.com/audit/${tenant}`

/** The tables of a real engine, and a folder of objects. */
export class NotaryBench {
  readonly client: DynamoDBClient
  readonly objects: FolderObjects
  readonly audit: string
  readonly checkpoints: string
  readonly #engine: Engine
  readonly #stage: string
  readonly #folder: string
  #tenants = 0

  private constructor(engine: Engine, stage: string, client: DynamoDBClient, tables: { audit: string; checkpoints: string }) {
    this.#engine = engine
    this.#stage = stage
    this.client = client
    this.audit = tables.audit
    this.checkpoints = tables.checkpoints
    this.#folder = mkdtempSync(join(tmpdir(), 'phi-notary-'))
    this.objects = new FolderObjects(this.#folder)
  }

  static async start(): Promise<NotaryBench> {
    const engine = await startEngine()
    const stage = `notary-${randomBytes(4).toString('hex')}`
    const client = new DynamoDBClient({
      endpoint: engine.endpoint,
      region: 'us-east-1',
      maxAttempts: 3,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    })
    const { PHI_TABLE_AUDIT: audit, PHI_TABLE_CHECKPOINTS: checkpoints } = await createTables(client, stage)
    return new NotaryBench(engine, stage, client, { audit, checkpoints })
  }

  async stop(): Promise<void> {
    await dropTables(this.client, this.#stage)
    this.client.destroy()
    await this.#engine.stop()
    rmSync(this.#folder, { recursive: true })
  }

  get services(): NotaryServices {
    return { client: this.client, objects: this.objects, signers: SIGNERS }
  }

  tenant(): TenantId {
    return `tenant-${++this.#tenants}` as TenantId
  }

  /** A gateway process that writes to the log of a tenant. */
  writer(tenant: TenantId, clock: SetClock, lanes = 4): (count: number) => Promise<readonly ItemReceipt[]> {
    const { client, audit: table } = this
    const events = (): undefined => undefined
    const process = newProcessId(randomBytes)
    const log = new LaneLog({ client, table, process, now: clock.now, monotonic: clock.now, events, lanes })
    const about = context({ tenant })
    let number = 0
    return async (count) => {
      const accesses = Array.from({ length: count }, () => access(++number, { at: clock.now() as Instant }))
      const appends = accesses.map((one) => log.append(itemsOf(about, [one]), clock.now() + 60_000))
      return (await Promise.all(appends)).flat()
    }
  }

  notary(
    clock: SetClock,
    { client, objects, signers }: NotaryServices = this.services,
    { maxItems = 4_096, askWitnesses = () => Promise.resolve([]) }: { maxItems?: number; askWitnesses?: AskWitnesses } = {},
  ): { readonly events: readonly GatewayEvent[]; pass(tenant: TenantId): Promise<boolean> } {
    const events: GatewayEvent[] = []
    const table = new CheckpointTable(client, this.checkpoints)
    const reader = new LaneReader(client, this.audit)
    const notary = new Notary({
      table,
      sealer: new Sealer(table, reader, clock.now, maxItems),
      publisher: new Publisher({ table, reader, objects, signersFor: () => signers, originOf, askWitnesses }),
      objects,
      now: clock.now,
      events: (event) => void events.push(event),
    })
    const since = hourBefore(hourOf(clock.now()))
    return { events, pass: async (tenant) => await notary.pass(tenant, since) }
  }

  /** The published log of a tenant, with everything compared: segments against the table, tiles and notes against the segments. */
  async published(tenant: TenantId): Promise<PublishedLog> {
    return await readLog(this.objects, tenant)
  }
}

export interface PublishedLog {
  readonly items: readonly SegmentItem[]
  /** The size of each checkpoint, in order. */
  readonly sizes: readonly number[]
  readonly latest: string | undefined
  readonly names: readonly string[]
}

/** @throws Error if two objects contradict each other */
export async function readLog(objects: ObjectStore, tenant: string): Promise<PublishedLog> {
  const names: string[] = []
  for await (const name of objects.list(`${tenant}/`)) names.push(name)
  const read = async (name: string): Promise<Buffer> => Buffer.from((await objects.get(name))?.bytes ?? [])
  const items: SegmentItem[] = []
  for (const name of names.filter((one) => one.startsWith(`${tenant}/segments/`))) {
    const [, start = '', end = ''] = /(\d{16})-(\d{16})\.ndjson\.gz$/.exec(name) ?? []
    if (Number(start) !== items.length) throw new Error(`a segment begins at ${start} and not at ${items.length}`)
    const lines = gunzipSync(await read(name))
      .toString()
      .split('\n')
      .slice(0, -1)
    items.push(...lines.map((line) => JSON.parse(line) as SegmentItem))
    if (Number(end) !== items.length) throw new Error(`a segment ends at ${items.length} and not at ${end}`)
  }
  const leaves = items.map(({ h }) => leafHash(Buffer.from(h, 'hex')))
  const sizes: number[] = []
  let tree = EMPTY
  for (const name of names.filter((one) => one.startsWith(`${tenant}/checkpoints/`))) {
    const [origin, size, root] = (await read(name)).toString().split('\n')
    while (tree.size < Number(size)) tree = appended(tree, leaves[tree.size] as Uint8Array)
    if (origin !== originOf(tenant) || root !== Buffer.from(frontierRoot(tree)).toString('base64'))
      throw new Error(`the checkpoint of ${String(size)} has another root`)
    sizes.push(tree.size)
    const row = Buffer.concat(leaves.slice(tree.size - (tree.size % 256), tree.size))
    const tile = `${tenant}/tile/0/${String(Math.floor(tree.size / 256)).padStart(3, '0')}.p/${tree.size % 256}`
    if (tree.size % 256 > 0 && !(await read(tile)).equals(row)) throw new Error(`the tile ${tile} differs`)
  }
  const latest = await objects.get(`${tenant}/checkpoint`)
  return { items, sizes, latest: latest && Buffer.from(latest.bytes).toString(), names }
}
