import { beforeEach, describe, expect, it } from 'vitest'
import type { PatientKeys } from '../../../gateway/crypto/patient-keys.ts'
import type { OpeningCounter } from '../../../gateway/crypto/sealed-field.ts'
import { chunkDigest, type IndexEntry, type IndexRoot, sealChunk, sealRoot } from '../../../gateway/crypto/sealed-index.ts'
import { IntegrityFailure, KeyUnavailable, StoreUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, RecordId, RecordRef } from '../../../gateway/model/ids.ts'
import { type FoundVersion, type IndexVerdict, type ReadRecord, verifyAgainstIndex } from '../../../gateway/store/index-check.ts'
import { NO_CHUNK } from '../../../gateway/store/patient-index.ts'
import type { DecidedManifest } from '../../../gateway/store/record-source.ts'
import type { RecordTable } from '../../../gateway/store/records.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import { counter, ELSEWHERE, OTHER_PATIENT, PATIENT, patientKeys, PLACE, rawKey } from '../crypto/place-fixtures.ts'

const OBSERVATION = 'Observation' as TypeName
const { tenant } = PLACE
const OWN: RecordRef = { type: PLACE.type, patient: PATIENT, id: PLACE.id }

/** The entries are five days apart, newest first; three are in chunk 1, and two in chunk 2. */
const entryOf = (number: number): IndexEntry => ({
  date: new Date(Date.UTC(2024, 0, 30 - 5 * number)).toISOString(),
  id: `observation-${number}` as RecordId,
  version: number + 2,
  codes: [],
  categories: [],
  labels: [],
})
const CHUNKS: ReadonlyMap<number, readonly IndexEntry[]> = new Map([
  [1, [0, 1, 2].map(entryOf)],
  [2, [3, 4].map(entryOf)],
])

/** The stored index of one patient. A test changes a part of it, like an attacker with write access to the database. */
class StoredIndex {
  readonly patient: PatientId
  readonly keys: PatientKeys
  readonly chunks = new Map<number, Uint8Array>()
  root: Uint8Array

  constructor(patient: PatientId, keys: PatientKeys) {
    this.patient = patient
    this.keys = keys
    for (const [number, entries] of CHUNKS) this.chunks.set(number, sealChunk(keys, { tenant, patient }, number, entries))
    this.root = this.sealedRoot({ type: PLACE.type, version: 3 })
  }

  /** A root over the present chunks. */
  sealedRoot(own: IndexRoot['own'], access?: number): Uint8Array {
    const summaries = [...CHUNKS].map(([number, entries]) => {
      const [first, last] = [entries[0], entries.at(-1)]
      if (first === undefined || last === undefined) throw new Error('empty chunk')
      const digest = chunkDigest(this.chunks.get(number) ?? new Uint8Array())
      return { number, digest, count: entries.length, first: positionOf(first), last: positionOf(last) }
    })
    const names = access !== undefined && { access }
    const root = {
      version: 1,
      next: 3,
      ...(own && { own }),
      ...names,
      types: new Map([[OBSERVATION, summaries]]),
      labeled: new Map(),
    }
    return sealRoot(this.keys, { tenant, patient: this.patient }, root)
  }
}

const positionOf = ({ date, id }: IndexEntry) => ({ date, id })

let stored: StoredIndex
let opened: OpeningCounter
/** The chunks of each request to the table, by patient. */
let requests: (readonly (readonly [PatientId, readonly number[]])[])[]

beforeEach(() => {
  stored = new StoredIndex(PATIENT, patientKeys({ 1: rawKey(0x20) }))
  opened = counter()
  requests = []
  manifests = NONE
})

const tableOf = (...indexes: readonly StoredIndex[]): Pick<RecordTable, 'chunksOf'> => ({
  chunksOf: (_tenant, wanted) => {
    const asked = [...wanted].map(([patient, numbers]) => [patient, [...numbers]] as const)
    requests.push(asked)
    const chunksOf = (patient: PatientId) => indexes.find((index) => index.patient === patient)?.chunks ?? new Map<number, never>()
    return Promise.resolve(
      new Map(
        asked.map(([patient, numbers]) => [
          patient,
          new Map([...chunksOf(patient)].filter(([number]) => numbers.includes(number))),
        ]),
      ),
    )
  },
})

/** Decisions without an access manifest. */
const NONE: ReadonlyMap<PatientId, DecidedManifest> = new Map()
let manifests = NONE

const verdictsOf = (records: readonly ReadRecord[], ...indexes: readonly StoredIndex[]): Promise<readonly IndexVerdict[]> => {
  const all = indexes.length === 0 ? [stored] : indexes
  const roots = new Map(all.map(({ patient, root }) => [patient, root]))
  const keys = new Map(all.map((index) => [index.patient, index.keys]))
  return verifyAgainstIndex(tableOf(...all), { tenant, roots, keys, manifests }, records, opened)
}

const verdictOf = async (record: ReadRecord): Promise<IndexVerdict | undefined> => (await verdictsOf([record]))[0]

/** The observation of an entry, as it was read from the table. */
const read = (number: number, { version }: { version?: number } = {}): ReadRecord => {
  const { id, date, version: listed } = entryOf(number)
  return { ref: { type: OBSERVATION, patient: PATIENT, id }, found: foundAt(version ?? listed, date) }
}
const foundAt = (version: number, date: string): FoundVersion => ({ version, date, isLabeled: false, isClosed: false })
const missing = ({ ref }: ReadRecord): ReadRecord => ({ ref, found: undefined })
const own = (version: number | undefined, id = PLACE.id): ReadRecord => ({
  ref: { ...OWN, id },
  found: version === undefined ? undefined : foundAt(version, ''),
})

describe('P6: a record counts only at the version that the index lists', () => {
  it('accepts a record at the listed version, and the absence of an unlisted record', async () => {
    expect(await verdictsOf([read(0), read(4), own(3)])).toEqual(['SOUND', 'SOUND', 'SOUND'])
    expect(await verdictOf(missing(read(9)))).toBe('ABSENT')
  })

  it.each([
    ['an earlier version, put back', read(1, { version: 2 })],
    ['a later version than any listed one', read(1, { version: 4 })],
    ['a listed record that is absent', missing(read(1))],
    [
      'a present record that is not listed, within a chunk',
      { ...read(1), ref: { ...read(1).ref, id: 'observation-x' as RecordId } },
    ],
    ['a present record that is not listed, in no chunk', { ...read(1), found: foundAt(3, '2030-01-01T00:00:00.000Z') }],
    ['a record that is listed at another date', { ...read(1), found: foundAt(3, entryOf(4).date) }],
    ['a present record of a type that has no chunk', { ...read(1), ref: { ...read(1).ref, type: 'Encounter' as TypeName } }],
  ])('refuses %s', async (_case, record) => {
    expect(await verdictOf(record)).toBe('BROKEN')
  })

  it('P5: accepts the absence of a record of a type that has no chunk, with the request of a type that has some', async () => {
    expect(await verdictOf({ ref: { ...read(1).ref, type: 'Encounter' as TypeName }, found: undefined })).toBe('ABSENT')
    expect(requests.flat()).toEqual([[PATIENT, [NO_CHUNK.unlabeled, NO_CHUNK.labeled]]])
  })

  it('P5: looks up a closed record as an absent one, in the same chunks', async () => {
    const { ref } = read(1)
    const { version, date } = entryOf(1)
    expect(await verdictOf({ ref, found: { ...foundAt(version, date), isClosed: true } })).toBe('SOUND')
    expect(await verdictOf(missing(read(9)))).toBe('ABSENT')
    const [closed, absent] = requests
    expect(closed).toEqual(absent)
  })
})

describe('P6: the root names the version of the patient record', () => {
  it.each([
    ['an earlier version, put back', own(2)],
    ['a later version', own(4)],
    ['its absence', own(undefined)],
    ['a present record of the patient type under a foreign id', own(3, ELSEWHERE['record']?.id)],
  ])('refuses %s', async (_case, record) => {
    expect(await verdictOf(record)).toBe('BROKEN')
  })

  it('P5: answers a foreign id of the patient type from the root, without a request for chunks', async () => {
    expect(await verdictOf(own(undefined, ELSEWHERE['record']?.id))).toBe('ABSENT')
    expect(requests.flat()).toEqual([])
    expect(opened).toEqual({ fields: 0, metadata: 1 })
  })
})

describe('P6: a part of the index that is missing, moved or old proves nothing', () => {
  it('refuses records and their absence if the root is missing', async () => {
    const context = { tenant, roots: new Map(), keys: new Map([[PATIENT, stored.keys]]), manifests: NONE }
    const verdicts = await verifyAgainstIndex(tableOf(stored), context, [read(0), own(3), missing(read(9))], opened)
    expect(verdicts).toEqual(['BROKEN', 'BROKEN', 'BROKEN'])
  })

  it('refuses records and their absence if only the key is missing', async () => {
    const context = { tenant, roots: new Map([[PATIENT, stored.root]]), keys: new Map(), manifests: NONE }
    const verdicts = await verifyAgainstIndex(tableOf(stored), context, [read(0), missing(read(9))], opened)
    expect(verdicts).toEqual(['BROKEN', 'BROKEN'])
  })

  it('accepts absence for a patient with neither root nor key, but no record', async () => {
    const context = { tenant, roots: new Map(), keys: new Map(), manifests: NONE }
    const verdicts = await verifyAgainstIndex(tableOf(), context, [missing(read(0)), read(0)], opened)
    expect(verdicts).toEqual(['ABSENT', 'BROKEN'])
  })

  it.each([
    ['is missing', () => stored.chunks.delete(1)],
    ['is another chunk of the patient', () => stored.chunks.set(1, stored.chunks.get(2) ?? new Uint8Array())],
    [
      'was sealed by the gateway at another time',
      () => stored.chunks.set(1, sealChunk(stored.keys, { tenant, patient: PATIENT }, 1, CHUNKS.get(1) ?? [])),
    ],
  ])('refuses every record of a chunk that %s, and opens no such chunk', async (_case, tamper) => {
    tamper()
    expect(await verdictsOf([read(0), read(2), read(3)])).toEqual(['BROKEN', 'BROKEN', 'SOUND'])
    // the root and chunk 2
    expect(opened.metadata).toBe(2)
  })

  it('refuses absence if one chunk of the type is missing', async () => {
    stored.chunks.delete(2)
    expect(await verdictOf(missing(read(9)))).toBe('BROKEN')
  })

  it('yields an integrity failure for a root and for a chunk that do not open', async () => {
    // the root names this chunk, but it was sealed for another patient
    stored.chunks.set(1, sealChunk(stored.keys, { tenant, patient: OTHER_PATIENT }, 1, CHUNKS.get(1) ?? []))
    stored.root = stored.sealedRoot({ type: PLACE.type, version: 3 })
    expect(await verdictsOf([read(0), read(3)])).toEqual([expect.any(IntegrityFailure), 'SOUND'])
    stored.root = new StoredIndex(OTHER_PATIENT, stored.keys).root
    expect(await verdictsOf([read(3), own(3)])).toEqual([expect.any(IntegrityFailure), expect.any(IntegrityFailure)])
  })

  it('passes on an unavailable key as such, and an unavailable table as an error', async () => {
    const failing = () => {
      throw new KeyUnavailable()
    }
    const keys = new Map([[PATIENT, { current: failing, byVersion: failing }]])
    const context = { tenant, roots: new Map([[PATIENT, stored.root]]), keys, manifests: NONE }
    expect(await verifyAgainstIndex(tableOf(stored), context, [read(0)], opened)).toEqual([expect.any(KeyUnavailable)])
    const sound = { ...context, keys: new Map([[PATIENT, stored.keys]]) }
    const down = { chunksOf: () => Promise.reject(new StoreUnavailable()) }
    await expect(verifyAgainstIndex(down, sound, [read(0)], opened)).rejects.toThrow(StoreUnavailable)
  })
})

describe('P6: a decision rests on no older access manifest than the index names', () => {
  const OWN_RECORD = { type: PLACE.type, version: 3 }

  it.each([
    ['the manifest that the root names', 4],
    ['a newer manifest, written after the root was read', 5],
  ])('accepts records for %s', async (_case, version) => {
    stored.root = stored.sealedRoot(OWN_RECORD, 4)
    manifests = new Map([[PATIENT, { version }]])
    expect(await verdictsOf([read(0), own(3), missing(read(9))])).toEqual(['SOUND', 'SOUND', 'ABSENT'])
  })

  it.each([
    ['a newer manifest', 5],
    ['no manifest', undefined],
  ])('refuses records and their absence if the root names %s, and opens no chunk', async (_case, named) => {
    stored.root = stored.sealedRoot(OWN_RECORD, named)
    manifests = new Map([[PATIENT, { version: 4 }]])
    expect(await verdictsOf([read(0), own(3), missing(read(9))])).toEqual(['OUTDATED', 'OUTDATED', 'OUTDATED'])
    expect([opened.metadata, requests.flat()]).toEqual([1, []])
  })

  it('accepts a decision without a manifest, which break-glass makes during an outage', async () => {
    stored.root = stored.sealedRoot(OWN_RECORD, 4)
    expect(await verdictsOf([read(0), own(3)])).toEqual(['SOUND', 'SOUND'])
  })
})

describe('the cost of the index check', () => {
  it('reads the chunks of all patients in one request, and opens each root and chunk once', async () => {
    const other = new StoredIndex(OTHER_PATIENT, patientKeys({ 1: rawKey(0x40) }))
    const theirs = (record: ReadRecord): ReadRecord => ({ ...record, ref: { ...record.ref, patient: OTHER_PATIENT } })
    const verdicts = await verdictsOf([read(0), read(1), theirs(read(4)), theirs(read(0, { version: 1 }))], stored, other)
    expect(verdicts).toEqual(['SOUND', 'SOUND', 'SOUND', 'BROKEN'])
    expect(requests).toEqual([
      [
        [PATIENT, [1]],
        [OTHER_PATIENT, [2, 1]],
      ],
    ])
    expect(opened).toEqual({ fields: 0, metadata: 5 })
  })
})
