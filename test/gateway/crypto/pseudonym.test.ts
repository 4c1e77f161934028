import fc from 'fast-check'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Pseudonyms, PSEUDONYM_LENGTH } from '../../../gateway/crypto/pseudonym.ts'
import type { PurposeKey } from '../../../gateway/crypto/tenant-keys.ts'
import { KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../../../gateway/model/ids.ts'
import { decodeNodeId, encodeNodeId } from '../../../gateway/model/node-id.ts'

function purposeKey(byte: number): PurposeKey<'pseudonym'> {
  const [one, two] = [byte, byte + 100].map((fill) => createSecretKey(Buffer.alloc(32, fill)))
  if (one === undefined || two === undefined) throw new TypeError('two keys')
  const tokenVersions = { searched: [1, 2], written: [2] }
  return { use: 'pseudonym', version: 2, key: two, tokenVersions, byVersion: (version) => (version === 1 ? one : two) }
}
const bound = (tenant: string, protocol: string) => ({ tenant: tenant as TenantId, protocol })
const study = new Pseudonyms(purposeKey(1), bound('riverside', 'A1C'))

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))
const refs = fc.record({
  type: fc.constantFrom('Patient', 'Observation', 'T', 'a'.repeat(64)).map((type) => type as TypeName),
  patient: id.map((text) => text as PatientId),
  id: id.map((text) => text as RecordId),
}) satisfies fc.Arbitrary<RecordRef>

describe('C18: a pseudonym opens only under its study', () => {
  it('each record has one pseudonym of fixed length, equal each time', () => {
    fc.assert(
      fc.property(refs, refs, (one, other) => {
        const text = study.seal(one)
        expect(study.open(text)).toEqual(one)
        expect(text).toHaveLength(PSEUDONYM_LENGTH)
        expect(new Pseudonyms(purposeKey(1), bound('riverside', 'A1C')).seal(one)).toBe(text)
        expect(study.seal(other) === text).toBe(encodeNodeId(one) === encodeNodeId(other))
      }),
    )
  })

  it.each([
    ['another study', new Pseudonyms(purposeKey(1), bound('riverside', 'A1D'))],
    ['another tenant', new Pseudonyms(purposeKey(1), bound('lakeside', 'A1C'))],
    ['another key', new Pseudonyms(purposeKey(2), bound('riverside', 'A1C'))],
    // the boundary between tenant and protocol counts
    ['a name that begins elsewhere', new Pseudonyms(purposeKey(1), bound('riversideA', '1C'))],
  ])('of %s, a pseudonym is another text and resolves to nothing here', (_, elsewhere) => {
    fc.assert(
      fc.property(refs, (ref) => {
        expect(elsewhere.seal(ref)).not.toBe(study.seal(ref))
        expect(study.open(elsewhere.seal(ref))).toBeUndefined()
        expect(elsewhere.standIn(ref, 'Patient.mrn' as SchemaPath)).not.toBe(study.standIn(ref, 'Patient.mrn' as SchemaPath))
      }),
    )
  })

  it('P6: a text with any bit changed, cut, longer or in another spelling does not open', () => {
    fc.assert(
      fc.property(refs, fc.nat(), fc.integer({ min: 0, max: 7 }), (ref, place, bit) => {
        const text = study.seal(ref)
        const bytes = Buffer.from(text, 'base64url')
        const at = place % bytes.length
        bytes.writeUInt8((bytes.at(at) ?? 0) ^ (1 << bit), at)
        expect(study.open(bytes.toString('base64url'))).toBeUndefined()
        for (const other of [text.slice(0, -1), `${text}A`, `${text}=`, text.replace(/.$/, (last) => (last === '_' ? '/' : '_'))]) {
          if (other !== text) expect(study.open(other)).toBeUndefined()
        }
      }),
    )
    for (const text of ['', 'no id', 'A'.repeat(PSEUDONYM_LENGTH), randomBytes(113).toString('base64url')]) {
      expect(study.open(text)).toBeUndefined()
    }
  })

  it('a pseudonym is not a node id, and a node id is not a pseudonym', () => {
    fc.assert(
      fc.property(refs, (ref) => {
        expect(decodeNodeId(study.seal(ref))).toBeUndefined()
        expect(study.open(encodeNodeId(ref))).toBeUndefined()
        const bytes = Buffer.from(study.seal(ref), 'base64url')
        for (const part of [ref.patient, ref.id]) expect(bytes.includes(Buffer.from(part, 'base64url'))).toBe(false)
      }),
    )
  })

  it('an impossible record reference has no pseudonym, and none is made without the first key', () => {
    const ref = { type: 'Patient', patient: 'p', id: 'r' } as unknown as RecordRef
    expect(() => study.seal(ref)).toThrow(RangeError)
    expect(() => study.seal({ ...ref, type: 'a b' as TypeName })).toThrow(RangeError)
    const lost = { ...purposeKey(1), byVersion: () => undefined }
    expect(() => new Pseudonyms(lost, bound('riverside', 'A1C'))).toThrow(KeyUnavailable)
  })

  it('164.514(c): the replacement of a value depends only on record and path', () => {
    const ref = { type: 'Patient', patient: 'A'.repeat(22), id: 'A'.repeat(22) } as unknown as RecordRef
    const one = study.standIn(ref, 'Patient.mrn' as SchemaPath)
    expect(one).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(study.standIn(ref, 'Patient.mrn' as SchemaPath)).toBe(one)
    expect(study.standIn(ref, 'Patient.ssn' as SchemaPath)).not.toBe(one)
    expect(study.standIn({ ...ref, id: 'B'.repeat(22) as RecordId }, 'Patient.mrn' as SchemaPath)).not.toBe(one)
  })
})
