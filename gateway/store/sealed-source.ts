import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeyHandle } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { chunkFits, type IndexEntry, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { Deadline } from '../model/deadline.ts'
import { Erased, Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { type PatientId, type RecordId, recordKey, type RecordRef, type TenantId } from '../model/ids.ts'
import { type ListedPage, type ListRequest, newestFirst } from '../model/list.ts'
import { type OptimisticRead, retryOptimisticRead } from '../model/optimistic-read.ts'
import { failureOr, verifyAgainstIndex } from './index-check.ts'
import { chunksFor, passes } from './patient-index.ts'
import type { FoundRecord, LoadOptions, OpenRecord, RecordSource } from './record-source.ts'
import type { LoadedRecords, RecordTable, StoredRecord } from './records.ts'

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
    { timing, listed, decision, counter, deadline: { signal } }: LoadOptions,
  ): Promise<readonly FoundRecord[]> {
    const patients = patientsOf(refs)
    // an unavailable key does not show whether a record exists: opening the record throws its failure
    const [loaded, cached] = await Promise.all([
      // listed records were verified against the index when the list was read
      this.#table.loadWithRoots(tenant, refs, paths, patientsOf(refs.filter((ref) => !listed.has(recordKey(ref)))), signal),
      this.#keyring.patientKeys(tenant, patients, timing === 'uniform' ? 'always' : 'cached').catch((error: unknown) => {
        if (error instanceof Failure) return error
        throw error
      }),
    ])
    const answers = new Map(loaded.records.map(({ ref }) => [recordKey(ref), refused(ref, cached)]))
    if (cached instanceof Failure) return [...answers.values()]
    const { visible, erased } = await decision
    const keys = await this.#withoutRemembered(tenant, cached, erased)
    // the index of an erased patient cannot be opened: every requested record is answered as erased
    for (const ref of refs) {
      if (keys.get(ref.patient)?.erased === true) answers.set(recordKey(ref), erasedRecord(ref))
      else if (erased.has(ref.patient)) answers.set(recordKey(ref), refused(ref, new IntegrityFailure()))
    }
    let pending: readonly RecordRef[] = refs.filter(
      (ref) => visible.has(recordKey(ref)) && keys.get(ref.patient)?.erased !== true && !erased.has(ref.patient),
    )
    let first: LoadedRecords | undefined = loaded
    const check = async () => {
      const { records, roots } = first ?? (await this.#table.loadWithRoots(tenant, pending, paths, patientsOf(pending), signal))
      first = undefined
      const stored = new Map(records.map((record) => [recordKey(record.ref), record]))
      const doubtful: RecordRef[] = []
      const unchecked: { readonly ref: RecordRef; readonly opened: OpenRecord | undefined }[] = []
      for (const ref of pending) {
        const record = stored.get(recordKey(ref))
        const opened = record && failureOr(() => open(tenant, record, keys.get(ref.patient), counter))
        const test = visible.get(recordKey(ref))
        // if only its metadata can make the record visible, an absent or unreadable record stays hidden
        if (typeof test === 'function' && (opened === undefined || opened instanceof Failure || !test(opened.metadata))) continue
        const version = listed.get(recordKey(ref))
        if (opened instanceof Failure) answers.set(recordKey(ref), refused(ref, opened))
        else if (version === undefined || (opened !== undefined && opened.version !== version)) unchecked.push({ ref, opened })
        else if (opened !== undefined) answers.set(recordKey(ref), { ref, open: () => opened })
      }
      const asked = unchecked.map(({ ref, opened }) => ({
        ref,
        found: opened && { version: opened.version, date: opened.metadata.date ?? '' },
      }))
      const verdicts = await verifyAgainstIndex(this.#table, { tenant, roots, keys }, asked, counter, signal)
      for (const [index, { ref, opened }] of unchecked.entries()) {
        const verdict = verdicts[index] ?? 'BROKEN'
        if (verdict === 'BROKEN') doubtful.push(ref)
        else if (verdict instanceof Failure) answers.set(recordKey(ref), refused(ref, verdict))
        else if (opened !== undefined) answers.set(recordKey(ref), { ref, open: () => opened })
        else answers.delete(recordKey(ref))
      }
      pending = doubtful
      return doubtful.length === 0 ? { value: answers } : { torn: doubtful }
    }
    await retryOptimisticRead(check, (doubtful) => {
      for (const ref of doubtful) answers.set(recordKey(ref), refused(ref, new IntegrityFailure()))
      return answers
    })
    return [...answers.values()]
  }

  /** Destroyed keys stay in memory for a while. The keys of patients that are known to be erased are read again. */
  async #withoutRemembered(
    tenant: TenantId,
    cached: ReadonlyMap<PatientId, PatientKeyHandle>,
    erased: ReadonlySet<PatientId>,
  ): Promise<ReadonlyMap<PatientId, PatientKeyHandle>> {
    const remembered = [...erased].filter((patient) => cached.get(patient)?.erased === false)
    return remembered.length === 0
      ? cached
      : new Map([...cached, ...(await this.#keyring.patientKeys(tenant, remembered, 'always'))])
  }

  async list(tenant: TenantId, request: ListRequest, counter: OpeningCounter, { signal }: Deadline): Promise<ListedPage> {
    const { patient } = request
    let whole = false
    const read = async (): Promise<OptimisticRead<ListedPage, undefined>> => {
      const [sealedRoot, keys] = await Promise.all([
        this.#table.indexRoot(tenant, patient, signal),
        this.#keyring.patientKeys(tenant, [patient], 'cached'),
      ])
      const patientKeys = keys.get(patient)
      if (patientKeys === undefined) throw new KeyUnavailable()
      // A patient has an index from the first record on. A missing index is an error, not an empty list.
      if (sealedRoot === undefined) throw new IntegrityFailure()
      const place = { tenant, patient }
      counter.metadata++
      const root = openRoot(patientKeys, place, sealedRoot)
      const chunks = chunksFor(root, request, whole)
      const sealed = await this.#table.indexChunks(
        tenant,
        patient,
        chunks.map(({ number }) => number),
        signal,
      )
      if (!chunks.every((chunk) => chunkFits(chunk, sealed.get(chunk.number)))) return { torn: undefined }
      counter.metadata += chunks.length
      const entries = chunks.flatMap(({ number }) => openChunk(patientKeys, place, number, sealed.get(number) ?? new Uint8Array()))
      const page = pageOf(entries, request)
      if (page.leftOut.length === 0 || page.more || chunks.length === chunksFor(root, request, true).length) return { value: page }
      // further chunks replace the records that were left out: the same attempt goes on with the whole list
      whole = true
      return await read()
    }
    return await retryOptimisticRead(read, () => {
      throw new IntegrityFailure()
    })
  }
}

const patientsOf = (refs: readonly RecordRef[]): PatientId[] => [...new Set(refs.map(({ patient }) => patient))]

/** A record that exists and does not open: it is damaged, or the caller may not know of it. */
function refused(ref: RecordRef, why: unknown): FoundRecord {
  const failure = why instanceof Failure ? why : new IntegrityFailure()
  return {
    ref,
    open: () => {
      throw failure
    },
  }
}

/** A record of a patient whose keys were destroyed. Whether it existed is no longer known. */
const erasedRecord = (ref: RecordRef): FoundRecord => ({
  ref,
  open: () => ({
    version: 0,
    metadata: { open: {}, references: {} },
    erased: true,
    value: () => {
      throw new Erased()
    },
  }),
})

function pageOf(entries: readonly IndexEntry[], { size, after, filter, isClosed }: ListRequest): ListedPage {
  const ahead = entries.filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
  const items: IndexEntry[] = []
  const leftOut: RecordId[] = []
  for (const entry of ahead) {
    if (isClosed(entry.labels)) leftOut.push(entry.id)
    // one more than the page, to know whether there is another
    else if (items.push(entry) > size) break
  }
  return {
    items: items.slice(0, size).map(({ date, id, version }) => ({ position: { date, id }, version })),
    leftOut,
    more: items.length > size,
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
