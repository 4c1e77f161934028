import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { Deadline } from '../../gateway/model/deadline.ts'
import type { PatientId, TenantId } from '../../gateway/model/ids.ts'
import { clinic } from '../../resolvers/clinic.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { KeyHouse } from '../gateway/crypto/key-fixtures.ts'
import { callerWith, NOW } from '../gateway/decide/clinic-policy.ts'

const nothing = () => undefined
const keyring = new KeyHouse().ring

describe('P3: the relationships of the clinic', () => {
  const registry = clinic.relationships({ access: {} as never, records: {} as never, keyring, events: nothing })

  it('include a source for each relationship that a grant of its schema names', () => {
    const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    const named = new Set([...policy.phi.values()].flatMap(({ grants }) => grants.map(({ relationship }) => relationship)))
    expect([...named].filter((name) => !registry.has(name))).toEqual([])
    expect(named.size).toBeGreaterThan(2)
  })

  it('compile with its schema', () => {
    expect(() => compilePolicy(clinicTypeDefs(), { relationships: new Set(registry.keys()) })).not.toThrow()
  })
})

describe('break-glass of the clinic', () => {
  const asked: unknown[] = []
  const source = clinic.breakGlass({
    breakGlass: { load: () => Promise.resolve({ manifests: new Map(), items: new Map() }) } as never,
    breakGlassMinutes: 240,
    keyring,
    events: nothing,
    now: () => NOW,
    records: {
      indexRoot: (tenant: TenantId, patient: PatientId) => {
        asked.push([tenant, patient])
        return Promise.resolve(undefined)
      },
    } as never,
  })

  it('has the configured maximum duration', () => {
    expect(source.port?.maxMinutes).toBe(240)
  })

  it('prepares no grant for a patient without an index of records', async () => {
    const caller = callerWith(['PHYSICIAN'], 'TREAT')
    await keyring.createTenant(caller.tenant)
    const patient = 'p'.repeat(22) as PatientId
    const request = { patient, reason: 'found unconscious', minutes: 30, maxPatients: 60 }
    const deadline = new Deadline(NOW + 5_000, { now: () => NOW, monotonic: () => performance.now() })
    expect(await source.port?.prepareGrant(caller, request, NOW, deadline)).toBeUndefined()
    expect(asked).toEqual([[caller.tenant, patient]])
  })
})
