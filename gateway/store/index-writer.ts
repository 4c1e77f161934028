import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import {
  chunkDigest,
  type IndexEntry,
  type IndexPlace,
  type IndexRoot,
  openChunk,
  openRoot,
  sealChunk,
  sealRoot,
} from '../crypto/sealed-index.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { TypeName } from '../../directives/coordinates.ts'
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
  #own: IndexRoot['own']
  /** The root as it is stored, and as it will be when the transaction under way commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew the patient had no key a moment ago
   * @throws IntegrityFailure where the stored index is not whole, or a patient who is not new has none; VersionConflict where a new patient has one already;
   *   StoreUnavailable, KeyUnavailable
   */
  static async open(table: RecordTable, keys: PatientKeys, place: IndexPlace, isNew: boolean): Promise<IndexWriter> {
    const stored = await table.indexRoot(place.tenant, place.patient)
    if (stored === undefined) {
      // the index begins with the patient's key: to begin another would leave out all that was listed
      if (!isNew) throw new IntegrityFailure()
      return new IndexWriter(table, keys, place, undefined, new PatientIndex(undefined, new Map()), new Map(), undefined)
    }
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
    return new IndexWriter(table, keys, place, stored, new PatientIndex(root, chunks), digests, root)
  }

  private constructor(
    table: RecordTable,
    keys: PatientKeys,
    place: IndexPlace,
    stored: Uint8Array | undefined,
    index: PatientIndex,
    digests: Map<number, string>,
    root: IndexRoot | undefined,
  ) {
    this.#table = table
    this.#keys = keys
    this.#place = place
    this.#stored = stored
    this.#index = index
    this.#digests = digests
    this.#version = root?.version ?? 0
    this.#own = root?.own
  }

  /** The versions at which records are listed, by `Type#id`. */
  versions(): ReadonlyMap<string, number> {
    return this.#index.versions()
  }

  /** The chunks that an entry would change. */
  touches(type: TypeName, entry: IndexEntry): readonly TouchedChunk[] {
    return this.#index.touches(type, entry)
  }

  /** The writing of the entries: the chunks that they change, and the root, on condition that nobody else changed it. */
  write(entries: readonly { readonly type: TypeName; readonly entry: IndexEntry }[]): TransactWriteItem[] {
    const { tenant, patient } = this.#place
    for (const { type, entry } of entries) {
      this.#index.put(type, entry)
      if ((entry.id as string) === (patient as string)) this.#own = { type, version: entry.version }
    }
    const chunks = this.#index.changes().map(({ number, entries }) => {
      const sealed = sealChunk(this.#keys, this.#place, number, entries)
      this.#digests.set(number, chunkDigest(sealed))
      return this.#table.putIndexChunk(tenant, patient, number, sealed)
    })
    this.#version++
    const root = { ...this.#index.root(this.#digests, this.#version), ...(this.#own && { own: this.#own }) }
    this.#pending = sealRoot(this.#keys, this.#place, root)
    return [this.#table.putIndexRoot(tenant, patient, this.#pending, this.#stored), ...chunks]
  }

  /** The transaction committed: the next one stands on it. */
  written(): void {
    this.#stored = this.#pending
  }
}
