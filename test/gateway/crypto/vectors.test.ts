import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Chunk } from '../../../gateway/crypto/chunk.ts'
import { openGrantManifest, sealGrantManifest } from '../../../gateway/crypto/grant-manifest.ts'
import {
  openMembershipChunk,
  openPatientAccess,
  sealMembershipChunk,
  sealPatientAccess,
} from '../../../gateway/crypto/patient-access.ts'
import { openAccessItem, sealAccessItem, type AccessItemPlace } from '../../../gateway/crypto/access-seal.ts'
import { openCursor, sealCursor, type CursorBound } from '../../../gateway/crypto/cursor.ts'
import type { RandomBytes } from '../../../gateway/crypto/parts.ts'
import { aadPrefix } from '../../../gateway/crypto/record-binding.ts'
import { openField, sealField } from '../../../gateway/crypto/sealed-field.ts'
import {
  chunkFits,
  type IndexEntry,
  type IndexPlace,
  type IndexRoot,
  openChunk,
  openRoot,
} from '../../../gateway/crypto/sealed-index.ts'
import { SealedRecord, sealRecord } from '../../../gateway/crypto/sealed-record.ts'
import { unwrapKey, wrapKey, wrapKeyFrom, type WrapPlace } from '../../../gateway/crypto/wrap.ts'
import { BadUserInput, IntegrityFailure } from '../../../gateway/model/failures.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'
import type { Json, RecordMetadata, RecordBinding } from '../../../gateway/model/record.ts'
import { counter, patientKeys, purposeKey } from './place-fixtures.ts'

// Bytes are hexadecimal, cursors are texts. Do not change the files: data that was ever sealed must continue to open.

interface WrappedPlace {
  readonly tenant: TenantId
  readonly patient: PatientId
  readonly tenantKeyVersion: number
  readonly version: number
}

interface Accept {
  fields: {
    comment: string
    patientKey: string
    keyVersion: number
    place: RecordBinding
    path: SchemaPath
    value: Json
    nonce: string
    sealed: string
  }[]
  manifests: {
    comment: string
    patientKey: string
    keyVersion: number
    place: RecordBinding
    version: number
    metadata: RecordMetadata
    values: Record<SchemaPath, Json>
    nonces: string[]
    manifest: string
    fields: Record<SchemaPath, string>
  }[]
  wrappedPatientKeys: {
    comment: string
    tenantKey: string
    place: WrappedPlace
    nonce: string
    patientKey: string
    wrapped: string
  }[]
  accessItems: {
    comment: string
    key: string
    keyVersion: number
    place: AccessItemPlace
    content: Json
    nonce: string
    sealed: string
  }[]
  grantManifests: {
    comment: string
    key: string
    keyVersion: number
    place: AccessItemPlace
    version: number
    items: Record<string, string>
    nonce: string
    sealed: string
  }[]
  patientAccess: {
    comment: string
    key: string
    keyVersion: number
    place: AccessItemPlace
    content: AccessVector
    nonce: string
    sealed: string
  }[]
  membershipChunks: {
    comment: string
    key: string
    keyVersion: number
    place: AccessItemPlace
    members: Record<string, Json>
    nonce: string
    sealed: string
  }[]
  /** The test opens these but does not seal them again, because the output of DEFLATE differs between platforms. */
  indexes: {
    comment: string
    patientKey: string
    keyVersion: number
    place: IndexPlace
    root: string
    own: IndexRoot['own'] | null
    chunks: { number: number; sealed: string; entries: IndexEntry[] }[]
  }[]
  cursors: { comment: string; key: string; keyVersion: number; bound: CursorBound; position: Json; nonce: string; cursor: string }[]
}

/** The content of an access manifest as JSON, which has no maps. */
interface AccessVector {
  version: number
  own?: number
  consents: Json[]
  members?: Record<string, Json>
  chunks?: Chunk[]
  next?: number
  destroyed?: string
}

interface Reject {
  fields: { why: string; patientKeys: Record<string, string>; place: RecordBinding; path: SchemaPath; sealed: string }[]
  manifests: { why: string; patientKeys: Record<string, string>; place: RecordBinding; manifest: string }[]
  verdicts: {
    why: string
    patientKeys: Record<string, string>
    place: RecordBinding
    manifest: string
    path: SchemaPath
    attribute: string | null
  }[]
  wrappedPatientKeys: { why: string; tenantKey: string; place: WrappedPlace; wrapped: string }[]
  accessItems: { why: string; key: string; keyVersion: number; place: AccessItemPlace; sealed: string }[]
  grantManifests: { why: string; key: string; keyVersion: number; place: AccessItemPlace; sealed: string }[]
  patientAccess: { why: string; key: string; keyVersion: number; place: AccessItemPlace; sealed: string }[]
  membershipChunks: { why: string; key: string; keyVersion: number; place: AccessItemPlace; sealed: string }[]
  indexRoots: { why: string; patientKeys: Record<string, string>; place: IndexPlace; sealed: string }[]
  indexChunks: { why: string; patientKeys: Record<string, string>; place: IndexPlace; number: number; sealed: string }[]
  cursors: { why: string; key: string; keyVersion: number; bound: CursorBound; cursor: string }[]
}

const load = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../vectors/sealed-field/${name}.json`, import.meta.url), 'utf8'))
const accept = load('accept') as Accept
const reject = load('reject') as Reject

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const keysOf = (hex: Record<string, string>) =>
  patientKeys(Object.fromEntries(Object.entries(hex).map(([version, key]) => [version, bytes(key)])))
const wrapPlace = ({ tenant, patient, tenantKeyVersion, version }: WrappedPlace): WrapPlace => ({
  tenant,
  holder: { use: 'patient-key', patient },
  tenantKeyVersion,
  version,
})

/** Returns the recorded nonces, one at each call. */
function replay(...nonces: string[]): RandomBytes {
  const left = [...nonces]
  return () => bytes(left.shift() ?? '')
}

describe('vectors that must open', () => {
  it.each(accept.fields)('field: $comment', ({ patientKey, keyVersion, place, path, value, nonce, sealed }) => {
    const keys = keysOf({ [keyVersion]: patientKey })
    const prefix = aadPrefix(place)
    expect(openField(keys, prefix, path, bytes(sealed), counter())).toEqual(value)
    expect(sealField(keys.current(), prefix, path, value, replay(nonce)).toString('hex')).toBe(sealed)
  })

  it.each(accept.manifests)(
    'record: $comment',
    ({ patientKey, keyVersion, place, version, metadata, values, nonces, manifest, fields }) => {
      const keys = keysOf({ [keyVersion]: patientKey })
      const record = SealedRecord.open(keys, place, bytes(manifest), counter())
      expect(record.version).toBe(version)
      expect(record.metadata).toEqual(metadata)
      const entries = Object.entries(values) as [SchemaPath, Json][]
      for (const [path, value] of entries) expect(record.openField(path, bytes(fields[path] ?? ''))).toEqual(value)
      const again = sealRecord(keys, place, version, { values: new Map(entries), metadata }, replay(...nonces))
      expect(Buffer.from(again.manifest).toString('hex')).toBe(manifest)
    },
  )

  it.each(accept.wrappedPatientKeys)('wrapped patient key: $comment', ({ tenantKey, place, nonce, patientKey, wrapped }) => {
    const wrapWith = wrapKeyFrom(bytes(tenantKey))
    expect(unwrapKey(wrapWith, wrapPlace(place), bytes(wrapped)).toString('hex')).toBe(patientKey)
    expect(wrapKey(wrapWith, wrapPlace(place), bytes(patientKey), replay(nonce)).toString('hex')).toBe(wrapped)
  })

  it.each(accept.accessItems)('access item: $comment', ({ key, keyVersion, place, content, nonce, sealed }) => {
    const access = purposeKey('access', bytes(key), keyVersion)
    expect(openAccessItem(access, place, bytes(sealed))).toEqual(content)
    expect(Buffer.from(sealAccessItem(access, place, content, replay(nonce))).toString('hex')).toBe(sealed)
  })

  it.each(accept.patientAccess)('access manifest: $comment', ({ key, keyVersion, place, content, nonce, sealed }) => {
    const access = purposeKey('access', bytes(key), keyVersion)
    const { members, ...rest } = content
    const expected = { ...rest, ...(members && { members: new Map(Object.entries(members)) }) }
    expect(openPatientAccess(access, place, bytes(sealed))).toEqual(expected)
    expect(Buffer.from(sealPatientAccess(access, place, expected, replay(nonce))).toString('hex')).toBe(sealed)
  })

  it.each(accept.membershipChunks)('chunk of memberships: $comment', ({ key, keyVersion, place, members, nonce, sealed }) => {
    const access = purposeKey('access', bytes(key), keyVersion)
    const expected = new Map(Object.entries(members))
    expect(openMembershipChunk(access, place, bytes(sealed))).toEqual(expected)
    expect(Buffer.from(sealMembershipChunk(access, place, expected, replay(nonce))).toString('hex')).toBe(sealed)
  })

  it.each(accept.grantManifests)('manifest of grants: $comment', ({ key, keyVersion, place, version, items, nonce, sealed }) => {
    const access = purposeKey('access', bytes(key), keyVersion)
    const root = { version, items: new Map(Object.entries(items)) }
    expect(openGrantManifest(access, place, bytes(sealed))).toEqual(root)
    expect(Buffer.from(sealGrantManifest(access, place, root, replay(nonce))).toString('hex')).toBe(sealed)
  })

  it.each(accept.indexes)('index: $comment', ({ patientKey, keyVersion, place, root, own, chunks }) => {
    const keys = keysOf({ [keyVersion]: patientKey })
    const opened = openRoot(keys, place, bytes(root))
    expect(opened.own).toEqual(own ?? undefined)
    const summaries = [...opened.types.values()].flat()
    expect(summaries).toHaveLength(chunks.length)
    for (const { number, sealed, entries } of chunks) {
      const summary = summaries.find((candidate) => candidate.number === number)
      expect(summary !== undefined && chunkFits(summary, bytes(sealed))).toBe(true)
      expect(openChunk(keys, place, number, bytes(sealed))).toEqual(entries)
    }
  })

  it.each(accept.cursors)('cursor: $comment', ({ key, keyVersion, bound, position, nonce, cursor }) => {
    const cursorKey = purposeKey('cursor', bytes(key), keyVersion)
    expect(openCursor(cursorKey, bound, cursor)).toEqual(position)
    expect(sealCursor(cursorKey, bound, position, replay(nonce))).toBe(cursor)
  })
})

describe('P6: vectors that must not open', () => {
  it.each(reject.fields)('P6: field: $why', ({ patientKeys: keys, place, path, sealed }) => {
    expect(() => openField(keysOf(keys), aadPrefix(place), path, bytes(sealed), counter())).toThrow(IntegrityFailure)
  })

  it.each(reject.manifests)('P6: manifest: $why', ({ patientKeys: keys, place, manifest }) => {
    expect(() => SealedRecord.open(keysOf(keys), place, bytes(manifest), counter())).toThrow(IntegrityFailure)
  })

  it.each(reject.verdicts)('P6: attribute: $why', ({ patientKeys: keys, place, manifest, path, attribute }) => {
    const record = SealedRecord.open(keysOf(keys), place, bytes(manifest), counter())
    expect(record.verdict(path, attribute === null ? undefined : bytes(attribute))).toBe('INTEGRITY')
    expect(() => record.openField(path, bytes(attribute ?? ''))).toThrow(IntegrityFailure)
  })

  it.each(reject.wrappedPatientKeys)('P6: wrapped patient key: $why', ({ tenantKey, place, wrapped }) => {
    expect(() => unwrapKey(wrapKeyFrom(bytes(tenantKey)), wrapPlace(place), bytes(wrapped))).toThrow(IntegrityFailure)
  })

  it.each(reject.accessItems)('P6: access item: $why', ({ key, keyVersion, place, sealed }) => {
    expect(() => openAccessItem(purposeKey('access', bytes(key), keyVersion), place, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.patientAccess)('P6: access manifest: $why', ({ key, keyVersion, place, sealed }) => {
    expect(() => openPatientAccess(purposeKey('access', bytes(key), keyVersion), place, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.membershipChunks)('P6: chunk of memberships: $why', ({ key, keyVersion, place, sealed }) => {
    expect(() => openMembershipChunk(purposeKey('access', bytes(key), keyVersion), place, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.grantManifests)('P6: manifest of grants: $why', ({ key, keyVersion, place, sealed }) => {
    expect(() => openGrantManifest(purposeKey('access', bytes(key), keyVersion), place, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.indexRoots)('P6: index root: $why', ({ patientKeys: keys, place, sealed }) => {
    expect(() => openRoot(keysOf(keys), place, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.indexChunks)('P6: index chunk: $why', ({ patientKeys: keys, place, number, sealed }) => {
    expect(() => openChunk(keysOf(keys), place, number, bytes(sealed))).toThrow(IntegrityFailure)
  })

  it.each(reject.cursors)('cursor: $why', ({ key, keyVersion, bound, cursor }) => {
    expect(() => openCursor(purposeKey('cursor', bytes(key), keyVersion), bound, cursor)).toThrow(BadUserInput)
  })
})
