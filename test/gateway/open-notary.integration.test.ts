import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { LaneLog } from '../../gateway/audit/log.ts'
import { CheckpointTable } from '../../gateway/audit/notary/checkpoint-table.ts'
import { hourOf } from '../../gateway/audit/hour.ts'
import { newProcessId } from '../../gateway/audit/request-id.ts'
import { verifyCheckpoint } from '../../gateway/audit/verify/checkpoint.ts'
import { parseLogPolicy } from '../../gateway/audit/verify/log-policy.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { openNotary } from '../../gateway/open-notary.ts'
import { openObjects } from '../../gateway/store/open-objects.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { type Engine, startEngine } from '../../infra/local/engine.ts'
import { type KmsStandIn, startKms } from '../../infra/local/kms.ts'
import { type ObjectStoreStandIn, startObjectStore } from '../../infra/local/object-store.ts'
import { createTables, dropTables } from '../../infra/local/tables.ts'
import { access, context, itemsOf } from './audit/examples.ts'
import { readLog } from './audit/notary/notary-bench.ts'

const ORIGIN = 'phi.example.com'
const [ED25519, ML_DSA] = ['alias/log-ed25519', 'alias/log-ml-dsa-44']
const LOCK = 'a policy lock\n'
const stage = `open-notary-${randomBytes(4).toString('hex')}`

let engine: Engine
let kms: KmsStandIn
let bucket: ObjectStoreStandIn
let client: DynamoDBClient
let env: Record<string, string>
beforeAll(async () => {
  engine = await startEngine()
  kms = await startKms({ signing: { [ED25519]: 'ECC_NIST_EDWARDS25519', [ML_DSA]: 'ML_DSA_44' }, aliases: ['alias/other'] })
  bucket = await startObjectStore({ bucket: 'phi-audit' })
  client = new DynamoDBClient({
    endpoint: engine.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const tables = await createTables(client, stage)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local')
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', engine.endpoint)
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', kms.endpoint)
  vi.stubEnv('AWS_ENDPOINT_URL_S3', bucket.endpoint)
  env = {
    ...tables,
    PHI_STAGE: 'test',
    PHI_LOG_ORIGIN: ORIGIN,
    PHI_LOG_KEYS: JSON.stringify({ '*': { ed25519: ED25519, mlDsa44: ML_DSA } }),
    PHI_AUDIT_OBJECTS: 's3://phi-audit',
    PHI_NOTARY_TENANTS: 'quiet',
  }
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await dropTables(client, stage)
  client.destroy()
  await Promise.all([engine.stop(), kms.stop(), bucket.stop()])
})

async function write(tenant: string, count: number): Promise<void> {
  const events = (): undefined => undefined
  const table = env['PHI_TABLE_AUDIT'] ?? ''
  const log = new LaneLog({ client, table, process: newProcessId(randomBytes), now: Date.now, events })
  const about = context({ tenant: tenant as TenantId })
  await log.append(Array.from({ length: count }, (_, number) => itemsOf(about, [access(number + 1)])).flat(), Date.now() + 5_000)
}

describe('P7: the notary of a deployment, with the clients of the SDK', () => {
  it('P7: seals known and new tenants into the bucket, with both keys of KMS, and stores keys and policy lock', async () => {
    const events: GatewayEvent[] = []
    const notary = openNotary(env, { lock: LOCK, events: (event) => void events.push(event) })
    await new CheckpointTable(client, env['PHI_TABLE_CHECKPOINTS'] ?? '').addTenant('busy', hourOf(Date.now()))
    await write('busy', 40)
    expect(await notary.run()).toBe(true)
    await write('busy', 2)
    expect(await notary.run()).toBe(true)
    expect(events.map(({ event }) => event)).toEqual(Array.from({ length: 4 }, () => 'NOTARY_PASS'))
    const objects = openObjects(env)
    // the log of the bench has the same host
    const { items, sizes, latest, names } = await readLog(objects, 'busy')
    expect([items.length, sizes]).toEqual([42, [40, 42]])
    expect((await readLog(objects, 'quiet')).names).toEqual([])
    const policy = Buffer.from((await objects.get('busy/policy'))?.bytes ?? []).toString()
    const read = parseLogPolicy(policy)
    if (read.outcome !== 'READ') throw new Error(read.reason)
    expect(read.policy.logs.map(({ key }) => key.algorithm)).toEqual(['ED25519', 'ML_DSA_44'])
    expect(await verifyCheckpoint(latest ?? '', `${ORIGIN}/audit/busy`, read.policy)).toMatchObject({ outcome: 'VERIFIED' })
    expect(latest?.trimEnd().split('\n')).toHaveLength(6)
    expect(names).toContain(`busy/policies/${createHash('sha256').update(LOCK).digest('hex')}.lock`)
    expect(bucket.calls('DELETE')).toBe(0)
  })

  it('P7: publishes nothing while a key is disabled, and everything once it is enabled again', async () => {
    const events: GatewayEvent[] = []
    const notary = openNotary({ ...env, PHI_NOTARY_TENANTS: 'keyless' }, { lock: LOCK, events: (event) => void events.push(event) })
    await write('keyless', 3)
    kms.setState(ML_DSA, 'Disabled')
    expect(await notary.run()).toBe(false)
    expect(events).toContainEqual({ event: 'NOTARY_FAILED', tenant: 'keyless', cause: 'KeyUnavailable' })
    expect((await readLog(openObjects(env), 'keyless')).sizes).toEqual([])
    kms.setState(ML_DSA, 'Enabled')
    expect(await notary.run()).toBe(true)
    expect((await readLog(openObjects(env), 'keyless')).sizes).toEqual([3])
  })

  it.each([
    ['PHI_AUDIT_OBJECTS', 'relative/folder'],
    ['PHI_AUDIT_OBJECTS', 's3://'],
    ['PHI_LOG_ORIGIN', 'phi.example.com/audit'],
    ['PHI_LOG_KEYS', '{}'],
    ['PHI_LOG_KEYS', '{"*":{"ed25519":"a"}}'],
    ['PHI_NOTARY_TENANTS', 'Not A Tenant'],
    ['PHI_WITNESS_POLICY', 'witness\n'],
    ['PHI_TABLE_CHECKPOINTS', ''],
  ])('does not start if %s is %j', (name, value) => {
    expect(() => openNotary({ ...env, [name]: value }, { lock: LOCK })).toThrow(name)
  })
})
