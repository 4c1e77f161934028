import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { AuditLogUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { openTenantClients } from '../../../gateway/oversight/open-tenant-clients.ts'
import { type AuditPlaces, readerPolicy } from '../../../gateway/oversight/reader-policy.ts'
import type { TenantClients } from '../../../gateway/oversight/tenant-clients.ts'
import { TenantSessions } from '../../../gateway/oversight/tenant-sessions.ts'
import { startSts, type StsFault, type StsStandIn } from '../../harness/sts.ts'

const ROLE = 'arn:aws:iam::123456789012:role/phi-gateway-AuditReaderRole-1A2B'
const places: AuditPlaces = {
  partition: 'aws',
  auditTable: 'arn:aws:dynamodb:us-east-1:123456789012:table/phi-test-audit',
  checkpointsTable: 'arn:aws:dynamodb:us-east-1:123456789012:table/phi-test-checkpoints',
  disclosuresTable: 'arn:aws:dynamodb:us-east-1:123456789012:table/phi-test-disclosures',
  comparisonsTable: 'arn:aws:dynamodb:us-east-1:123456789012:table/phi-test-comparisons',
  workforceTable: 'arn:aws:dynamodb:us-east-1:123456789012:table/phi-test-workforce',
  log: 'phi-log',
  tables: 'phi-tables',
  results: 'phi-results',
}
const env = {
  PHI_STAGE: 'prod',
  PHI_AUDIT_READER_ROLE: ROLE,
  PHI_TABLE_AUDIT: 'phi-test-audit',
  PHI_TABLE_CHECKPOINTS: 'phi-test-checkpoints',
  PHI_TABLE_DISCLOSURES: 'phi-test-disclosures',
  PHI_TABLE_COMPARISONS: 'phi-test-comparisons',
  PHI_TABLE_WORKFORCE: 'phi-test-workforce',
  PHI_AUDIT_OBJECTS: 's3://phi-log',
  PHI_AUDIT_TABLES: 's3://phi-tables',
  PHI_AUDIT_RESULTS: 's3://phi-results',
  AWS_REGION: 'us-east-1',
}
const [RIVERSIDE, LAKESIDE] = ['riverside', 'lakeside'] as [TenantId, TenantId]
const MINUTE_MS = 60_000

let now = 0
let sts: StsStandIn
beforeAll(() => {
  vi.stubEnv('AWS_REGION', 'us-east-1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'function')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'function')
})
beforeEach(async () => {
  now = Date.parse('2026-03-01T12:00:00Z')
  sts = await startSts({ now: () => now })
  vi.stubEnv('AWS_ENDPOINT_URL_STS', sts.endpoint)
})
afterEach(async () => {
  await sts.stop()
})
afterAll(() => {
  vi.unstubAllEnvs()
})

const tokensOf = async ({ dynamodb, s3, athena }: TenantClients): Promise<(string | undefined)[]> =>
  await Promise.all([dynamodb, s3, athena].map(async ({ config }) => (await config.credentials()).sessionToken))
const sessions = (maxTenants?: number): TenantSessions =>
  new TenantSessions({ role: ROLE, places, now: () => now, ...(maxTenants !== undefined && { maxTenants }) })

describe('C28: the sessions of readers', () => {
  it('C28: ask STS for the role with the policy of the tenant, and use its credentials in every client', async () => {
    const source = openTenantClients(env, () => now)
    const clients = await source.clientsOf(RIVERSIDE)
    const [given, ...others] = sts.sessions
    expect(others).toEqual([])
    expect(given).toMatchObject({ role: ROLE, name: 'phi-gateway-audit', seconds: 3_600 })
    expect(JSON.parse(given?.policy ?? '')).toEqual(readerPolicy(RIVERSIDE, places))
    expect(await tokensOf(clients)).toEqual([given?.token, given?.token, given?.token])
  })

  it('C28: give each tenant a session of its own', async () => {
    const source = sessions()
    const [one, other] = await Promise.all([source.clientsOf(RIVERSIDE), source.clientsOf(LAKESIDE)])
    expect(await tokensOf(one)).not.toEqual(await tokensOf(other))
    expect(new Set(sts.sessions.map(({ policy }) => policy)).size).toBe(2)
    expect(await source.clientsOf(RIVERSIDE)).toBe(one)
  })

  it('take one session for concurrent requests, and keep it until ten minutes before its end', async () => {
    const source = sessions()
    const all = await Promise.all(Array.from({ length: 20 }, () => source.clientsOf(RIVERSIDE)))
    expect(new Set(all).size).toBe(1)
    expect(sts.calls).toBe(1)
    now += 50 * MINUTE_MS - 1
    expect(await source.clientsOf(RIVERSIDE)).toBe(all[0])
    now += 1
    expect(await source.clientsOf(RIVERSIDE)).not.toBe(all[0])
    expect(sts.calls).toBe(2)
  })

  it('outlast an outage of STS until a minute before their end, and no longer', async () => {
    const source = sessions()
    const clients = await source.clientsOf(RIVERSIDE)
    sts.fail('DENIED')
    now += 59 * MINUTE_MS - 1
    expect(await source.clientsOf(RIVERSIDE)).toBe(clients)
    now += 1
    await expect(source.clientsOf(RIVERSIDE)).rejects.toThrow(AuditLogUnavailable)
    sts.fail(undefined)
    expect(await source.clientsOf(RIVERSIDE)).not.toBe(clients)
  })

  it('are bounded in number, and close connections only when no request can use them', async () => {
    const source = sessions(2)
    const first = await source.clientsOf(RIVERSIDE)
    const closed = [first.dynamodb, first.s3, first.athena].map((client) => vi.spyOn(client, 'destroy'))
    await source.clientsOf(LAKESIDE)
    await source.clientsOf('hillside' as TenantId)
    expect(closed.map(({ mock }) => mock.calls.length)).toEqual([0, 0, 0])
    now += MINUTE_MS + 1
    await source.clientsOf(LAKESIDE)
    expect(closed.map(({ mock }) => mock.calls.length)).toEqual([1, 1, 1])
    expect(sts.calls).toBe(3)
    await source.clientsOf(RIVERSIDE)
    expect(sts.calls).toBe(4)
  })

  it.each<StsFault>(['DENIED', 'BUSY', 'HANG', 'GARBAGE', 'EMPTY', 'ENDED'])(
    'C28: without a session (%s) there is an error and no client, and the next request asks again',
    async (fault) => {
      const source = sessions()
      sts.fail(fault)
      await expect(source.clientsOf(RIVERSIDE)).rejects.toThrow(AuditLogUnavailable)
      sts.fail(undefined)
      const clients = await source.clientsOf(RIVERSIDE)
      expect(await tokensOf(clients)).toContain(sts.sessions.at(-1)?.token)
    },
  )

  it('C28: are no fallback to the credentials of the process', async () => {
    await sts.stop()
    await expect(sessions().clientsOf(RIVERSIDE)).rejects.toThrow(AuditLogUnavailable)
    sts = await startSts()
  })
})

describe('C28: a deployment without a role of readers', () => {
  it.each(['prod', 'production', '', undefined])('C28: does not start on the stage %j', (stage) => {
    for (const role of ['', undefined])
      expect(() => openTenantClients({ ...env, PHI_STAGE: stage, PHI_AUDIT_READER_ROLE: role }, () => now)).toThrow(
        'PHI_AUDIT_READER_ROLE',
      )
  })

  it.each(Object.keys(env).filter((name) => name !== 'PHI_STAGE'))('C28: does not start without %s', (name) => {
    expect(() => openTenantClients({ ...env, [name]: undefined }, () => now)).toThrow(name)
  })

  it('has the credentials of the process where there are no patients, and those of the role where one is named', async () => {
    const local = { ...env, PHI_STAGE: 'local', PHI_AUDIT_READER_ROLE: undefined }
    expect(await tokensOf(await openTenantClients(local, () => now).clientsOf(RIVERSIDE))).toEqual([
      undefined,
      undefined,
      undefined,
    ])
    expect(sts.calls).toBe(0)
    await openTenantClients({ ...env, PHI_STAGE: 'staging' }, () => now).clientsOf(RIVERSIDE)
    expect(sts.calls).toBe(1)
  })
})
