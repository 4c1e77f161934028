import { createHash, randomBytes } from 'node:crypto'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, TenantId } from '../model/ids.ts'
import type { AccessItemPlace } from './access-seal.ts'
import { keyFrom } from './derive.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import { openPatientAccess, sealPatientAccess } from './patient-access.ts'
import { patientKeyFrom, type PatientKeys } from './patient-keys.ts'
import type { OpeningCounter } from './sealed-field.ts'
import { chunkDigest, type IndexEntry, openChunk, sealChunk } from './sealed-index.ts'
import { SealedRecord, sealRecord } from './sealed-record.ts'
import type { PurposeKey } from './tenant-keys.ts'

/**
 * Openings of sealed data without content. If an item is absent, its decoy is opened, so that neither the number of openings nor the
 * time shows whether the item exists (P5).
 *
 * The data is sealed once for each process, under keys that exist for nothing else.
 */
class DecoyOpenings {
  readonly #keys: PatientKeys
  readonly #accessKey: PurposeKey<'access'>
  readonly #chunk: Uint8Array
  readonly #manifest: Uint8Array
  readonly #access: Uint8Array

  constructor() {
    const key = patientKeyFrom(1, randomBytes(32))
    this.#keys = { current: () => key, byVersion: () => key }
    const accessKey = keyFrom(randomBytes(32))
    const tokenVersions = { searched: [1], written: [1] }
    this.#accessKey = { use: 'access', version: 1, key: accessKey, tokenVersions, byVersion: () => accessKey }
    this.#chunk = sealChunk(this.#keys, PLACE, CHUNK, ENTRIES)
    this.#manifest = sealRecord(this.#keys, RECORD, 1, { values: VALUES, metadata: METADATA }).manifest
    this.#access = sealPatientAccess(this.#accessKey, ACCESS, { version: 1, own: 1, consents: [], members: MEMBERS })
  }

  /** In place of an index chunk that no root names. */
  chunk(counter: OpeningCounter): void {
    counter.metadata++
    chunkDigest(this.#chunk)
    openChunk(this.#keys, PLACE, CHUNK, this.#chunk)
  }

  /** In place of the metadata of a record that does not exist. */
  record(counter: OpeningCounter): void {
    SealedRecord.open(this.#keys, RECORD, this.#manifest, counter)
  }

  /** In place of the access manifest of a patient that does not exist. */
  access(): void {
    openPatientAccess(this.#accessKey, ACCESS, this.#access)
  }
}

let openings: DecoyOpenings | undefined

/** The decoys of this process, which the first call seals. */
export const decoyOpenings = (): DecoyOpenings => (openings ??= new DecoyOpenings())

/** The absence of an access manifest. A decoy is opened in its place, once for all sources that read it in a request. */
export class AbsentPatientAccess {
  #isOpened = false

  open(): undefined {
    if (!this.#isOpened) decoyOpenings().access()
    this.#isOpened = true
  }
}

const idOf = (text: string): string => createHash('sha256').update(text).digest().toString('base64url', 0, 16)

const PLACE = { tenant: 'decoy' as TenantId, patient: idOf('patient') as PatientId }
const CHUNK = 1
const DATE = '2020-01-01T00:00:00.000Z'
/** As many entries as audit items reserve space for. */
const ENTRIES = ['one', 'two', 'three'].map(
  (name): IndexEntry => ({
    date: DATE,
    id: idOf(name) as RecordId,
    version: 1,
    codes: ['0000000'],
    categories: ['decoy'],
    labels: ['DECOY'],
    encounter: idOf('encounter') as RecordId,
  }),
)
const RECORD = { ...PLACE, type: 'Decoy' as TypeName, id: idOf('record') as RecordId }
const VALUES: ReadonlyMap<SchemaPath, Json> = new Map([['Decoy.value' as SchemaPath, 'decoy']])
const METADATA: RecordMetadata = {
  open: {},
  references: { encounter: idOf('encounter') as RecordId },
  date: DATE,
  codes: ['0000000'],
  labels: [],
}
const ACCESS: AccessItemPlace = { tenant: PLACE.tenant, pk: `decoy#${PLACE.patient}`, sk: 'ACCESS' }
const MEMBERS = new Map(['one', 'two'].map((name) => [`CARE_TEAM#${idOf(name)}`, [{ since: DATE }]]))
