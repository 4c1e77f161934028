import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import { VersionConflict } from '../../../../gateway/model/failures.ts'
import type { Instant } from '../../../../gateway/model/ids.ts'
import type { OperationUses } from '../../../../gateway/model/operation-use.ts'
import { Prover } from '../../../../gateway/operations/contracts/prove.ts'
import type { AdminRefusal } from '../../../../gateway/operations/persisted/admin-refusal.ts'
import type { ClientOf } from '../../../../gateway/operations/persisted/operation-registry.ts'
import { DAY_MS, operationHash, RegistryAdmin, staleOperations } from '../../../../gateway/operations/persisted/registry-admin.ts'
import type { OperationRegistrar } from '../../../../gateway/operations/persisted/registrar.ts'
import { DEFAULT_LIMITS } from '../../../../gateway/operations/value-limits.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'
import { NOON } from '../../audit/examples.ts'
import { newClient, RegistryBench, V1, V2 } from './registry-bench.ts'

const prover = new Prover({ ...compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' }), limits: DEFAULT_LIMITS })
const BY = 'os:admin'
let bench: RegistryBench
beforeAll(async () => {
  bench = await RegistryBench.start()
})
afterAll(() => bench.stop())

const adminOver = (registrar: OperationRegistrar): RegistryAdmin => new RegistryAdmin({ registrar, prover, now: bench.now })
const admin = (): RegistryAdmin => adminOver(bench.registrar())

const manifestOf = (count: number, fields = 'userId'): string =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`id${at}`, textOf(at, fields)])))
const textOf = (at: number, fields = 'userId'): string => `query Operation${at} { viewer { ${fields} } }`
const contractOf = ({ client }: ClientOf, change: object = {}): string =>
  JSON.stringify({
    client,
    recipient: { name: 'Acme Health Plan', address: '1 Main Street' },
    ...{ roles: ['PARTNER'], purposes: ['HPAYMT'], paths: [], categories: [], sensitivities: [], maxPage: 50, valuesPerDay: 1_000 },
    ...{ expires: '2030-01-01T00:00:00Z', networks: ['192.0.2.0/24'] },
    ...change,
  })

async function commit(decision: AdminRefusal | Awaited<ReturnType<RegistryAdmin['activate']>>): Promise<void> {
  if (decision.refused !== undefined) throw new Error(decision.refused)
  await bench.commit(decision.changes)
}
const publish = async (of: ClientOf, appVersion = V1, count = 2) => {
  const decision = await admin().publish(of, { manifest: manifestOf(count), appVersion, isActive: true, by: BY })
  if (decision.refused !== undefined) throw new Error(decision.refused)
  await bench.commit(decision.changes)
}
const approve = async (of: ClientOf, change: object = {}) => {
  const decision = await admin().approveContract(of.tenant, contractOf(of, change), BY)
  if (decision.refused !== undefined) throw new Error(decision.refused)
  await bench.commit(decision.changes)
  return decision.report
}
const served = async (of: ClientOf, id: string) =>
  (await bench.process().registry.byId(of, id, bench.deadline())).operation?.approval

/** A registrar that runs an act of another administrator after the client is read for the first time. */
function interrupted(act: () => Promise<unknown>): OperationRegistrar {
  const registrar = bench.registrar()
  let isFirst = true
  const client = registrar.client.bind(registrar)
  registrar.client = async (of) => {
    const read = await client(of)
    if (isFirst) {
      isFirst = false
      await act()
    }
    return read
  }
  return registrar
}

describe('P10: a publication by an administrator', () => {
  it('P10: records the approval with the digests of policy and contract', async () => {
    const acme = newClient()
    const { contractDigest } = await approve(acme)
    await publish(acme)
    expect(await served(acme, 'id0')).toEqual({
      by: BY,
      at: bench.now(),
      policy: prover.parts.policy.digest,
      contract: contractDigest,
    })
  })

  it('P10: does not become effective under a contract that was narrowed during the proof', async () => {
    const acme = newClient()
    await approve(acme)
    const during = adminOver(interrupted(() => approve(acme, { maxPage: 1 })))
    await expect(during.publish(acme, { manifest: manifestOf(2), by: BY })).rejects.toThrow(VersionConflict)
    const late = await admin().publish(acme, { manifest: manifestOf(2), by: BY })
    await approve(acme, { maxPage: 2 })
    await expect(commit(late as never)).rejects.toThrow(VersionConflict)
    expect(await served(acme, 'id0')).toBeUndefined()
  })

  it('P10: that was ended midway serves nothing, and can be repeated', async () => {
    const acme = newClient()
    await approve(acme)
    const request = { manifest: manifestOf(120), appVersion: V1, isActive: true, by: BY }
    const decision = await admin().publish(acme, request)
    if (decision.refused !== undefined) throw new Error(decision.refused)
    expect(decision.changes.length).toBeGreaterThan(2)
    await bench.commit(decision.changes.slice(0, -1))
    expect(await served(acme, 'id0')).toBeUndefined()
    await publish(acme, V1, 120)
    expect(await served(acme, 'id119')).toBeDefined()
    expect(await admin().publish(acme, request)).toMatchObject({ changes: [] })
  })

  it('P10: is refused after the end of the contract', async () => {
    const acme = newClient()
    await approve(acme, { expires: new Date(bench.now() + DAY_MS).toISOString() })
    bench.elapsed += 2 * DAY_MS
    try {
      expect(await admin().publish(acme, { manifest: manifestOf(1), by: BY })).toEqual({ refused: 'CONTRACT_EXPIRED' })
    } finally {
      bench.elapsed -= 2 * DAY_MS
    }
  })
})

describe('P10: a retirement by an administrator', () => {
  const usesOf = ({ client }: ClientOf, at: number, last: number, until = bench.now()): OperationUses => ({
    uses: [{ client, operationHash: operationHash(textOf(at)), requests: 1, last: last as Instant }],
    until: until as Instant,
  })
  const retire = (of: ClientOf, uses: OperationUses | undefined, isForced = false) =>
    admin().retire(of, V1, { uses, days: 30, isForced })

  it('P10: needs to be forced if an operation was used in the last days, or its use is not known', async () => {
    const [acme, other] = [newClient(), newClient()]
    await publish(acme)
    const recent = usesOf(acme, 1, bench.now() - 29 * DAY_MS)
    expect(await retire(acme, recent)).toEqual({ refused: 'IN_USE', ids: ['id1'] })
    expect(await retire(acme, undefined)).toEqual({ refused: 'USE_UNKNOWN', ids: ['id0', 'id1'] })
    expect(await retire(acme, { uses: [], until: undefined })).toMatchObject({ refused: 'USE_UNKNOWN' })
    expect(await retire(acme, { uses: [], until: (bench.now() - 61 * 60_000) as Instant })).toMatchObject({
      refused: 'USE_UNKNOWN',
    })
    for (const [uses, path] of [
      [usesOf(acme, 1, bench.now() - 31 * DAY_MS), '#operation'],
      [usesOf(other, 1, bench.now()), '#operation'],
    ] as const)
      expect(await retire(acme, uses)).toMatchObject({ changes: [{ record: { path } }] })
    expect(await retire(acme, recent, true)).toMatchObject({ changes: [{ record: { path: '#operation.forced' } }] })
    expect(await retire(acme, undefined, true)).toMatchObject({ changes: [{ record: { path: '#operation.forced' } }] })
  })

  it('P10: needs no force if its operations are served in another active version, or not at all', async () => {
    const acme = newClient()
    await publish(acme)
    await publish(acme, V2)
    expect(await retire(acme, undefined)).toMatchObject({ changes: [{ record: { path: '#operation' } }] })
    await commit(await admin().retire(acme, V2, { uses: undefined, days: 30, isForced: false }))
    expect(await retire(acme, undefined)).toMatchObject({ refused: 'USE_UNKNOWN' })
    await commit(await retire(acme, undefined, true))
    expect(await retire(acme, undefined)).toEqual({ report: undefined, changes: [] })
  })

  it('P10: counts an operation as stale if it was approved, and not used, before the last days', async () => {
    const acme = newClient()
    await publish(acme)
    const details = await admin().show(acme)
    if (details === undefined) throw new Error('no such client')
    const later = bench.now() + DAY_MS
    expect(staleOperations(details, usesOf(acme, 0, later), later).map(({ id }) => id)).toEqual(['id1'])
    expect(staleOperations(details, usesOf(acme, 0, later), NOON - DAY_MS)).toEqual([])
  })
})

describe('P10: a contract by an administrator', () => {
  it('P10: is refused with the names that the policy does not have', async () => {
    const acme = newClient()
    expect(await admin().approveContract(acme.tenant, contractOf(acme, { paths: ['Patient.sssn'] }), BY)).toEqual({
      refused: 'CONTRACT',
      faults: [{ member: 'paths[0]', reason: 'UNKNOWN_PATH', name: 'Patient.sssn' }],
    })
    expect(await admin().approveContract(acme.tenant, 'nothing', BY)).toMatchObject({ refused: 'CONTRACT' })
  })

  it('P10: reports what it widens and narrows against the former one', async () => {
    const acme = newClient()
    await approve(acme, { maxPage: 10 })
    const report = await approve(acme, { maxPage: 20, valuesPerDay: 10, networks: ['198.51.100.0/24'] })
    expect(report.widened).toEqual([
      { member: 'networks', before: 'none', after: '198.51.100.0/24' },
      { member: 'maxPage', before: '10', after: '20' },
    ])
    expect(report.narrowed).toEqual([
      { member: 'networks', before: '192.0.2.0/24', after: 'none' },
      { member: 'valuesPerDay', before: '1000', after: '10' },
    ])
  })
})
