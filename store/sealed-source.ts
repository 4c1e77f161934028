import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeyHandle } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { chunkDigest, type ChunkSummary, type IndexEntry, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { Failure, IntegrityFailure, KeyUnavailable } from '../vocabulary/failures.ts'
import type { RecordRef, SchemaPath, TenantId } from '../vocabulary/ids.ts'
import { type ListedPage, type ListRequest, newestFirst } from '../vocabulary/list.ts'
import { chunksFor, passes } from './patient-index.ts'
import type { FoundRecord, LoadOptions, OpenRecord, RecordSource } from './record-source.ts'
import type { RecordTable, StoredRecord } from './records.ts'

/** The shipped source: sealed records in DynamoDB, opened with their patient's key. */
export class SealedSource implements RecordSource {
  readonly #table: RecordTable
  readonly #keyring: Keyring

  constructor(table: RecordTable, keyring: Keyring) {
    this.#table = table
    this.#keyring = keyring
  }

  async load(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    { work }: LoadOptions,
  ): Promise<readonly FoundRecord[]> {
    const patients = [...new Set(refs.map(({ patient }) => patient))]
    // a key that cannot be had says nothing of whether a record is there: it is told when the record is opened
    const [stored, keys] = await Promise.all([
      this.#table.load(tenant, refs, paths),
      this.#keyring.patientKeys(tenant, patients, work === 'always' ? 'always' : 'cached').catch((error: unknown) => {
        if (error instanceof Failure) return error
        throw error
      }),
    ])
    return stored.map((record) => ({
      ref: record.ref,
      open: (counter) => {
        if (keys instanceof Failure) throw keys
        return open(tenant, record, keys.get(record.ref.patient), counter)
      },
    }))
  }

  async list(tenant: TenantId, request: ListRequest, counter: OpeningCounter): Promise<ListedPage> {
    const { patient } = request
    for (let attempt = 1; ; attempt++) {
      const [sealedRoot, keys] = await Promise.all([
        this.#table.indexRoot(tenant, patient),
        this.#keyring.patientKeys(tenant, [patient], 'cached'),
      ])
      const patientKeys = keys.get(patient)
      if (patientKeys === undefined) throw new KeyUnavailable()
      // a patient has an index from the first record on: that there is none is no empty list
      if (sealedRoot === undefined) throw new IntegrityFailure()
      const place = { tenant, patient }
      counter.metadata++
      const chunks = chunksFor(openRoot(patientKeys, place, sealedRoot), request)
      const sealed = await this.#table.indexChunks(
        tenant,
        patient,
        chunks.map(({ number }) => number),
      )
      if (chunks.every((chunk) => fits(chunk, sealed.get(chunk.number)))) {
        counter.metadata += chunks.length
        const entries = chunks.flatMap(({ number }) =>
          openChunk(patientKeys, place, number, sealed.get(number) ?? new Uint8Array()),
        )
        return pageOf(entries, request)
      }
      // a write between the two reads looks like this once; what stays so is no write
      if (attempt === READS) throw new IntegrityFailure()
    }
  }
}

const READS = 3

const fits = ({ digest }: ChunkSummary, sealed: Uint8Array | undefined): boolean =>
  sealed !== undefined && chunkDigest(sealed) === digest

function pageOf(entries: readonly IndexEntry[], { size, after, filter }: ListRequest): ListedPage {
  const ahead = entries.filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
  return {
    items: ahead.slice(0, size).map(({ date, id, version }) => ({ position: { date, id }, version })),
    more: ahead.length > size,
  }
}

function open(
  tenant: TenantId,
  { ref, manifest, fields }: StoredRecord,
  keys: PatientKeyHandle | undefined,
  counter: OpeningCounter,
): OpenRecord {
  if (keys === undefined) throw new KeyUnavailable()
  const record = SealedRecord.open(keys, { tenant, ...ref }, manifest, counter)
  return {
    version: record.version,
    metadata: record.metadata,
    value: (path) => {
      const attribute = fields.get(path)
      const verdict = record.verdict(path, attribute)
      if (verdict === 'ABSENT') return undefined
      if (verdict === 'INTEGRITY' || attribute === undefined) throw new IntegrityFailure()
      return record.openField(path, attribute)
    },
  }
}
