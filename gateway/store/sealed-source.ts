import type { Keyring } from '../crypto/keyring.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { chunkFits, type IndexEntry, openChunk, openRoot } from '../crypto/sealed-index.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { type ListedPage, type ListRequest, newestFirst } from '../model/list.ts'
import { type OptimisticRead, retryOptimisticRead } from '../model/optimistic-read.ts'
import { chunksFor, passes } from './patient-index.ts'
import type { FoundRecord, LoadOptions, RecordSource } from './record-source.ts'
import type { RecordTable } from './records.ts'
import { SealedLoad } from './sealed-load.ts'

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
    options: LoadOptions,
  ): Promise<readonly FoundRecord[]> {
    return await new SealedLoad({ table: this.#table, keyring: this.#keyring, tenant, refs, paths, options }).run()
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

function pageOf(entries: readonly IndexEntry[], { size, after, filter, isClosed }: ListRequest): ListedPage {
  const ahead = entries.filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
  const items: IndexEntry[] = []
  const leftOut: RecordId[] = []
  for (const entry of ahead) {
    if (isClosed(entry.labels)) leftOut.push(entry.id)
    // one more than the page shows whether another page exists
    else if (items.push(entry) > size) break
  }
  return {
    items: items.slice(0, size).map(({ date, id, version }) => ({ position: { date, id }, version })),
    leftOut,
    more: items.length > size,
  }
}
