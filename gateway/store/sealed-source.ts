import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeyHandle } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { chunkFits, type IndexEntry, openChunk, openRoot } from '../crypto/sealed-index.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { Deadline } from '../model/deadline.ts'
import { Erased, Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
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
    { timing, listed, isVisible, isVisibleOpened, erased, counter, deadline: { signal } }: LoadOptions,
  ): Promise<readonly FoundRecord[]> {
    const patients = patientsOf(refs)
    // a key that cannot be had says nothing of whether a record is there: it is told when the record is opened
    const [loaded, cached] = await Promise.all([
      // what a list has named was held against the index when the list was made
      this.#table.loadWithRoots(tenant, refs, paths, patientsOf(refs.filter((ref) => listed(ref) === undefined)), signal),
      this.#keyring.patientKeys(tenant, patients, timing === 'uniform' ? 'always' : 'cached').catch((error: unknown) => {
        if (error instanceof Failure) return error
        throw error
      }),
    ])
    const answers = new Map(loaded.records.map(({ ref }) => [nameOf(ref), refused(ref, cached)]))
    if (cached instanceof Failure) return [...answers.values()]
    const [known, gone] = await Promise.all([Promise.all(refs.map(isVisible)), Promise.all(refs.map(erased))])
    const buried = new Set(refs.filter((_, index) => gone[index]).map(({ patient }) => patient))
    const keys = await this.#withoutRemembered(tenant, cached, buried)
    // with a patient's keys went what told which records there are: of all of them it is said that they were erased
    for (const ref of refs) {
      if (keys.get(ref.patient)?.erased === true) answers.set(nameOf(ref), erasedRecord(ref))
      else if (buried.has(ref.patient)) answers.set(nameOf(ref), refused(ref, new IntegrityFailure()))
    }
    const byRecord = new Set(refs.filter((_, index) => known[index] === 'BY_RECORD'))
    let pending: readonly RecordRef[] = refs.filter(
      ({ patient }, index) => known[index] !== false && keys.get(patient)?.erased !== true && !buried.has(patient),
    )
    let first: LoadedRecords | undefined = loaded
    const check = async () => {
      const { records, roots } = first ?? (await this.#table.loadWithRoots(tenant, pending, paths, patientsOf(pending), signal))
      first = undefined
      const stored = new Map(records.map((record) => [nameOf(record.ref), record]))
      const doubtful: RecordRef[] = []
      const unheld: { readonly ref: RecordRef; readonly opened: OpenRecord | undefined }[] = []
      for (const ref of pending) {
        const record = stored.get(nameOf(ref))
        const opened = record && failureOr(() => open(tenant, record, keys.get(ref.patient), counter))
        // who is told by the record alone is told nothing by one that is not there, or does not open
        if (byRecord.has(ref) && (opened === undefined || opened instanceof Failure || !isVisibleOpened(ref, opened.metadata)))
          continue
        if (opened instanceof Failure) answers.set(nameOf(ref), refused(ref, opened))
        else if (listed(ref) === undefined || (opened !== undefined && opened.version !== listed(ref))) unheld.push({ ref, opened })
        else if (opened !== undefined) answers.set(nameOf(ref), { ref, open: () => opened })
      }
      const asked = unheld.map(({ ref, opened }) => ({
        ref,
        found: opened && { version: opened.version, date: opened.metadata.date ?? '' },
      }))
      const verdicts = await verifyAgainstIndex(this.#table, { tenant, roots, keys }, asked, counter, signal)
      for (const [index, { ref, opened }] of unheld.entries()) {
        const verdict = verdicts[index] ?? 'BROKEN'
        if (verdict === 'BROKEN') doubtful.push(ref)
        else if (verdict instanceof Failure) answers.set(nameOf(ref), refused(ref, verdict))
        else if (opened !== undefined) answers.set(nameOf(ref), { ref, open: () => opened })
        else answers.delete(nameOf(ref))
      }
      pending = doubtful
      return doubtful.length === 0 ? { value: answers } : { torn: doubtful }
    }
    await retryOptimisticRead(check, (doubtful) => {
      for (const ref of doubtful) answers.set(nameOf(ref), refused(ref, new IntegrityFailure()))
      return answers
    })
    return [...answers.values()]
  }

  /** Keys that were destroyed may be in memory for a while: where it is known that they were, they are read again. */
  async #withoutRemembered(
    tenant: TenantId,
    cached: ReadonlyMap<PatientId, PatientKeyHandle>,
    buried: ReadonlySet<PatientId>,
  ): Promise<ReadonlyMap<PatientId, PatientKeyHandle>> {
    const remembered = [...buried].filter((patient) => cached.get(patient)?.erased === false)
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
const nameOf = ({ type, patient, id }: RecordRef): string => `${patient} ${type} ${id}`

/** A record of which is known that it is there, and that it does not open, or not for one who may not know of it. */
function refused(ref: RecordRef, why: unknown): FoundRecord {
  const failure = why instanceof Failure ? why : new IntegrityFailure()
  return {
    ref,
    open: () => {
      throw failure
    },
  }
}

/** A record of a patient whose keys were destroyed. Whether there was one cannot be told any more. */
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
