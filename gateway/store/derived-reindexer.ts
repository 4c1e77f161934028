import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Keyring } from '../crypto/keyring.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import { IntegrityFailure, KeyUnavailable, VersionConflict } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { DynamoKeyTable } from './keys.ts'
import { IndexWriter } from './index-writer.ts'
import { named } from './record-items.ts'
import type { RecordTable } from './records.ts'
import { type DerivedRow, type DerivedTable, type DerivedWriter, rowName } from './derived-rows.ts'
import { valuesOf } from './derived-values.ts'

/** Numbers of derived rows by result. */
export interface ReindexCounts {
  /** Correct rows. */
  sound: number
  /** Missing rows that were written. */
  written: number
  /** Rows without a matching value that were removed. */
  removed: number
  /** Patients that cannot be checked: damaged, without keys, or changed during each read. Their rows stay unchanged. */
  refused: number
}

/** One change of a patient's rows. It commits together with its audit record. */
export interface ReindexChange {
  readonly patient: PatientId
  readonly what: 'WRITTEN' | 'REMOVED'
  readonly rows: readonly DerivedRow[]
  readonly items: readonly TransactWriteItem[]
}

export interface ReindexerParts<Row extends DerivedRow> {
  readonly records: RecordTable
  readonly keys: DynamoKeyTable
  readonly keyring: Keyring
  readonly table: DerivedTable<Row>
  /** Called for each patient, because the keys of the rows can change during a run. @throws KeyUnavailable without a key for the rows */
  readonly writerOf: (tenant: TenantId) => Promise<DerivedWriter<Row>>
  /** Commits a change as a whole. @throws VersionConflict if a record changed in the meantime */
  readonly commit: (tenant: TenantId, change: ReindexChange) => Promise<void>
}

/** The expected rows of a patient, and the stored manifests of the records from which they follow. */
interface ExpectedRows<Row> {
  readonly rows: ReadonlyMap<string, Row>
  /** By `Type#id`; undefined if the patient's keys were destroyed, because no record opens any more. */
  readonly manifests: ReadonlyMap<string, Uint8Array> | undefined
}

const TRIES = 5
/** A transaction holds 100 actions. Each row takes up to two, its write and the condition on its record; the audit takes one. */
const ROWS_AT_ONCE = 40

/**
 * Compares a table of derived rows with the records of a tenant while the gateway reads and writes. Writes missing rows and removes
 * rows without a matching value. Each change requires that its record is unchanged. You can stop a run at any time: the next
 * run skips correct rows.
 */
export class DerivedReindexer<Row extends DerivedRow> {
  readonly #parts: ReindexerParts<Row>

  constructor(parts: ReindexerParts<Row>) {
    this.#parts = parts
  }

  /**
   * @param onProgress called after each patient whose rows are complete, and then after each page of rows, with the number of patients
   * @throws KeyUnavailable if the tenant has no keys; StoreUnavailable, AuditUnavailable
   */
  async reindex(tenant: TenantId, onProgress: (counts: ReindexCounts, patients: number) => void): Promise<ReindexCounts> {
    // fails before the first patient if the tenant has no key
    await this.#parts.writerOf(tenant)
    const counts = { sound: 0, written: 0, removed: 0, refused: 0 }
    const refused = new Set<PatientId>()
    let patients = 0
    for await (const page of this.#parts.keys.pages(tenant)) {
      for (const patient of page.keys()) {
        if (!(await this.#withRetries(() => this.#complete(tenant, patient, counts)))) refused.add(patient)
        counts.refused = refused.size
        onProgress({ ...counts }, ++patients)
      }
    }
    for await (const page of this.#parts.table.pages(tenant)) {
      for (const [patient, rows] of Map.groupBy(page, (row) => row.patient)) {
        if (!(await this.#withRetries(() => this.#scrub(tenant, patient, rows, counts)))) refused.add(patient)
      }
      counts.refused = refused.size
      onProgress({ ...counts }, patients)
    }
    return counts
  }

  /** Returns false if the expected rows of a patient cannot be determined. Then no row may be written or removed. */
  async #withRetries(work: () => Promise<void>): Promise<boolean> {
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

  async #complete(tenant: TenantId, patient: PatientId, counts: ReindexCounts): Promise<void> {
    const writer = await this.#parts.writerOf(tenant)
    const expected = await this.#expectedRows(tenant, writer, patient)
    const rows = [...expected.rows.values()]
    const present = await this.#parts.table.present(rows)
    const missing = rows.filter((row) => !present.has(rowName(row)))
    await this.#commit(tenant, patient, writer, expected, 'WRITTEN', missing)
    counts.sound += rows.length - missing.length
    counts.written += missing.length
  }

  async #scrub(tenant: TenantId, patient: PatientId, rows: readonly Row[], counts: ReindexCounts): Promise<void> {
    const writer = await this.#parts.writerOf(tenant)
    // the records are read after the rows, so that a row written in between is expected
    const expected = await this.#expectedRows(tenant, writer, patient)
    const wrong = rows.filter((row) => !expected.rows.has(rowName(row)))
    await this.#commit(tenant, patient, writer, expected, 'REMOVED', wrong)
    counts.removed += wrong.length
  }

  async #commit(
    tenant: TenantId,
    patient: PatientId,
    writer: DerivedWriter<Row>,
    { manifests }: ExpectedRows<Row>,
    what: ReindexChange['what'],
    all: readonly Row[],
  ): Promise<void> {
    const { records, table, commit } = this.#parts
    for (let start = 0; start < all.length; start += ROWS_AT_ONCE) {
      const rows = all.slice(start, start + ROWS_AT_ONCE)
      const refs = new Map<string, RecordRef>()
      // a row that follows from no record has no record to guard it
      for (const row of rows) {
        const ref = writer.recordOf(row)
        if (ref !== undefined) refs.set(`${ref.type}#${ref.id}`, ref)
      }
      const guards =
        manifests === undefined ? [] : [...refs].map(([name, ref]) => records.unchanged(tenant, ref, manifests.get(name)))
      const items = rows.map((row) => (what === 'WRITTEN' ? table.putRow(row) : table.removeRow(row)))
      await commit(tenant, { patient, what, rows, items: [...guards, ...items] })
    }
  }

  /**
   * Returns no rows for a patient without keys or with destroyed keys, because no value is left to find.
   *
   * @throws IntegrityFailure if records and index disagree at each read; KeyUnavailable, StoreUnavailable
   */
  async #expectedRows(tenant: TenantId, writer: DerivedWriter<Row>, patient: PatientId): Promise<ExpectedRows<Row>> {
    const { records, keyring } = this.#parts
    const rows = new Map<string, Row>()
    const manifests = new Map<string, Uint8Array>()
    const keys = (await keyring.patientKeys(tenant, [patient], 'always')).get(patient)
    if (keys?.erased === true) return { rows, manifests: undefined }
    // if only the keys are missing, the records still exist, and the condition on them keeps their rows
    if (keys === undefined) return { rows, manifests }
    const read = async () => {
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
      const agrees = wanted.every(({ ref, name, version }) => {
        const record = byName.get(name)
        if (record === undefined) return false
        const opened = SealedRecord.open(keys, { tenant, ...ref }, record.manifest, { fields: 0, metadata: 0 })
        return opened.version === version
      })
      return agrees ? { value: stored } : { torn: undefined }
    }
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    const stored = await retryOptimisticRead(read, damaged, BUSY_READS)
    for (const record of stored) {
      const values = valuesOf(keys, tenant, record, writer.paths(record.ref))
      manifests.set(`${record.ref.type}#${record.ref.id}`, record.manifest)
      for (const row of writer.rows(record.ref, (path) => values.get(path))) rows.set(rowName(row), row)
    }
    return { rows, manifests }
  }
}
