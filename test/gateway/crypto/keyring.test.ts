import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AgingCache } from '../../../gateway/crypto/aging-cache.ts'
import type { KeyUse, TenantKeyItem } from '../../../gateway/crypto/key-table.ts'
import { wrapKey, wrapKeyFrom } from '../../../gateway/crypto/wrap.ts'
import { IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'
import { KeyHouse, KMS_KEY, RIVERSIDE } from './key-fixtures.ts'

const LAKESIDE = 'lakeside' as TenantId
const NOBODY = 'nobodynobodynobodynobo' as PatientId

describe('one KMS call for each tenant, for any number of patients', () => {
  it.each([1, 100])('calls KMS once for %i patients when cold, and not at all when warm', async (count) => {
    const house = new KeyHouse()
    const patients = await house.withPatients(count)
    const handles = await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    for (const patient of patients) expect(handles.get(patient)?.current().version).toBe(1)
    expect(house.ring.counts).toEqual({ kms: 1, tableLoads: 1 })
    expect(house.table.loads).toEqual([{ tenantItem: true, patients }])

    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    await house.ring.purposeKey(RIVERSIDE, 'cursor')
    expect(house.ring.counts).toEqual({ kms: 1, tableLoads: 1 })
  })

  it('calls KMS once for 200 concurrent cold requests', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(200)
    const answers = await Promise.all(patients.map((patient) => house.ring.patientKeys(RIVERSIDE, [patient], 'always')))
    answers.forEach((handles, i) => expect(handles.get(patients[i] ?? NOBODY)?.current().version).toBe(1))
    await Promise.all(patients.map(() => house.ring.purposeKey(RIVERSIDE, 'access')))
    expect(house.kms.decrypts).toBe(1)
    expect(house.table.loads.filter(({ tenantItem }) => tenantItem)).toHaveLength(1)
  })

  it('opens the same keys in every process', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    const here = (await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)?.current()
    const there = (await house.newRing().patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)?.current()
    expect(here?.seal.equals(there?.seal ?? here.manifest)).toBe(true)
    expect(here?.seal.equals(here.manifest)).toBe(false)
  })
})

describe('P5: equal work for a patient hidden from the caller', () => {
  it('P5: loads the items again although the key is cached, and makes the same loads for an unknown patient', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')
    for (const asked of [patient, NOBODY]) {
      house.table.loads.length = 0
      house.kms.decrypts = 0
      const handles = await house.ring.patientKeys(RIVERSIDE, [asked], 'always')
      expect(handles.has(asked)).toBe(asked === patient)
      expect(house.table.loads).toEqual([{ tenantItem: false, patients: [asked] }])
      expect(house.kms.decrypts).toBe(0)
    }
  })

  it('makes the same one KMS call when cold, whether the patient exists or not', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    for (const asked of [patient, NOBODY]) {
      const ring = house.newRing()
      await ring.patientKeys(RIVERSIDE, [asked], 'always')
      expect(ring.counts).toEqual({ kms: 1, tableLoads: 1 })
    }
  })

  it('forgets a cached key if its item no longer exists', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')
    house.table.patients.delete(patient)
    expect((await house.ring.patientKeys(RIVERSIDE, [patient], 'always')).size).toBe(0)
    expect((await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')).size).toBe(0)
  })
})

describe('P13: a key leaves memory at its age', () => {
  it('P13: a patient key in constant use is loaded again after 60 s', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(1)
    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    for (let second = 1; second < 60; second++) {
      house.time += 1000
      await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
      expect(house.ring.counts.tableLoads).toBe(1)
    }
    house.time += 1000
    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    expect(house.ring.counts).toEqual({ kms: 1, tableLoads: 2 })
  })

  it('P13: a disabled KMS key stops all keys 300 s after its last use, patient keys included', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(2)
    const [early = NOBODY, late = NOBODY] = patients
    await house.ring.patientKeys(RIVERSIDE, [early], 'cached')
    house.kms.down = true
    house.time += 299_000
    expect((await house.ring.patientKeys(RIVERSIDE, [late], 'cached')).size).toBe(1)
    await house.ring.purposeKey(RIVERSIDE, 'access')
    house.time += 1000
    await expect(house.ring.patientKeys(RIVERSIDE, [late], 'cached')).rejects.toThrow(KeyUnavailable)
    await expect(house.ring.purposeKey(RIVERSIDE, 'access')).rejects.toThrow(KeyUnavailable)
  })

  it('a clock that was set back prolongs no key', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(1)
    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    house.time -= 500
    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    expect(house.ring.counts).toEqual({ kms: 2, tableLoads: 2 })
  })

  it('does not remember a failure of KMS', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(3)
    house.kms.down = true
    await expect(house.ring.patientKeys(RIVERSIDE, patients, 'cached')).rejects.toThrow(KeyUnavailable)
    house.kms.down = false
    expect((await house.ring.patientKeys(RIVERSIDE, patients, 'cached')).size).toBe(3)
  })

  it('keeps no more patients than its limit', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(3)
    const ring = house.newRing({ patients: 2 })
    await ring.patientKeys(RIVERSIDE, patients, 'cached')
    await ring.patientKeys(RIVERSIDE, patients, 'cached')
    expect(house.table.loads.at(-1)?.patients.length).toBeGreaterThan(0)
  })

  it('rejects limits looser than the defaults', () => {
    expect(() => new KeyHouse({ patientAge: 60_001 })).toThrow(RangeError)
    expect(() => new KeyHouse({ tenantAge: 300_001 })).toThrow(RangeError)
  })
})

describe('P6: a wrapped key opens only in its own place', () => {
  it('P6: not for another patient, and the other patients still open', async () => {
    const house = new KeyHouse()
    const [first = NOBODY, second = NOBODY] = await house.withPatients(2)
    house.table.patients.set(first, house.table.patients.get(second) ?? { versions: [] })
    const handles = await house.ring.patientKeys(RIVERSIDE, [first, second], 'cached')
    expect(() => handles.get(first)?.current()).toThrow(IntegrityFailure)
    expect(handles.get(second)?.current().version).toBe(1)
  })

  it('P6: not under another version, and an unknown version is undefined', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    const [only] = house.table.patients.get(patient)?.versions ?? []
    if (!only) throw new Error('no key')
    house.table.patients.set(patient, { versions: [{ ...only, version: 2 }] })
    const handle = (await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)
    expect(() => handle?.current()).toThrow(IntegrityFailure)
    expect(handle?.byVersion(1)).toBeUndefined()
  })

  it('P6: not under a tenant key version that does not exist', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY, other = NOBODY] = await house.withPatients(2)
    const [only] = house.table.patients.get(patient)?.versions ?? []
    if (!only) throw new Error('no key')
    house.table.patients.set(patient, { versions: [{ ...only, tenantKeyVersion: 9 }] })
    const handles = await house.ring.patientKeys(RIVERSIDE, [patient, other], 'cached')
    expect(() => handles.get(patient)?.current()).toThrow(IntegrityFailure)
    expect(handles.get(other)?.current().version).toBe(1)
  })

  it("P6: another tenant's keys do not open, although KMS would hold both", async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(1)
    const item = house.table.tenants.get(RIVERSIDE)
    if (!item) throw new Error('no tenant')
    house.table.tenants.set(LAKESIDE, item)
    await expect(house.ring.patientKeys(LAKESIDE, patients, 'cached')).rejects.toThrow(IntegrityFailure)
  })

  it('P6: KMS is not called for a tenant key under a foreign KMS key', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(1)
    const ring = house.newRing({}, ['alias/own'])
    await expect(ring.patientKeys(RIVERSIDE, patients, 'cached')).rejects.toThrow(KeyUnavailable)
    expect(house.kms.decrypts).toBe(0)
  })

  it('P6: a purpose key moved to the place of another does not open', async () => {
    const house = new KeyHouse()
    await house.withPatients(0)
    alterTenant(house, (item) => {
      const cursor = item.uses.find(({ use }) => use === 'cursor')
      return { ...item, uses: item.uses.map((key) => (key.use === 'access' && cursor ? { ...cursor, use: 'access' } : key)) }
    })
    await expect(house.ring.purposeKey(RIVERSIDE, 'access')).rejects.toThrow(IntegrityFailure)
    expect((await house.ring.purposeKey(RIVERSIDE, 'cursor')).version).toBe(1)
  })
})

describe('a tenant', () => {
  it('is created once, with a different key for each purpose', async () => {
    const house = new KeyHouse()
    await house.ring.createTenant(RIVERSIDE)
    const first = house.table.tenants.get(RIVERSIDE)
    await house.ring.createTenant(RIVERSIDE)
    expect(house.table.tenants.get(RIVERSIDE)).toBe(first)
    const uses: KeyUse[] = ['access', 'cursor', 'lookup', 'identifier', 'pseudonym', 'index', 'comparison']
    const keys = await Promise.all(
      uses.map(async (use) => (await house.ring.purposeKey(RIVERSIDE, use)).key.export().toString('hex')),
    )
    expect(new Set(keys).size).toBe(uses.length)
  })

  it('that two processes create at once ends with one set of keys, which both use', async () => {
    const house = new KeyHouse()
    const [one, two] = [house.newRing(), house.newRing()]
    await Promise.all([one.createTenant(RIVERSIDE), two.createTenant(RIVERSIDE)])
    const [a, b] = await Promise.all([one.purposeKey(RIVERSIDE, 'index'), two.purposeKey(RIVERSIDE, 'index')])
    expect(a.key.equals(b.key)).toBe(true)
  })

  it('without keys opens nothing', async () => {
    const { ring } = new KeyHouse()
    await expect(ring.purposeKey(RIVERSIDE, 'access')).rejects.toThrow(KeyUnavailable)
    await expect(ring.patientKeys(RIVERSIDE, [NOBODY], 'always')).rejects.toThrow(KeyUnavailable)
    await expect(ring.newPatientKey(RIVERSIDE, NOBODY)).rejects.toThrow(KeyUnavailable)
  })

  it('without a key for a purpose has none, although its other purposes work', async () => {
    const house = new KeyHouse()
    await house.withPatients(0)
    alterTenant(house, (item) => ({ ...item, uses: item.uses.filter(({ use }) => use !== 'index') }))
    await expect(house.ring.purposeKey(RIVERSIDE, 'index')).rejects.toThrow(KeyUnavailable)
    expect((await house.ring.purposeKey(RIVERSIDE, 'access')).version).toBe(1)
  })
})

describe('a patient key item without versions', () => {
  it('loads, and opens nothing', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    house.table.patients.set(patient, { versions: [] })
    const handle = (await house.ring.patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)
    expect(() => handle?.current()).toThrow(KeyUnavailable)
  })
})

describe('rotation of the tenant key', () => {
  it('is noticed when a patient key names a version that is not in the cached item, with one KMS call for each version', async () => {
    const house = new KeyHouse()
    const [old = NOBODY, fresh = NOBODY] = await house.withPatients(2)
    await house.ring.patientKeys(RIVERSIDE, [old], 'cached')
    expect(house.kms.decrypts).toBe(1)

    rotate(house, fresh)
    const handles = await house.ring.patientKeys(RIVERSIDE, [fresh], 'cached')
    expect(handles.get(fresh)?.current().version).toBe(1)
    expect(house.kms.decrypts).toBe(2)
    const both = await house.newRing().patientKeys(RIVERSIDE, [old, fresh], 'cached')
    expect([both.get(old)?.current().version, both.get(fresh)?.current().version]).toEqual([1, 1])
    expect(house.kms.decrypts).toBe(4)
  })

  it('affects only the keys under the older version while KMS refuses it, and the failure is not cached', async () => {
    const house = new KeyHouse()
    const [old = NOBODY, fresh = NOBODY] = await house.withPatients(2)
    rotate(house, fresh)
    house.kms.refuses = '1'
    const refused = await house.ring.patientKeys(RIVERSIDE, [old, fresh], 'cached')
    expect(refused.get(fresh)?.current().version).toBe(1)
    expect(() => refused.get(old)?.current()).toThrow(KeyUnavailable)
    await expect(house.ring.purposeKey(RIVERSIDE, 'access')).rejects.toThrow(KeyUnavailable)

    house.kms.refuses = undefined
    const handles = await house.ring.patientKeys(RIVERSIDE, [old], 'cached')
    expect(handles.get(old)?.current().version).toBe(1)
    expect((await house.ring.purposeKey(RIVERSIDE, 'access')).version).toBe(1)
  })
})

describe('patients that several requests miss at once', () => {
  it('are loaded once, whole groups and parts of them', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(3)
    const [one = NOBODY, two = NOBODY, three = NOBODY] = patients
    const answers = await Promise.all([
      house.ring.patientKeys(RIVERSIDE, [one, two], 'cached'),
      house.ring.patientKeys(RIVERSIDE, [two], 'cached'),
      house.ring.patientKeys(RIVERSIDE, [two, three], 'cached'),
      ...Array.from({ length: 50 }, () => house.ring.patientKeys(RIVERSIDE, patients, 'cached')),
    ])
    for (const handles of answers.slice(3)) expect([...handles.keys()].toSorted()).toEqual(patients.toSorted())
    expect([...answers[2].keys()].toSorted()).toEqual([two, three].toSorted())
    expect(house.table.loads.flatMap((load) => load.patients)).toEqual([one, two, three])
    expect(house.ring.counts).toEqual({ kms: 1, tableLoads: 2 })
  })

  it('P5: are loaded by each request that needs equal work', async () => {
    const house = new KeyHouse()
    const [patient = NOBODY] = await house.withPatients(1)
    await Promise.all([1, 2, 3].map(() => house.ring.patientKeys(RIVERSIDE, [patient], 'always')))
    expect(house.ring.counts.tableLoads).toBe(3)
  })

  it('share a failure with the requests that waited, and with no later request', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(1)
    house.kms.down = true
    const asked = [1, 2, 3].map(() => house.ring.patientKeys(RIVERSIDE, patients, 'cached'))
    for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected')
    expect(house.kms.decrypts).toBe(1)
    house.kms.down = false
    expect((await house.ring.patientKeys(RIVERSIDE, patients, 'cached')).size).toBe(1)
  })

  it('are found by a request that began after their creation, although it joined an older load', async () => {
    const house = new KeyHouse()
    await house.withPatients(0)
    await house.ring.purposeKey(RIVERSIDE, 'access')
    const { item } = await house.newRing().newPatientKey(RIVERSIDE, NOBODY)
    const load = house.table.load.bind(house.table)
    let written: (() => void) | undefined
    // the first load reads before the key exists and returns after that
    house.table.load = async (tenant, wanted) => {
      house.table.load = load
      const nothing = await load(tenant, wanted)
      await new Promise<void>((resolve) => (written = resolve))
      return nothing
    }
    const early = house.ring.patientKeys(RIVERSIDE, [NOBODY], 'cached')
    await vi.waitFor(() => expect(written).toBeDefined())
    house.table.patients.set(NOBODY, item)
    const late = house.ring.patientKeys(RIVERSIDE, [NOBODY], 'cached')
    written?.()
    expect((await early).size).toBe(0)
    expect((await late).size).toBe(1)
  })
})

describe('secrets that must not stay in memory', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('plaintext keys from KMS and new random keys are wiped after use', async () => {
    const house = new KeyHouse()
    const patients = await house.withPatients(2)
    const [patient = NOBODY] = patients
    await house.ring.patientKeys(RIVERSIDE, patients, 'cached')
    await house.rotation().rotate(RIVERSIDE)
    await house.rotation().renewPatient(RIVERSIDE, patient)
    await house.rotation().rewrap(RIVERSIDE, () => undefined)
    expect(house.kms.given.length).toBeGreaterThan(5)
    for (const plain of house.kms.given) expect(plain.every((byte) => byte === 0)).toBe(true)
    expect(house.randomKeys.length).toBeGreaterThan(8)
    for (const raw of house.randomKeys) expect(raw.every((byte) => byte === 0)).toBe(true)
  })

  it('P13: an idle process drops its keys, and then the timer', () => {
    vi.useFakeTimers()
    let time = 0
    const cache = new AgingCache<{ key: string }>(10, () => time)
    expect(vi.getTimerCount()).toBe(0)
    cache.set('idle', { key: 'k' }, time, time + 60_000)
    time = 59_999
    vi.advanceTimersByTime(59_999)
    expect([cache.size, vi.getTimerCount()]).toEqual([1, 1])
    time = 60_000
    vi.advanceTimersByTime(1_000)
    expect([cache.size, vi.getTimerCount()]).toEqual([0, 0])
  })

  it('P13: a key expires at its age to the millisecond, at the latest when it is used', () => {
    let time = 1_000
    const cache = new AgingCache<{ key: string }>(10, () => time)
    cache.set('a', { key: 'k' }, time, time + 500)
    time = 1_499
    expect(cache.get('a')).toEqual({ key: 'k' })
    time = 1_500
    expect(cache.get('a')).toBeUndefined()
    expect(cache.size).toBe(0)
  })
})

describe('the cache of keys', () => {
  it('drops keys without further requests', () => {
    let time = 0
    const cache = new AgingCache<{ key: string }>(10, () => time)
    cache.set('idle', { key: 'k' }, time, time + 500)
    time = 1000
    cache.set('other', { key: 'k' }, time, time + 500)
    expect(cache.size).toBe(1)
    expect(cache.get('other')).toEqual({ key: 'k' })
  })
})

/** A second version of the tenant key, and a patient key that is wrapped under it. */
function rotate(house: KeyHouse, patient: PatientId): void {
  const tenantKey = randomBytes(32)
  const wrapped = house.kms.wrap(tenantKey, { tenant: RIVERSIDE, use: 'tenant-key', version: '2' }, KMS_KEY)
  alterTenant(house, (item) => ({ ...item, versions: [...item.versions, { version: 2, wrapped, kmsKey: KMS_KEY }] }))
  const place = { tenant: RIVERSIDE, holder: { use: 'patient-key', patient }, tenantKeyVersion: 2, version: 1 } as const
  const rewrapped = wrapKey(wrapKeyFrom(tenantKey), place, randomBytes(32), randomBytes)
  house.table.patients.set(patient, { versions: [{ version: 1, tenantKeyVersion: 2, wrapped: rewrapped, sealsFrom: 0 }] })
}

function alterTenant(house: KeyHouse, change: (item: TenantKeyItem) => TenantKeyItem): void {
  const item = house.table.tenants.get(RIVERSIDE)
  if (!item) throw new Error('no tenant')
  house.table.tenants.set(RIVERSIDE, change(item))
}
