import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sealEnvelope } from '../../../gateway/crypto/envelope.ts'
import { bucketFor, toPaddedText, ValueNotSealable } from '../../../gateway/crypto/padded-text.ts'
import { MAX_TEXT_BYTES } from '../../../gateway/model/record-size.ts'
import { fieldAad, aadPrefix } from '../../../gateway/crypto/record-binding.ts'
import { openField, openMetadata, sealField, sealMetadata } from '../../../gateway/crypto/sealed-field.ts'
import { IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { counter, ELSEWHERE, path, patientKeys, PLACE, rawKey } from './place-fixtures.ts'

const raw = rawKey(0x20)
const keys = patientKeys({ 1: raw })
const prefix = aadPrefix(PLACE)
const BIRTH_DATE = path('Patient.birthDate')
const seal = (value: Json) => sealField(keys.current(), prefix, BIRTH_DATE, value, randomBytes)
const open = (sealed: Uint8Array) => openField(keys, prefix, BIRTH_DATE, sealed, counter())

describe('a sealed field', () => {
  it.each<[string, Json]>([
    ['text', 'Ångström 🙂 "quoted"'],
    ['a date', '1984-02-29'],
    ['a number', -0.1],
    ['a boolean', false],
    ['a composite', { end: '2024-01-01', codes: [{ code: '4548-4', text: null }] }],
    ['an empty list', []],
    ['a text of the greatest length', 'x'.repeat(MAX_TEXT_BYTES - 2)],
  ])('gives back %s', (_, value) => {
    expect(open(seal(value))).toEqual(value)
  })

  it('never seals one value the same way twice', () => {
    expect(seal('same').equals(seal('same'))).toBe(false)
  })

  it('refuses a text over 200 KB, naming the field and nothing of the value', () => {
    const tooLong = 'secret'.repeat(MAX_TEXT_BYTES)
    const failure = caught(() => seal(tooLong))
    expect(failure).toBeInstanceOf(ValueNotSealable)
    expect(failure).toMatchObject({ reason: 'TOO_LONG', path: BIRTH_DATE, code: 'BAD_USER_INPUT' })
    expect(JSON.stringify(failure) + String(failure)).not.toContain('secret')
    // the limit counts bytes, not characters
    expect(() => seal('é'.repeat(MAX_TEXT_BYTES / 2))).toThrow(ValueNotSealable)
  })

  it.each([[Number.NaN], ['\ud800'], [undefined as unknown as Json], [10n as unknown as Json]])(
    'refuses %s, which is no JSON',
    (value) => {
      expect(() => seal(value)).toThrow(expect.objectContaining({ reason: 'NOT_JSON' }) as Error)
    },
  )

  it('counts each opening once, and no failed one', () => {
    const openings = counter()
    const sealed = seal('x')
    openField(keys, prefix, BIRTH_DATE, sealed, openings)
    openField(keys, prefix, BIRTH_DATE, sealed, openings)
    expect(() => openField(keys, prefix, path('Patient.ssn'), sealed, openings)).toThrow(IntegrityFailure)
    expect(openings).toEqual({ fields: 2, metadata: 0 })
  })
})

describe('lengths show only as buckets', () => {
  it.each<[Json, Json]>([
    [true, '1984-02-29'],
    ['female', '1984'],
    ['2024-01-01T00:00:00.000Z', false],
    ['a', 'x'.repeat(42)],
  ])('%j and %j have one size', (one, other) => {
    expect(seal(one).length).toBe(seal(other).length)
    expect(seal(one).length).toBe(81)
  })

  it('doubles up to 6144 bytes and then grows in steps of 6144', () => {
    expect([1, 48, 49, 96, 97, 192, 3072, 3073, 6144, 6145, 12288, 12289].map(bucketFor)).toEqual([
      48, 48, 96, 96, 192, 192, 3072, 6144, 6144, 12288, 12288, 18432,
    ])
  })
})

describe('P6: a ciphertext opens only in its own place', () => {
  const sealed = seal('1984-02-29')

  it.each(Object.entries(ELSEWHERE))('P6: a value moved to another %s does not open', (_, place) => {
    expect(() => openField(keys, aadPrefix(place), BIRTH_DATE, sealed, counter())).toThrow(IntegrityFailure)
  })

  it('P6: a value moved to another path does not open', () => {
    expect(() => openField(keys, prefix, path('Patient.birthDat'), sealed, counter())).toThrow(IntegrityFailure)
    expect(() => openField(keys, prefix, path('Patient.address.city'), sealed, counter())).toThrow(IntegrityFailure)
  })

  it('P6: a value does not open under another key version, even with the same key', () => {
    const sameKeyTwice = patientKeys({ 1: raw, 2: raw })
    const renamed = Buffer.from(sealed)
    renamed.writeUInt32BE(2, 1)
    expect(openField(sameKeyTwice, prefix, BIRTH_DATE, sealed, counter())).toBe('1984-02-29')
    expect(() => openField(sameKeyTwice, prefix, BIRTH_DATE, renamed, counter())).toThrow(IntegrityFailure)
  })

  it('P6: an unknown key version is an integrity failure', () => {
    expect(() => openField(patientKeys({ 2: raw }), prefix, BIRTH_DATE, sealed, counter())).toThrow(IntegrityFailure)
  })

  it("P6: another patient's key does not open it", () => {
    expect(() => openField(patientKeys({ 1: rawKey(0x21) }), prefix, BIRTH_DATE, sealed, counter())).toThrow(IntegrityFailure)
  })

  it('P6: detects a change of any bit', () => {
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const altered = Buffer.from(sealed)
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(() => open(altered)).toThrow(IntegrityFailure)
    }
  })

  it('P6: no shortened or lengthened value opens', () => {
    for (let length = 0; length < sealed.length; length++) expect(() => open(sealed.subarray(0, length))).toThrow(IntegrityFailure)
    expect(() => open(Buffer.concat([sealed, Buffer.alloc(1)]))).toThrow(IntegrityFailure)
    expect(() => open(Buffer.concat([sealed, Buffer.alloc(48)]))).toThrow(IntegrityFailure)
    expect(() => open(Buffer.alloc(250_000, 1))).toThrow(IntegrityFailure)
  })

  it('P6: a field does not open as metadata, nor metadata as a field', () => {
    const metadata = sealMetadata(keys.current(), prefix, 1, { open: {}, references: {} }, randomBytes)
    expect(() => openMetadata(keys, prefix, 1, sealed, counter())).toThrow(IntegrityFailure)
    expect(() => openField(keys, prefix, path('#metadata'), metadata, counter())).toThrow(IntegrityFailure)
  })

  it('P6: metadata does not open for another record version', () => {
    const metadata = sealMetadata(keys.current(), prefix, 1, { open: {}, references: {} }, randomBytes)
    const openings = counter()
    expect(openMetadata(keys, prefix, 1, metadata, openings)).toEqual({ open: {}, references: {} })
    expect(() => openMetadata(keys, prefix, 2, metadata, openings)).toThrow(IntegrityFailure)
    expect(openings).toEqual({ fields: 0, metadata: 1 })
  })
})

describe('authentic content is checked too', () => {
  const sealPadded = (padded: Buffer) =>
    sealEnvelope({ version: 1, key: keys.current().seal }, fieldAad(prefix, BIRTH_DATE, 1), padded, randomBytes)

  it('P8: a text that is no JSON fails without its text in the error', () => {
    const padded = toPaddedText('abcdefgh')
    padded.write('secret', 4, 'utf8')
    const failure = caught(() => open(sealPadded(padded)))
    expect(failure).toBeInstanceOf(IntegrityFailure)
    expect(failure).not.toHaveProperty('cause')
  })

  it('refuses padding that is not zero, at its first and at its last byte', () => {
    for (const at of [4 + 10, 47]) {
      const padded = toPaddedText('abcdefgh')
      padded[at] = 1
      expect(() => open(sealPadded(padded))).toThrow(IntegrityFailure)
    }
  })

  it('refuses a bucket that is larger than needed', () => {
    expect(() => open(sealPadded(Buffer.concat([toPaddedText('abcdefgh'), Buffer.alloc(48)])))).toThrow(IntegrityFailure)
  })

  it.each([0, 45, 0xffff_ffff])('refuses a length of %i in the smallest bucket', (length) => {
    const padded = toPaddedText('abcdefgh')
    padded.fill(0, 4)
    padded.writeUInt32BE(length)
    expect(() => open(sealPadded(padded))).toThrow(IntegrityFailure)
  })
})

function caught(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
