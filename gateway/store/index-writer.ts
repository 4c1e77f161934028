import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import {
  chunkDigest,
  chunkFits,
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
import type { RecordId, RecordRef } from '../model/ids.ts'
import { BUSY_READS, type OptimisticRead, retryOptimisticRead } from '../model/optimistic-read.ts'
import { PatientIndex, type TouchedChunk } from './patient-index.ts'
import type { RecordTable } from './records.ts'

/** Writes a patient's index with the records that change it, one transaction after the other. */
export class IndexWriter {
  readonly #table: RecordTable
  readonly #keys: PatientKeys
  readonly place: IndexPlace
  readonly #index: PatientIndex
  readonly #digests: Map<number, string>
  #version: number
  #own: IndexRoot['own']
  #access: number | undefined
  /** The sealed root as stored, and as it will be after the pending transaction commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew whether the patient had no key before this write
   * @throws IntegrityFailure if the stored index is damaged, or is missing for an existing patient
   * @throws VersionConflict if a new patient already has an index
   * @throws StoreUnavailable, KeyUnavailable
   */
  static async open(table: RecordTable, keys: PatientKeys, place: IndexPlace, isNew: boolean): Promise<IndexWriter> {
    const read = async (): Promise<OptimisticRead<IndexWriter, undefined>> => {
      const stored = await table.indexRoot(place.tenant, place.patient)
      if (stored === undefined) {
        // the index is created with the patient's key: a second one would omit the listed records
        if (!isNew) throw new IntegrityFailure()
        const index = new PatientIndex(undefined, new Map())
        return { value: new IndexWriter(table, keys, place, undefined, index, new Map(), undefined) }
      }
      if (isNew) throw new VersionConflict()
      const root = openRoot(keys, place, stored)
      const summaries = [...root.types.values(), ...root.labeled.values()].flat()
      const sealed = await table.indexChunks(
        place.tenant,
        place.patient,
        summaries.map(({ number }) => number),
      )
      const chunks = new Map<number, readonly IndexEntry[]>()
      for (const summary of summaries) {
        const chunk = sealed.get(summary.number)
        if (chunk === undefined || !chunkFits(summary, chunk)) return { torn: undefined }
        chunks.set(summary.number, openChunk(keys, place, summary.number, chunk))
      }
      const digests = new Map(summaries.map(({ number, digest }) => [number, digest]))
      return { value: new IndexWriter(table, keys, place, stored, new PatientIndex(root, chunks), digests, root) }
    }
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    return await retryOptimisticRead(read, damaged, BUSY_READS)
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
    this.place = place
    this.#stored = stored
    this.#index = index
    this.#digests = digests
    this.#version = root?.version ?? 0
    this.#own = root?.own
    this.#access = root?.access
  }

  /** The type of the patient's own record; undefined until the record is written. */
  get ownType(): TypeName | undefined {
    return this.#own?.type
  }

  /** The versions at which records are listed, by `Type#id`. */
  versions(): ReadonlyMap<string, number> {
    return this.#index.versions()
  }

  /** The entries of all records. */
  entries(): readonly IndexEntry[] {
    return this.#index.entries()
  }

  /** Returns a write that changes nothing, and that fails if the stored root changed. */
  unchanged(): TransactWriteItem {
    return this.#replaced(this.#stored ?? new Uint8Array())
  }

  /** Returns the write that ends the index of a patient with destroyed keys. @param tombstone takes the place of the root */
  end(tombstone: Uint8Array): TransactWriteItem {
    return this.#replaced(tombstone)
  }

  #replaced(root: Uint8Array): TransactWriteItem {
    return this.#table.putIndexRoot(this.place.tenant, this.place.patient, root, this.#stored)
  }

  /** The chunks that an entry would change. */
  touches(type: TypeName, entry: IndexEntry): readonly TouchedChunk[] {
    return this.#index.touches(type, entry)
  }

  /** The chunks that a removal would change. */
  touchedBy(type: TypeName, id: RecordId): readonly TouchedChunk[] {
    return this.#index.touchedBy(type, id)
  }

  /**
   * Returns the writes of the entries and removals: the chunks that they change, and the root. They fail if the stored root changed.
   *
   * @param access the version of the access manifest that the same transaction writes; undefined if it writes none
   * @throws IntegrityFailure for the removal of a record that the index does not list
   */
  write(
    entries: readonly { readonly type: TypeName; readonly entry: IndexEntry }[],
    access: number | undefined,
    removed: readonly Pick<RecordRef, 'type' | 'id'>[] = [],
  ): TransactWriteItem[] {
    const { tenant, patient } = this.place
    for (const { type, id } of removed) if (!this.#index.remove(type, id)) throw new IntegrityFailure()
    for (const { type, entry } of entries) {
      this.#index.put(type, entry)
      if ((entry.id as string) === (patient as string)) this.#own = { type, version: entry.version }
    }
    const chunks = this.#index.changes().map(({ number, entries }) => {
      const sealed = sealChunk(this.#keys, this.place, number, entries)
      this.#digests.set(number, chunkDigest(sealed))
      return this.#table.putIndexChunk(tenant, patient, number, sealed)
    })
    this.#version++
    this.#access = access ?? this.#access
    const root: IndexRoot = {
      ...this.#index.root(this.#digests, this.#version),
      ...(this.#own && { own: this.#own }),
      ...(this.#access !== undefined && { access: this.#access }),
    }
    this.#pending = sealRoot(this.#keys, this.place, root)
    return [this.#table.putIndexRoot(tenant, patient, this.#pending, this.#stored), ...chunks]
  }

  /** Call this after the transaction committed. The next transaction then requires the new root. */
  written(): void {
    this.#stored = this.#pending
  }
}
