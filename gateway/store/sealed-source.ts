import { decoyOpenings } from '../crypto/decoy-openings.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { chunkFits, type IndexEntry, openChunk, openRoot } from '../crypto/sealed-index.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordRef, TenantId } from '../model/ids.ts'
import { type ListedPage, type ListRequest, newestFirst } from '../model/list.ts'
import { BUSY_READS, type OptimisticRead, retryOptimisticRead } from '../model/optimistic-read.ts'
import { chunksFor, passes } from './patient-index.ts'
import type { RecordChangePort } from './record-changes.ts'
import type { FoundRecord, LoadOptions, RecordSource } from './record-source.ts'
import type { RecordTable } from './records.ts'
import { SealedLoad } from './sealed-load.ts'

/** The shipped source: sealed records in DynamoDB, opened with their patient's key. */
export class SealedSource implements RecordSource {
  readonly #table: RecordTable
  readonly #keyring: Keyring
  readonly changes?: RecordChangePort

  /** @param changes left out: the records are read only */
  constructor(table: RecordTable, keyring: Keyring, changes?: RecordChangePort) {
    this.#table = table
    this.#keyring = keyring
    if (changes !== undefined) this.changes = changes
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
    const { patient, closure } = request
    let unlabeled: 'PAGE' | 'ALL' = closure.closesUnlabeled ? 'ALL' : 'PAGE'
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
      const { chunks, decoys } = chunksFor(root, request, unlabeled)
      const numbers = [...chunks.map(({ number }) => number), ...decoys]
      const sealed = await this.#table.indexChunks(tenant, patient, numbers, signal)
      if (!chunks.every((chunk) => chunkFits(chunk, sealed.get(chunk.number)))) return { torn: undefined }
      counter.metadata += chunks.length
      for (const number of decoys) if (!sealed.has(number)) decoyOpenings().chunk(counter)
      const entries = chunks.flatMap(({ number }) => openChunk(patientKeys, place, number, sealed.get(number) ?? new Uint8Array()))
      const page = pageOf(entries.toSorted(newestFirst), request)
      const inSpan = chunksFor(root, { ...request, size: Number.POSITIVE_INFINITY }, unlabeled).chunks
      if (page.more || page.leftOut.length === 0 || chunks.length === inSpan.length) return { value: page }
      // only an index of an earlier version has records with labels among the others, so that a page of it can be too short
      unlabeled = 'ALL'
      return await read()
    }
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    return await retryOptimisticRead(read, damaged, BUSY_READS)
  }
}

function pageOf(entries: readonly IndexEntry[], { size, after, filter, closure }: ListRequest): ListedPage {
  const ahead = entries.filter((entry) => (after === undefined || newestFirst(after, entry) < 0) && passes(filter, entry))
  const items: IndexEntry[] = []
  const leftOut: ListedPage['leftOut'][number][] = []
  for (const entry of ahead) {
    const reason = closure.closedBy(entry)
    if (reason !== undefined) leftOut.push({ id: entry.id, version: entry.version, reason })
    // one more than the page shows whether another page exists
    else if (items.push(entry) > size) break
  }
  return {
    items: items.slice(0, size).map(({ date, id, version }) => ({ position: { date, id }, version })),
    leftOut,
    more: items.length > size,
  }
}
