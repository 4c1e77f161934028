import { describe, expect, it } from 'vitest'
import { openAccessItem, sealAccessItem } from '../../../gateway/crypto/access-seal.ts'
import { derivedId, lookupToken, subjectToken } from '../../../gateway/crypto/tokens.ts'
import { IntegrityFailure, KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { rawKey, purposeKey } from './place-fixtures.ts'

const access = purposeKey('access')
const place = { tenant: 'riverside' as TenantId, pk: 'riverside#p', sk: 'MEMBER#x' }
const content = { relationship: 'CARE_TEAM', fhirUser: 'Practitioner/123', periods: [{ since: '2024-01-01' }] }
const sealed = sealAccessItem(access, place, content)

describe('an item of the access table', () => {
  it('opens at its place and shows nothing outside', () => {
    expect(openAccessItem(access, place, sealed)).toEqual(content)
    expect(Buffer.from(sealed).toString('latin1')).not.toMatch(/CARE|Practitioner|2024/)
  })

  it.each([
    ['tenant', { ...place, tenant: 'lakeside' as TenantId }],
    ['patient', { ...place, pk: 'riverside#q' }],
    ['user', { ...place, sk: 'MEMBER#y' }],
    ['split of the same characters', { ...place, pk: 'riverside#pM', sk: 'EMBER#x' }],
  ])('P6: does not open for another %s', (_, other) => {
    expect(() => openAccessItem(access, other, sealed)).toThrow(IntegrityFailure)
  })

  it('P6: does not open under another key or key version, altered or cut', () => {
    expect(() => openAccessItem(purposeKey('access', rawKey(0x61)), place, sealed)).toThrow(IntegrityFailure)
    expect(() => openAccessItem(purposeKey('access', rawKey(0x60), 2), place, sealed)).toThrow(IntegrityFailure)
    for (let i = 0; i < sealed.length; i++) {
      const altered = Uint8Array.from(sealed)
      altered[i] = (altered[i] ?? 0) ^ 0x80
      expect(() => openAccessItem(access, place, altered)).toThrow(IntegrityFailure)
    }
    expect(() => openAccessItem(access, place, sealed.subarray(1))).toThrow(IntegrityFailure)
  })

  it('needs a key for its purpose: the types reject any other', () => {
    // @ts-expect-error a cursor key seals no access item
    expect(() => openAccessItem(purposeKey('cursor', rawKey(0x61)), place, sealed)).toThrow(IntegrityFailure)
  })
})

describe('tokens', () => {
  const lookup = purposeKey('lookup')
  const identifier = purposeKey('identifier')
  const patient = 'Patient' as TypeName

  it('are the same each time, 22 characters, and different for different texts and keys', () => {
    expect(subjectToken(lookup, 'Practitioner/123')).toBe(subjectToken(purposeKey('lookup'), 'Practitioner/123'))
    expect(subjectToken(lookup, 'Practitioner/123')).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(subjectToken(lookup, 'Practitioner/124')).not.toBe(subjectToken(lookup, 'Practitioner/123'))
    expect(subjectToken(purposeKey('lookup', rawKey(0x61)), 'Practitioner/123')).not.toBe(subjectToken(lookup, 'Practitioner/123'))
  })

  it('of one text differ between purposes', () => {
    expect(subjectToken(lookup, 'x')).not.toBe(lookupToken(lookup, 'x'))
    expect(derivedId(identifier, patient, 'x')).not.toBe(derivedId(identifier, 'Observation' as TypeName, 'x'))
    // the boundary between type and id counts
    expect(derivedId(identifier, 'Pat' as TypeName, 'ient1')).not.toBe(derivedId(identifier, patient, '1'))
  })

  it('accept any requested text, however long', () => {
    expect(lookupToken(lookup, 'x'.repeat(200_000))).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(lookupToken(lookup, '')).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })

  it('are 16 bytes, the size of an id', () => {
    expect(Buffer.from(derivedId(identifier, patient, '42'), 'base64url')).toHaveLength(16)
  })

  it('do not change with a newer version of the key, and need the first version', () => {
    const older = purposeKey('identifier')
    const newer = purposeKey('identifier', rawKey(0x61), 2)
    const rotated = { ...newer, byVersion: (version: number) => newer.byVersion(version) ?? older.byVersion(version) }
    expect(derivedId(rotated, patient, '42')).toBe(derivedId(older, patient, '42'))
    expect(() => derivedId(newer, patient, '42')).toThrow(KeyUnavailable)
  })
})
