import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PatientKeyItem } from '../../../gateway/crypto/key-table.ts'
import { keyStatus } from '../../../gateway/crypto/key-status.ts'
import type { RewrapCounts } from '../../../gateway/crypto/key-rotation.ts'
import { IntegrityFailure, KeyUnavailable, VersionConflict } from '../../../gateway/model/failures.ts'
import type { PatientId } from '../../../gateway/model/ids.ts'
import { KeyHouse, KMS_KEY, RIVERSIDE } from './key-fixtures.ts'

const NOBODY = 'nobodynobodynobodynobo' as PatientId
const MINUTE = 60_000
const OTHER_KEY = 'alias/other'
const ignoreProgress = (): void => undefined

let house: KeyHouse
let patients: PatientId[]

beforeEach(async () => {
  house = new KeyHouse()
  patients = await house.withPatients(20)
})

const tenantKeys = async () => (await keyStatus(house.table, RIVERSIDE, house.time)).tenantKeys

/** The bytes that a patient's key seals and opens with, by version. */
async function sealKeys(ring = house.newRing(), versions = [1]): Promise<string[]> {
  const handles = await ring.patientKeys(RIVERSIDE, patients, 'cached')
  return patients.flatMap((patient) =>
    versions.map((version) => handles.get(patient)?.byVersion(version)?.seal.export().toString('hex') ?? 'none'),
  )
}
const purposeKeys = async () =>
  await Promise.all(
    (['access', 'cursor', 'lookup', 'identifier'] as const).map(async (use) =>
      (await house.newRing().purposeKey(RIVERSIDE, use)).byVersion(1)?.export().toString('hex'),
    ),
  )

describe('a new tenant key', () => {
  it('wraps the purpose keys at once and the patient keys with `rewrap`; no plaintext key changes', async () => {
    const before = { patients: await sealKeys(), uses: await purposeKeys() }
    expect(await house.rotation().rotate(RIVERSIDE)).toBe(2)
    expect({ patients: await sealKeys(), uses: await purposeKeys() }).toEqual(before)
    expect(await tenantKeys()).toEqual([
      { version: 1, kmsKey: KMS_KEY, created: house.time, uses: 0, patientKeys: 20 },
      { version: 2, kmsKey: KMS_KEY, created: house.time, uses: 7, patientKeys: 0 },
    ])

    expect(await house.rotation().rewrap(RIVERSIDE, ignoreProgress)).toEqual({ rewrapped: 20, already: 0, refused: 0 })
    expect({ patients: await sealKeys(), uses: await purposeKeys() }).toEqual(before)
    expect((await tenantKeys()).map(({ patientKeys }) => patientKeys)).toEqual([0, 20])
    // KMS is not called for the old version any more
    house.kms.refuses = '1'
    expect({ patients: await sealKeys(), uses: await purposeKeys() }).toEqual(before)
  })

  it('resumes an interrupted rewrapping, and counts', async () => {
    await house.rotation().rotate(RIVERSIDE)
    const before = await sealKeys()
    const killed = house.rotation().rewrap(RIVERSIDE, ({ rewrapped }) => {
      if (rewrapped >= 10) throw new Error('killed')
    })
    await expect(killed).rejects.toThrow('killed')
    const told: RewrapCounts[] = []
    expect(await house.rotation().rewrap(RIVERSIDE, (counts) => void told.push(counts))).toEqual({
      rewrapped: 6,
      already: 14,
      refused: 0,
    })
    expect(told.at(-1)?.rewrapped).toBe(6)
    expect(await sealKeys()).toEqual(before)
  })

  it('starts the later of two concurrent rotations again: both versions remain, no key is lost', async () => {
    const before = { patients: await sealKeys(), uses: await purposeKeys() }
    const versions = await Promise.all([house.rotation().rotate(RIVERSIDE), house.rotation().rotate(RIVERSIDE)])
    expect(versions.toSorted()).toEqual([2, 3])
    expect(house.table.tenants.get(RIVERSIDE)?.versions.map(({ version }) => version)).toEqual([1, 2, 3])
    const counts = await Promise.all([
      house.rotation().rewrap(RIVERSIDE, ignoreProgress),
      house.rotation().rewrap(RIVERSIDE, ignoreProgress),
    ])
    expect(counts[0].rewrapped + counts[1].rewrapped).toBe(20)
    expect({ patients: await sealKeys(), uses: await purposeKeys() }).toEqual(before)
  })

  it('fails with VERSION_CONFLICT if other writers keep changing the item', async () => {
    house.table.write = () => Promise.resolve('changed')
    await expect(house.rotation().rotate(RIVERSIDE)).rejects.toThrow(VersionConflict)
  })

  it('with KMS down changes nothing', async () => {
    const before = house.table.tenants.get(RIVERSIDE)
    house.kms.down = true
    await expect(house.rotation().rotate(RIVERSIDE)).rejects.toThrow(KeyUnavailable)
    await expect(house.rotation().renewPatient(RIVERSIDE, patients[0] ?? NOBODY)).rejects.toThrow(KeyUnavailable)
    expect(house.table.tenants.get(RIVERSIDE)).toBe(before)
    expect(house.table.acts).toEqual([])
  })

  it('wraps keys of new patients at once, even in a process with the old key in memory', async () => {
    const warm = house.newRing()
    await warm.purposeKey(RIVERSIDE, 'access')
    await house.rotation().rotate(RIVERSIDE)
    const { item, handle } = await warm.newPatientKey(RIVERSIDE, NOBODY)
    expect(item.versions).toMatchObject([{ version: 1, tenantKeyVersion: 2 }])
    expect(handle.current().version).toBe(1)
  })

  it('causes one KMS call for many concurrent requests of a warm process', async () => {
    const warm = house.newRing()
    await warm.patientKeys(RIVERSIDE, patients.slice(0, 1), 'cached')
    await house.rotation().rotate(RIVERSIDE)
    await house.rotation().rewrap(RIVERSIDE, ignoreProgress)
    house.kms.decrypts = 0
    await Promise.all(patients.map((patient) => warm.patientKeys(RIVERSIDE, [patient], 'always')))
    expect(house.kms.decrypts).toBe(1)
  })

  it('asks KMS only for the new version in a warm process', async () => {
    const warm = house.newRing()
    await warm.patientKeys(RIVERSIDE, patients.slice(0, 1), 'cached')
    await house.rotation().rotate(RIVERSIDE)
    const [moved = NOBODY, ...others] = patients
    const kept = new Map(others.map((patient) => [patient, house.table.patients.get(patient)]))
    await house.rotation().rewrap(RIVERSIDE, ignoreProgress)
    for (const [patient, item] of kept) if (item !== undefined) house.table.patients.set(patient, item)
    house.kms.decrypts = 0
    const handles = await warm.patientKeys(RIVERSIDE, [moved, ...others], 'always')
    for (const handle of handles.values()) expect(handle.current().version).toBe(1)
    expect(house.kms.decrypts).toBe(1)
    // a key that was adopted leaves memory when its first holder would have dropped it
    house.time += 300_000
    await warm.patientKeys(RIVERSIDE, patients, 'always')
    expect(house.kms.decrypts).toBe(3)
  })

  it('is not created twice for one plan', async () => {
    const rotation = house.rotation()
    expect(await Promise.all([rotation.rotate(RIVERSIDE, 2), rotation.rotate(RIVERSIDE, 2)])).toEqual([2, 2])
    expect(await rotation.rotate(RIVERSIDE, 2)).toBe(2)
    expect(house.table.acts).toEqual(['ROTATE'])
  })

  it('P6: wraps no key that does not open at its place: a forged key stays unchanged, and opens nothing', async () => {
    const [moved = NOBODY, made = NOBODY] = patients
    const another = house.table.patients.get(patients[2] ?? NOBODY) ?? { versions: [] }
    const own: PatientKeyItem = { versions: [{ version: 1, tenantKeyVersion: 1, wrapped: randomBytes(61), sealsFrom: 0 }] }
    house.table.patients.set(moved, another)
    house.table.patients.set(made, own)
    await house.rotation().rotate(RIVERSIDE)
    expect(await house.rotation().rewrap(RIVERSIDE, ignoreProgress)).toEqual({ rewrapped: 18, already: 0, refused: 2 })
    expect(house.table.patients.get(moved)).toBe(another)
    const handles = await house.newRing().patientKeys(RIVERSIDE, [moved, made], 'cached')
    for (const handle of handles.values()) expect(() => handle.current()).toThrow(IntegrityFailure)
  })

  it('rewraps the others of a group in which one item keeps changing', async () => {
    await house.rotation().rotate(RIVERSIDE)
    const write = house.table.write.bind(house.table)
    const [restless = NOBODY] = patients
    house.table.write = (tenant, act, changes) =>
      changes.patients.some(({ patient }) => patient === restless) ? Promise.resolve('changed') : write(tenant, act, changes)
    expect(await house.rotation().rewrap(RIVERSIDE, ignoreProgress)).toEqual({ rewrapped: 19, already: 0, refused: 1 })
  })
})

describe('the move to another KMS key', () => {
  it('is a rotation with the new key before the old one in the list; after the rewrapping the old one is not needed', async () => {
    const before = await sealKeys()
    await house.rotation([OTHER_KEY, KMS_KEY]).rotate(RIVERSIDE)
    expect(await sealKeys(house.newRing({}, [OTHER_KEY, KMS_KEY]))).toEqual(before)
    // if the old key leaves the configuration too early, the keys under it fail with this reason
    const early = await house.newRing({}, [OTHER_KEY]).patientKeys(RIVERSIDE, patients, 'cached')
    for (const handle of early.values()) expect(() => handle.current()).toThrow(KeyUnavailable)

    await house.rotation([OTHER_KEY, KMS_KEY]).rewrap(RIVERSIDE, ignoreProgress)
    expect(await sealKeys(house.newRing({}, [OTHER_KEY]))).toEqual(before)
  })

  it('P6: KMS is never called for a key that only the table names', async () => {
    await house.rotation([OTHER_KEY, KMS_KEY]).rotate(RIVERSIDE)
    house.kms.decrypts = 0
    await expect(house.newRing().patientKeys(RIVERSIDE, patients, 'cached')).rejects.toThrow(KeyUnavailable)
    await expect(house.rotation().rotate(RIVERSIDE)).rejects.toThrow(KeyUnavailable)
    expect(house.kms.decrypts).toBe(0)
  })
})

describe('a new key for further writes', () => {
  it('of a patient seals after every process has loaded it, and the old one continues to open', async () => {
    const [patient = NOBODY] = patients
    const current = async (ring = house.newRing()) =>
      (await ring.patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)?.current().version
    const before = await sealKeys()
    const warm = house.newRing()
    await current(warm)
    expect(await house.rotation().renewPatient(RIVERSIDE, patient)).toBe(2)
    expect(await current()).toBe(1)
    house.time += 2 * MINUTE - 1
    expect(await current()).toBe(1)
    // a process that loaded the item before the renewal had to load it again by now
    expect((await warm.patientKeys(RIVERSIDE, [patient], 'cached')).get(patient)?.byVersion(2)?.version).toBe(2)
    house.time += 1
    expect(await current()).toBe(2)
    expect(await sealKeys()).toEqual(before)
    expect(new Set([before[0], (await sealKeys(house.newRing(), [2]))[0]]).size).toBe(2)
  })

  it('of a purpose seals after six minutes, longer than any process caches the item', async () => {
    const sealing = async () => (await house.newRing().purposeKey(RIVERSIDE, 'access')).version
    expect(await house.rotation().renewUse(RIVERSIDE, 'access')).toBe(2)
    house.time += 6 * MINUTE - 1
    expect(await sealing()).toBe(1)
    house.time += 1
    expect(await sealing()).toBe(2)
    expect((await house.newRing().purposeKey(RIVERSIDE, 'access')).byVersion(1)).toBeDefined()
    expect((await house.newRing().purposeKey(RIVERSIDE, 'cursor')).version).toBe(1)
  })

  it('of the search entries is written beside the former one, then alone; the former one is destroyed only afterwards', async () => {
    const versions = async () => (await house.newRing().purposeKey(RIVERSIDE, 'index')).tokenVersions
    const rotation = house.rotation()
    expect(await rotation.renewUse(RIVERSIDE, 'index', 2)).toBe(2)
    expect(await versions()).toEqual({ searched: [1, 2], written: [1] })
    await expect(rotation.retireFormerIndex(RIVERSIDE)).rejects.toThrow(VersionConflict)
    house.time += 6 * MINUTE
    expect(await versions()).toEqual({ searched: [1, 2], written: [1, 2] })
    house.time += 12 * MINUTE - 1
    expect(await versions()).toEqual({ searched: [1, 2], written: [2] })
    await expect(rotation.retireFormerIndex(RIVERSIDE)).rejects.toThrow(VersionConflict)
    house.time += 1
    expect(await rotation.retireFormerIndex(RIVERSIDE)).toBe(2)
    expect(await versions()).toEqual({ searched: [2], written: [2] })
    expect((await house.newRing().purposeKey(RIVERSIDE, 'index')).byVersion(1)).toBeUndefined()
    expect(await rotation.retireFormerIndex(RIVERSIDE)).toBe(2)
    expect(house.table.acts).toEqual(['RENEW_USE', 'RETIRE_USE'])
  })

  it('is rewrapped with all versions', async () => {
    const [patient = NOBODY] = patients
    await house.rotation().renewPatient(RIVERSIDE, patient)
    const before = await sealKeys(house.newRing(), [1, 2])
    await house.rotation().rotate(RIVERSIDE)
    await house.rotation().rewrap(RIVERSIDE, ignoreProgress)
    expect(house.table.patients.get(patient)?.versions).toMatchObject([
      { version: 1, tenantKeyVersion: 2, sealsFrom: 0 },
      { version: 2, tenantKeyVersion: 2, sealsFrom: house.time + 2 * MINUTE },
    ])
    expect(await sealKeys(house.newRing(), [1, 2])).toEqual(before)
  })

  it('is refused for a patient without a key', async () => {
    await expect(house.rotation().renewPatient(RIVERSIDE, NOBODY)).rejects.toThrow(KeyUnavailable)
    house.table.patients.set(NOBODY, { versions: [] })
    await expect(house.rotation().renewPatient(RIVERSIDE, NOBODY)).rejects.toThrow(KeyUnavailable)
  })
})
