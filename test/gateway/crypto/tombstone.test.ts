import { beforeEach, describe, expect, it } from 'vitest'
import { sealAccessItem } from '../../../gateway/crypto/access-seal.ts'
import { openTombstone, sealTombstone } from '../../../gateway/crypto/tombstone.ts'
import { Erased, IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { Instant, PatientId, TenantId } from '../../../gateway/model/ids.ts'
import { KeyHouse, RIVERSIDE } from './key-fixtures.ts'
import { OTHER_PATIENT, PATIENT, rawKey, purposeKey } from './place-fixtures.ts'

const AT = { at: 1_700_000_000_000 as Instant, versions: [1, 2] }
const access = purposeKey('access')

describe('P6: a tombstone', () => {
  const sealed = sealTombstone(access, RIVERSIDE, PATIENT, AT)

  it('opens for its patient, with the time and the key versions', () => {
    expect(openTombstone(access, RIVERSIDE, PATIENT, sealed)).toEqual(AT)
  })

  it.each([
    ['patient', () => openTombstone(access, RIVERSIDE, OTHER_PATIENT, sealed)],
    ['tenant', () => openTombstone(access, 'lakeside' as TenantId, PATIENT, sealed)],
    ['key', () => openTombstone(purposeKey('access', rawKey(0x61)), RIVERSIDE, PATIENT, sealed)],
    ['key version', () => openTombstone(purposeKey('access', rawKey(0x60), 2), RIVERSIDE, PATIENT, sealed)],
  ])('does not open for another %s', (_, opening) => {
    expect(opening).toThrow(IntegrityFailure)
  })

  it('does not open altered in any byte, cut, or empty', () => {
    for (let i = 0; i < sealed.length; i++) {
      const altered = Uint8Array.from(sealed)
      altered[i] = (altered[i] ?? 0) ^ 1
      expect(() => openTombstone(access, RIVERSIDE, PATIENT, altered)).toThrow(IntegrityFailure)
    }
    for (const bytes of [sealed.subarray(1), sealed.subarray(0, 40), new Uint8Array()]) {
      expect(() => openTombstone(access, RIVERSIDE, PATIENT, bytes)).toThrow(IntegrityFailure)
    }
  })

  it('differs from an item of the access table with the same keys, and allows no other content', () => {
    const place = { tenant: RIVERSIDE, pk: `${RIVERSIDE}#${PATIENT}`, sk: 'KEY' }
    const made = [
      sealAccessItem(access, place, AT),
      ...[{}, { at: 1 }, { ...AT, versions: [] }, { ...AT, more: 1 }].map((content) =>
        sealAccessItem(access, { ...place, table: 'keys' }, content),
      ),
    ]
    for (const item of made) expect(() => openTombstone(access, RIVERSIDE, PATIENT, item)).toThrow(IntegrityFailure)
  })
})

describe('P9: keys that were destroyed', () => {
  let house: KeyHouse
  let patient: PatientId
  let other: PatientId
  const NOBODY = 'nobodynobodynobodynobo' as PatientId

  beforeEach(async () => {
    house = new KeyHouse()
    const patients = await house.withPatients(2)
    ;[patient = NOBODY, other = NOBODY] = patients
  })
  const destroyKeys = async (): Promise<void> => {
    const key = await house.newRing().purposeKey(RIVERSIDE, 'access')
    house.table.patients.set(patient, { versions: [], tombstone: sealTombstone(key, RIVERSIDE, patient, AT) })
  }
  const handleOf = async (ring = house.ring, read: 'cached' | 'always' = 'cached') => {
    const handle = (await ring.patientKeys(RIVERSIDE, [patient, other], read)).get(patient)
    if (handle === undefined) throw new Error('no handle')
    return handle
  }

  it('are erased for each reader, and no other keys are', async () => {
    await destroyKeys()
    const handle = await handleOf()
    expect(handle.erased).toBe(true)
    for (const use of [() => handle.current(), () => handle.byVersion(1)]) expect(use).toThrow(Erased)
    const handles = await house.ring.patientKeys(RIVERSIDE, [other], 'cached')
    expect(handles.get(other)?.current().version).toBe(1)
    expect(handles.get(other)?.erased).toBe(false)
  })

  it('P13: stay in memory for at most 60 s, and not at all for a reader that reads them each time', async () => {
    expect((await handleOf()).current().version).toBe(1)
    await destroyKeys()
    house.time += 59_999
    expect((await handleOf()).erased).toBe(false)
    house.time += 1
    expect((await handleOf()).erased).toBe(true)

    const again = house.newRing()
    expect((await handleOf(again)).erased).toBe(true)
    house.table.patients.delete(patient)
    expect((await again.patientKeys(RIVERSIDE, [patient], 'always')).size).toBe(0)
  })

  it('are unavailable while the tombstone cannot be verified, and erased as soon as it can', async () => {
    await destroyKeys()
    const item = house.table.tenants.get(RIVERSIDE)
    if (item === undefined) throw new Error('no tenant')
    house.table.tenants.set(RIVERSIDE, { ...item, uses: item.uses.filter(({ use }) => use !== 'access') })
    const ring = house.newRing()
    const handle = await handleOf(ring)
    expect(handle.erased).toBe(false)
    expect(() => handle.current()).toThrow(KeyUnavailable)
    house.table.tenants.set(RIVERSIDE, item)
    house.time += 300_001
    expect((await handleOf(ring)).erased).toBe(true)
  })

  it('P6: are not erased by a tombstone beside keys or one that does not open; it is verified each time', async () => {
    const keys = house.table.patients.get(patient)
    const key = await house.newRing().purposeKey(RIVERSIDE, 'access')
    const items = [
      { versions: keys?.versions ?? [], tombstone: sealTombstone(key, RIVERSIDE, patient, AT) },
      { versions: [], tombstone: sealTombstone(key, RIVERSIDE, other, AT) },
      { versions: [], tombstone: new Uint8Array() },
    ]
    for (const item of items) {
      house.table.patients.set(patient, item)
      const handle = await handleOf(house.ring)
      expect(handle.erased).toBe(false)
      expect(() => handle.current()).toThrow(IntegrityFailure)
    }
    if (keys !== undefined) house.table.patients.set(patient, keys)
    expect((await handleOf(house.ring)).current().version).toBe(1)
  })
})
