import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { chunkDigest, type IndexEntry, type IndexPlace, openChunk, openRoot, sealChunk, sealRoot } from '../crypto/sealed-index.ts'
import { IntegrityFailure, VersionConflict } from '../vocabulary/failures.ts'
import type { TypeName } from '../vocabulary/ids.ts'
import { PatientIndex, type TouchedChunk } from './patient-index.ts'
import type { RecordTable } from './records.ts'

/** A patient's index while records of the patient are being written, one transaction after the other. */
export class IndexWriter {
  readonly #table: RecordTable
  readonly #keys: PatientKeys
  readonly #place: IndexPlace
  readonly #index: PatientIndex
  readonly #digests: Map<number, string>
  #version: number
  /** The root as it is stored, and as it will be when the transaction under way commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew the patient had no key a moment ago
   * @throws IntegrityFailure where the stored index is not whole; VersionConflict where a new patient has one already;
   *   StoreUnavailable, KeyUnavailable
   */
  static async open(table: RecordTable, keys: PatientKeys, place: IndexPlace, isNew: boolean): Promise<IndexWriter> {
    const stored = await table.indexRoot(place.tenant, place.patient)
    if (stored === undefined)
      return new IndexWriter(table, keys, place, undefined, new PatientIndex(undefined, new Map()), new Map(), 0)
    if (isNew) throw new VersionConflict()
    const root = openRoot(keys, place, stored)
    const summaries = [...root.types.values()].flat()
    const sealed = await table.indexChunks(
      place.tenant,
      place.patient,
      summaries.map(({ number }) => number),
    )
    const chunks = new Map<number, readonly IndexEntry[]>()
    for (const { number, digest } of summaries) {
      const chunk = sealed.get(number)
      if (chunk === undefined || chunkDigest(chunk) !== digest) throw new IntegrityFailure()
      chunks.set(number, openChunk(keys, place, number, chunk))
    }
    const digests = new Map(summaries.map(({ number, digest }) => [number, digest]))
    return new IndexWriter(table, keys, place, stored, new PatientIndex(root, chunks), digests, root.version)
  }

  private constructor(
    table: RecordTable,
    keys: PatientKeys,
    place: IndexPlace,
    stored: Uint8Array | undefined,
    index: PatientIndex,
    digests: Map<number, string>,
    version: number,
  ) {
    this.#table = table
    this.#keys = keys
    this.#place = place
    this.#stored = stored
    this.#index = index
    this.#digests = digests
    this.#version = version
  }

  /** The chunks that an entry would change. */
  touches(type: TypeName, entry: IndexEntry): readonly TouchedChunk[] {
    return this.#index.touches(type, entry)
  }

  /** The writing of the entries: the chunks that they change, and the root, on condition that nobody else changed it. */
  write(entries: readonly { readonly type: TypeName; readonly entry: IndexEntry }[]): TransactWriteItem[] {
    const { tenant, patient } = this.#place
    for (const { type, entry } of entries) this.#index.put(type, entry)
    const chunks = this.#index.changes().map(({ number, entries }) => {
      const sealed = sealChunk(this.#keys, this.#place, number, entries)
      this.#digests.set(number, chunkDigest(sealed))
      return this.#table.putIndexChunk(tenant, patient, number, sealed)
    })
    this.#version++
    this.#pending = sealRoot(this.#keys, this.#place, this.#index.root(this.#digests, this.#version))
    return [this.#table.putIndexRoot(tenant, patient, this.#pending, this.#stored), ...chunks]
  }

  /** The transaction committed: the next one stands on it. */
  written(): void {
    this.#stored = this.#pending
  }
}
