import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { NoSealedLog } from '../../gateway/oversight/log/stored-log.ts'
import { openTableAdmin } from '../../gateway/admin/audit-tables.ts'
import type { TenantId } from '../../gateway/model/ids.ts'
import { openTables } from '../../gateway/open-tables.ts'
import { logTenants } from '../../gateway/oversight/tables/log-tenants.ts'
import { openObjects } from '../../gateway/store/open-objects.ts'
import { openTableObjects } from '../../gateway/store/open-tables.ts'
import type { GatewayEvent } from '../../gateway/telemetry/events.ts'
import { type ObjectStoreStandIn, startObjectStore } from '../../infra/local/object-store.ts'
import { NOON } from './audit/examples.ts'
import { laneOf } from './audit/sealed-log.ts'
import { publish, soundManifest, emptyLog } from './oversight/tables/table-bench.ts'

let folder: string
let bucket: ObjectStoreStandIn
let env: Record<string, string>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-open-tables-'))
  bucket = await startObjectStore({ bucket: 'phi-tables' })
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local')
  vi.stubEnv('AWS_ENDPOINT_URL_S3', bucket.endpoint)
  env = { PHI_STAGE: 'test', PHI_AUDIT_OBJECTS: join(folder, 'log'), PHI_AUDIT_TABLES: 's3://phi-tables' }
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await bucket.stop()
  rmSync(folder, { recursive: true })
})

describe('P7: the tables of a deployment', () => {
  it('P7: follow the logs of all tenants, and one that cannot be read stops its own tables only', async () => {
    const log = openObjects(env)
    const events: GatewayEvent[] = []
    let now = NOON + 120_000
    const service = openTables(env, { now: () => now, events: (event) => void events.push(event) })
    expect(await service.run()).toBe(true)
    expect(events).toEqual([])

    const sealed = emptyLog()
    sealed.seal(laneOf('kakjK50G.1', 4, 3).items, NOON / 1_000 + 60)
    await publish(sealed, log)
    // the tenant `broken` has a segment without any item
    await log.put('broken/segments/0000000000000000-0000000000000001.ndjson.gz', gzipSync('{}\n'))
    await log.put('broken/checkpoints/0000000000000001', sealed.files.get('checkpoint') ?? Buffer.alloc(0))
    await log.put('broken/checkpoint', Buffer.from('phi.example.com/audit/broken\n1\n'))
    now += 60_000
    expect(await service.run()).toBe(false)
    expect(events).toEqual([
      { event: 'TABLES_FAILED', tenant: 'broken', cause: 'MalformedSegment' },
      { event: 'TABLES_PASS', tenant: 'riverside', added: 12, behind: 0, size: 4, files: 1, milliseconds: 0 },
    ])
    expect(await soundManifest(openTableObjects(env), sealed)).toMatchObject({ size: 4, records: 12 })
  })

  it('P7: report a bucket that does not answer', async () => {
    const events: GatewayEvent[] = []
    const service = openTables({ ...env, PHI_AUDIT_TABLES: 's3://other' }, { events: (event) => void events.push(event) })
    expect(await service.run()).toBe(false)
    expect(events).toContainEqual({ event: 'TABLES_FAILED', tenant: 'riverside', cause: 'StoreUnavailable' })
  })

  it('P7: are made anew and counted by an operator, if there is a log', async () => {
    const admin = openTableAdmin(env)
    const tenant = 'riverside' as TenantId
    expect((await admin.rebuild(tenant, () => undefined)).manifest).toMatchObject({ size: 4, records: 12, revision: 3 })
    expect(await admin.recount(tenant, () => undefined)).toEqual({ size: 4, logSize: 4, records: 12, differences: [] })
    await expect(admin.rebuild('nobody' as TenantId, () => undefined)).rejects.toThrow(NoSealedLog)
    expect(await openTableObjects(env).get('nobody/manifest.json')).toBeUndefined()
  })

  it('P7: find each tenant of a store, whatever its name', async () => {
    const log = openObjects({ ...env, PHI_AUDIT_OBJECTS: join(folder, 'names') })
    for (const name of ['a-b/policy', 'a/policy', 'a/x/y', 'a0/policy', 'ab/policy', 'riverside/policy', 'NoTenant/policy'])
      await log.put(name, Buffer.from('x'))
    expect(await logTenants(log)).toEqual(['a-b', 'a', 'a0', 'ab', 'riverside'])
  })

  it.each([
    ['PHI_STAGE', ''],
    ['PHI_AUDIT_OBJECTS', 'relative/folder'],
    ['PHI_AUDIT_TABLES', 'relative/folder'],
    ['PHI_AUDIT_TABLES', 's3://'],
  ])('do not start if %s is %j', (name, value) => {
    expect(() => openTables({ ...env, [name]: value })).toThrow(name)
  })
})
