import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Keyring } from '../crypto/keyring.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure, KeyUnavailable, VersionConflict } from '../model/failures.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { DynamoKeyTable } from './keys.ts'
import { IndexWriter } from './index-writer.ts'
import type { RecordTable } from './records.ts'
import type { SearchRow, SearchTable } from './search.ts'
import { SearchWriter, valuesOf } from './search-writer.ts'

/** Search rows by what was found of them. */
export interface ReindexCounts {
  /** As they have to be. */
  sound: number
  /** Missing, and written. */
  written: number
  /** There without a value that they stand for, and removed. */
  removed: number
  /** Patients who cannot be told about: damaged, without keys, or changed each time that they were read. Their rows are left alone. */
  refused: number
}

/** One change of the rows of a patient, to be stored with the record of the audit that tells of it. */
export interface ReindexChange {
  readonly patient: PatientId
  readonly what: 'WRITTEN' | 'REMOVED'
  readonly rows: readonly SearchRow[]
  readonly items: readonly TransactWriteItem[]
}

export interface ReindexerParts {
  readonly records: RecordTable
  readonly search: SearchTable
  readonly keys: DynamoKeyTable
  readonly keyring: Keyring
  readonly searchable: readonly SearchIndex[]
  /** Stores a change as a whole. @throws VersionConflict where a record was changed meanwhile */
  readonly commit: (tenant: TenantId, mend: ReindexChange) => Promise<void>
}

/** What a patient's rows have to be, and the records that say so, as they are stored. */
interface ExpectedRows {
  readonly rows: ReadonlyMap<string, SearchRow>
  /** By `Type#id`; none where the patient's keys were destroyed: no record says anything any more. */
  readonly manifests: ReadonlyMap<string, Uint8Array> | undefined
}

const READS = 3
const TRIES = 5
/** Each with the condition on its record, and a record of the audit for all: a transaction holds a hundred. */
const ROWS_AT_ONCE = 40

/**
 * Holds the search table of a tenant against its records, while others go on reading and writing: what is missing is written, what
 * stands for nothing is removed. Each change is conditional on the record that it follows from. It may end at any moment: a
 * further run leaves alone what is right.
 */
export class SearchReindexer {
  readonly #parts: ReindexerParts

  constructor(parts: ReindexerParts) {
    this.#parts = parts
  }

  /**
   * @param told called as it goes on
   * @throws KeyUnavailable when the tenant has no keys; StoreUnavailable, AuditUnavailable
   */
  async reindex(tenant: TenantId, told: (counts: ReindexCounts) => void): Promise<ReindexCounts> {
    const key = await this.#parts.keyring.purposeKey(tenant, 'index')
    const counts = { sound: 0, written: 0, removed: 0, refused: 0 }
    const refused = new Set<PatientId>()
    for await (const page of this.#parts.keys.pages(tenant)) {
      for (const patient of page.keys()) {
        if (!(await this.#tried(() => this.#complete(tenant, key, patient, counts)))) refused.add(patient)
      }
      counts.refused = refused.size
      told({ ...counts })
    }
    for await (const page of this.#parts.search.pages(tenant)) {
      for (const [patient, rows] of Map.groupBy(page, (row) => row.hit.patient)) {
        if (!(await this.#tried(() => this.#scrub(tenant, key, patient, rows, counts)))) refused.add(patient)
      }
      counts.refused = refused.size
      told({ ...counts })
    }
    return counts
  }

  /** False where it cannot be told what a patient's rows have to be: that is no reason to write, or to remove, any. */
  async #tried(work: () => Promise<void>): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      try {
        await work()
        return true
      } catch (error) {
        if (error instanceof IntegrityFailure || error instanceof KeyUnavailable) return false
        if (!(error instanceof VersionConflict)) throw error
      }
    }
    return false
  }

  async #complete(tenant: TenantId, key: PurposeKey<'index'>, patient: PatientId, counts: ReindexCounts): Promise<void> {
    const expected = await this.#expectedRows(tenant, key, patient)
    const rows = [...expected.rows.values()]
    const there = await this.#parts.search.present(rows)
    const missing = rows.filter((row) => !there.has(nameOf(row)))
    await this.#commit(tenant, patient, expected, 'WRITTEN', missing)
    counts.sound += rows.length - missing.length
    counts.written += missing.length
  }

  async #scrub(
    tenant: TenantId,
    key: PurposeKey<'index'>,
    patient: PatientId,
    rows: readonly SearchRow[],
    counts: ReindexCounts,
  ): Promise<void> {
    // read after the row was: a row that was written in between is among those that have to be
    const expected = await this.#expectedRows(tenant, key, patient)
    const wrong = rows.filter((row) => !expected.rows.has(nameOf(row)))
    await this.#commit(tenant, patient, expected, 'REMOVED', wrong)
    counts.removed += wrong.length
  }

  async #commit(
    tenant: TenantId,
    patient: PatientId,
    { manifests }: ExpectedRows,
    what: ReindexChange['what'],
    all: readonly SearchRow[],
  ): Promise<void> {
    const { records, search, commit } = this.#parts
    for (let start = 0; start < all.length; start += ROWS_AT_ONCE) {
      const rows = all.slice(start, start + ROWS_AT_ONCE)
      const refs = new Map<string, RecordRef>()
      // of a type that has no index, no record could say that the row is right
      for (const { hit, type } of rows) {
        if (type !== undefined && this.#indexed(type)) refs.set(`${type}#${hit.id}`, { ...hit, type })
      }
      const guards =
        manifests === undefined ? [] : [...refs].map(([name, ref]) => records.unchanged(tenant, ref, manifests.get(name)))
      const items = rows.map((row) => (what === 'WRITTEN' ? search.putRow(row) : search.removeRow(row)))
      await commit(tenant, { patient, what, rows, items: [...guards, ...items] })
    }
  }

  #indexed(type: TypeName): boolean {
    return this.#parts.searchable.some(({ path }) => path.startsWith(`${type}.`))
  }

  /**
   * None for a patient whose keys were destroyed, or of whom nothing is there: no value is left that a row could stand for.
   *
   * @throws IntegrityFailure where records and index do not agree however often they are read; KeyUnavailable, StoreUnavailable
   */
  async #expectedRows(tenant: TenantId, key: PurposeKey<'index'>, patient: PatientId): Promise<ExpectedRows> {
    const { records, search, keyring, searchable } = this.#parts
    const rows = new Map<string, SearchRow>()
    const manifests = new Map<string, Uint8Array>()
    const keys = (await keyring.patientKeys(tenant, [patient], 'always')).get(patient)
    if (keys?.erased === true) return { rows, manifests: undefined }
    // where only the keys are missing, the records are there still, and the condition on them keeps their rows
    if (keys === undefined) return { rows, manifests }
    const writer = new SearchWriter(search, key, tenant, searchable)
    for (let attempt = 1; ; attempt++) {
      const index = await IndexWriter.open(records, keys, { tenant, patient }, false)
      const listed = [...index.versions()].map(([name, version]) => ({ ref: named(patient, name), name, version }))
      const wanted = listed.filter(({ ref }) => writer.paths(ref).length > 0)
      const paths = new Set(wanted.flatMap(({ ref }) => writer.paths(ref)))
      const stored = await records.load(
        tenant,
        wanted.map(({ ref }) => ref),
        paths,
      )
      const byName = new Map(stored.map((record) => [`${record.ref.type}#${record.ref.id}`, record]))
      const holds = wanted.every(({ ref, name, version }) => {
        const record = byName.get(name)
        if (record === undefined) return false
        const opened = SealedRecord.open(keys, { tenant, ...ref }, record.manifest, { fields: 0, metadata: 0 })
        return opened.version === version
      })
      if (holds) {
        for (const record of stored) {
          const values = valuesOf(keys, tenant, record, writer.paths(record.ref))
          manifests.set(`${record.ref.type}#${record.ref.id}`, record.manifest)
          for (const row of writer.rows(record.ref, (path) => values.get(path))) rows.set(nameOf(row), row)
        }
        return { rows, manifests }
      }
      if (attempt === READS) throw new IntegrityFailure()
    }
  }
}

const nameOf = ({ pk, sk }: SearchRow): string => `${pk} ${sk}`

function named(patient: PatientId, name: string): RecordRef {
  const mark = name.indexOf('#')
  return { type: name.slice(0, mark) as TypeName, patient, id: name.slice(mark + 1) as RecordId }
}
