import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { sealEnvelope } from '../../../gateway/crypto/envelope.ts'
import { toPaddedBytes } from '../../../gateway/crypto/padded-text.ts'
import { type PatientKeys, patientKeyFrom } from '../../../gateway/crypto/patient-keys.ts'
import { indexAad } from '../../../gateway/crypto/record-binding.ts'
import {
  chunkDigest,
  type IndexEntry,
  type IndexRoot,
  openChunk,
  openRoot,
  sealChunk,
  sealRoot,
} from '../../../gateway/crypto/sealed-index.ts'
import { IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { PatientId, RecordId, TenantId } from '../../../gateway/model/ids.ts'

const key = patientKeyFrom(1, randomBytes(32))
const keys: PatientKeys = { current: () => key, byVersion: (version) => (version === 1 ? key : undefined) }
const other = patientKeyFrom(1, randomBytes(32))
const otherKeys: PatientKeys = { current: () => other, byVersion: () => other }
const place = { tenant: 'riverside' as TenantId, patient: 'AAAAAAAAAAAAAAAAAAAAAA' as PatientId }

const entry = (number: number): IndexEntry => ({
  date: new Date(Date.UTC(2020, 0, 1 + number)).toISOString(),
  id: `record-${number}` as RecordId,
  version: number + 1,
  codes: ['4548-4'],
  categories: [[], ['laboratory'], ['laboratory', 'CH']][number % 3] ?? [],
  labels: number % 3 === 0 ? ['HIV'] : [],
  ...(number % 4 === 0 && { encounter: `encounter-${number % 5}` as RecordId }),
  ...(number % 7 === 0 && { author: 'Practitioner/1' }),
  ...(number % 11 === 0 && { datePrecision: 'DAY' as const }),
})
const entries = Array.from({ length: 250 }, (_, number) => entry(number))
const root: IndexRoot = {
  version: 7,
  next: 3,
  types: new Map([
    [
      'Observation',
      [{ number: 2, digest: 'd', count: 250, first: { date: 'b', id: 'x' as RecordId }, last: { date: 'a', id: 'y' as RecordId } }],
    ],
  ]),
  labeled: new Map([
    [
      'Observation',
      [{ number: 1, digest: 'e', count: 1, first: { date: 'b', id: 'z' as RecordId }, last: { date: 'b', id: 'z' as RecordId } }],
    ],
  ]),
}

describe('P6: a part of the index opens only in its own place', () => {
  it('opens to the sealed content', () => {
    expect(openChunk(keys, place, 2, sealChunk(keys, place, 2, entries))).toEqual(entries)
    expect(openRoot(keys, place, sealRoot(keys, place, root))).toEqual(root)
  })

  it('takes at most eight bytes more for a record of two categories than for a record of one', () => {
    const sizeOf = (count: number): number =>
      sealChunk(
        keys,
        place,
        2,
        entries.map((one) => ({ ...one, categories: ['social-history', 'survey'].slice(0, count) })),
      ).length
    expect(sizeOf(2) - sizeOf(1)).toBeLessThanOrEqual(8 * entries.length)
  })

  const chunk = sealChunk(keys, place, 2, entries)
  const sealedRoot = sealRoot(keys, place, root)
  const refused: readonly (readonly [string, () => unknown])[] = [
    ['as another chunk', () => openChunk(keys, place, 3, chunk)],
    ['as the root', () => openRoot(keys, place, chunk)],
    ['a root as a chunk', () => openChunk(keys, place, 2, sealedRoot)],
    ['of another patient', () => openRoot(keys, { ...place, patient: 'BAAAAAAAAAAAAAAAAAAAAA' as PatientId }, sealedRoot)],
    ['of another tenant', () => openRoot(keys, { ...place, tenant: 'lakeside' as TenantId }, sealedRoot)],
    ['under another key', () => openRoot(otherKeys, place, sealedRoot)],
    ['under a key version that there is not', () => openRoot({ ...keys, byVersion: () => undefined }, place, sealedRoot)],
    [
      'with one bit changed',
      () =>
        openRoot(
          keys,
          place,
          sealedRoot.map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
        ),
    ],
    ['cut short', () => openChunk(keys, place, 2, chunk.subarray(0, -1))],
    ['nothing at all', () => openRoot(keys, place, new Uint8Array())],
  ]
  it.each(refused)('not %s', (_name, open) => {
    expect(open).toThrow(IntegrityFailure)
  })

  it('refuses a text that inflates beyond the size of any index, and a text that is no index', () => {
    const sealed = (bytes: Uint8Array): Uint8Array =>
      sealEnvelope(
        { version: 1, key: key.seal },
        indexAad(place.tenant, place.patient, '#index', 1),
        toPaddedBytes(bytes),
        randomBytes,
      )
    for (const bytes of [deflateRawSync(Buffer.alloc(5_000_000)), deflateRawSync('{"version":1}'), Buffer.from('not deflated')]) {
      expect(() => openRoot(keys, place, sealed(bytes))).toThrow(IntegrityFailure)
    }
    expect(() => openRoot(keys, place, sealed(deflateRawSync('{')))).toThrow(IntegrityFailure)
  })

  it('gives equal entries sealed twice different digests, so that an older chunk does not match', () => {
    expect(chunkDigest(sealChunk(keys, place, 2, entries))).not.toBe(chunkDigest(chunk))
  })
})
