import { describe, expect, it } from 'vitest'
import { hmacSha256 } from '../../../gateway/crypto/derive.ts'
import { aadPrefix } from '../../../gateway/crypto/record-binding.ts'
import { SealedRecord, sealRecord, type SealedBytes } from '../../../gateway/crypto/sealed-record.ts'
import { IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Json, RecordMetadata } from '../../../gateway/model/record.ts'
import { counter, ELSEWHERE, path, patientKeys, PLACE, rawKey } from './place-fixtures.ts'

const keys = patientKeys({ 1: rawKey(0x20) })
const BIRTH_DATE = path('Patient.birthDate')
const SSN = path('Patient.ssn')
const CITY = path('Patient.address.city')
const metadata: RecordMetadata = { open: { active: true }, references: {}, date: '2024-01-01T00:00:00.000Z' }
const values = new Map<SchemaPath, Json>([
  [SSN, '999-12-3456'],
  [BIRTH_DATE, '1984-02-29'],
])
const sealed = sealRecord(keys, PLACE, 7, { values, metadata })
const openRecord = (manifest: Uint8Array = sealed.manifest, openings = counter()) =>
  SealedRecord.open(keys, PLACE, manifest, openings)

describe('a sealed record', () => {
  it('opens its metadata with the manifest and each field when asked, and counts both', () => {
    const openings = counter()
    const record = openRecord(sealed.manifest, openings)
    expect(record.version).toBe(7)
    expect(record.metadata).toEqual(metadata)
    expect(openings).toEqual({ fields: 0, metadata: 1 })
    for (const [at, value] of values) expect(record.openField(at, field(sealed, at))).toBe(value)
    expect(openings).toEqual({ fields: 2, metadata: 1 })
  })

  it('gives its verdict without opening anything', () => {
    const openings = counter()
    const record = openRecord(sealed.manifest, openings)
    expect(record.verdict(SSN, field(sealed, SSN))).toBe('OPEN')
    expect(record.verdict(CITY, undefined)).toBe('ABSENT')
    expect(openings.fields).toBe(0)
  })

  it('holds a record without any field', () => {
    const empty = sealRecord(keys, PLACE, 1, { values: new Map(), metadata })
    expect(openRecord(empty.manifest).verdict(SSN, undefined)).toBe('ABSENT')
  })

  it('P1: keeps the seal of values that a new version does not change, under an older key too', () => {
    const rotated = patientKeys({ 1: rawKey(0x20), 2: rawKey(0x21) })
    const kept = new Map([[SSN, field(sealed, SSN)]])
    const next = sealRecord(rotated, PLACE, 8, { values: new Map<SchemaPath, Json>([[CITY, 'Springfield']]), kept, metadata })
    const record = SealedRecord.open(rotated, PLACE, next.manifest, counter())
    expect(record.openField(SSN, field(sealed, SSN))).toBe('999-12-3456')
    expect(record.openField(CITY, field(next, CITY))).toBe('Springfield')
    // the cleared value is absent, and its former seal does not come back
    expect(record.verdict(BIRTH_DATE, undefined)).toBe('ABSENT')
    expect(record.verdict(BIRTH_DATE, field(sealed, BIRTH_DATE))).toBe('INTEGRITY')
    expect(() => sealRecord(rotated, PLACE, 8, { values: new Map<SchemaPath, Json>([[SSN, 'x']]), kept, metadata })).toThrow(
      RangeError,
    )
  })

  it('reads fields that were sealed under an older key of the patient', () => {
    const rotated = patientKeys({ 1: rawKey(0x20), 2: rawKey(0x21) })
    const record = SealedRecord.open(rotated, PLACE, sealed.manifest, counter())
    expect(record.openField(SSN, field(sealed, SSN))).toBe('999-12-3456')
    const renewed = sealRecord(rotated, PLACE, 8, { values, metadata })
    expect(() => openRecord(renewed.manifest)).toThrow(IntegrityFailure)
    expect(SealedRecord.open(rotated, PLACE, renewed.manifest, counter()).openField(SSN, field(renewed, SSN))).toBe('999-12-3456')
  })

  it.each<[string, number, SchemaPath, Json]>([
    ['a path of another type', 1, path('Observation.value'), 1],
    ['the type alone', 1, path('Patient.'), 1],
    ['a path with a name that GraphQL does not know', 1, path('Patient.né'), 1],
    ['null, which is absence', 1, SSN, null],
    ['version 0', 0, SSN, 1],
    ['a version beyond 32 bits', 2 ** 32, SSN, 1],
  ])('does not seal %s', (_, version, at, value) => {
    expect(() => sealRecord(keys, PLACE, version, { values: new Map([[at, value]]), metadata })).toThrow(RangeError)
  })
})

describe('P6: removed, moved or rolled-back is an integrity failure, never "none"', () => {
  it('P6: a removed attribute', () => {
    expect(openRecord().verdict(SSN, undefined)).toBe('INTEGRITY')
  })

  it('P6: an attribute that the manifest does not list', () => {
    expect(openRecord().verdict(CITY, field(sealed, SSN))).toBe('INTEGRITY')
    expect(() => openRecord().openField(CITY, field(sealed, SSN))).toThrow(IntegrityFailure)
  })

  it('P6: two swapped values', () => {
    expect(openRecord().verdict(SSN, field(sealed, BIRTH_DATE))).toBe('INTEGRITY')
    expect(() => openRecord().openField(SSN, field(sealed, BIRTH_DATE))).toThrow(IntegrityFailure)
  })

  it('P6: an older value restored without its manifest', () => {
    const newer = sealRecord(keys, PLACE, 8, { values, metadata })
    const record = openRecord(newer.manifest)
    expect(record.verdict(SSN, field(sealed, SSN))).toBe('INTEGRITY')
    expect(() => record.openField(SSN, field(sealed, SSN))).toThrow(IntegrityFailure)
    expect(record.openField(SSN, field(newer, SSN))).toBe('999-12-3456')
  })

  it('P6: a shortened or lengthened attribute', () => {
    const whole = field(sealed, SSN)
    expect(openRecord().verdict(SSN, whole.subarray(0, -1))).toBe('INTEGRITY')
    expect(openRecord().verdict(SSN, Buffer.concat([whole, Buffer.alloc(1)]))).toBe('INTEGRITY')
    expect(openRecord().verdict(SSN, new Uint8Array(0))).toBe('INTEGRITY')
  })

  it('P6: a path of another type is never absent', () => {
    expect(openRecord().verdict(path('Observation.value'), undefined)).toBe('INTEGRITY')
  })

  it('P6: a good verdict for one attribute does not carry over to another', () => {
    const record = openRecord()
    expect(record.verdict(SSN, field(sealed, SSN))).toBe('OPEN')
    expect(record.verdict(SSN, field(sealed, BIRTH_DATE))).toBe('INTEGRITY')
    expect(record.verdict(BIRTH_DATE, field(sealed, SSN))).toBe('INTEGRITY')
  })

  it.each(Object.entries(ELSEWHERE))('P6: a manifest moved to another %s', (_, place) => {
    expect(() => SealedRecord.open(keys, place, sealed.manifest, counter())).toThrow(IntegrityFailure)
  })

  it('P6: metadata of an older version in a newer manifest, even with a valid MAC', () => {
    const newer = sealRecord(keys, PLACE, 8, { values, metadata: { open: {}, references: {} } })
    const spliced = spliceMetadata(newer.manifest, sealed.manifest)
    expect(openRecord(remade(newer.manifest.slice())).version).toBe(8)
    expect(() => openRecord(spliced)).toThrow(IntegrityFailure)
    expect(() => openRecord(remade(spliced))).toThrow(IntegrityFailure)
  })

  it('P6: no change of one bit of the manifest', () => {
    for (let bit = 0; bit < sealed.manifest.length * 8; bit++) {
      const altered = Buffer.from(sealed.manifest)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => openRecord(altered)).toThrow(IntegrityFailure)
    }
  })

  it('P6: no shortened or lengthened manifest', () => {
    for (let length = 0; length < sealed.manifest.length; length++) {
      expect(() => openRecord(sealed.manifest.subarray(0, length))).toThrow(IntegrityFailure)
    }
    expect(() => openRecord(Buffer.concat([sealed.manifest, Buffer.alloc(1)]))).toThrow(IntegrityFailure)
  })

  it('counts no metadata that did not open', () => {
    const openings = counter()
    expect(() => SealedRecord.open(patientKeys({ 1: rawKey(1) }), PLACE, sealed.manifest, openings)).toThrow(IntegrityFailure)
    expect(openings).toEqual({ fields: 0, metadata: 0 })
  })
})

function field(bytes: SealedBytes, at: SchemaPath): Uint8Array {
  const found = bytes.fields.get(at)
  if (!found) throw new Error('no such field')
  return found
}

/** The first manifest with the metadata of the second. The test holds for metadata of equal and of different length. */
function spliceMetadata(into: Uint8Array, from: Uint8Array): Buffer {
  const [a, b] = [Buffer.from(into), Buffer.from(from)]
  const [endA, endB] = [13 + a.readUInt32BE(9), 13 + b.readUInt32BE(9)]
  return Buffer.concat([a.subarray(0, 9), b.subarray(9, endB), a.subarray(endA)])
}

/** The same manifest with a new MAC, which only a holder of the key can make. */
function remade(manifest: Uint8Array): Buffer {
  const listed = manifest.subarray(0, -32)
  return Buffer.concat([listed, hmacSha256(keys.current().manifest, aadPrefix(PLACE), listed)])
}
