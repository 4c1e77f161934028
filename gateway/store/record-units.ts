import type { SchemaPath } from '../../directives/coordinates.ts'
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TimedAccess } from '../audit/entry.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { sealRecord } from '../crypto/sealed-record.ts'
import { BadUserInput, IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { Instant, RecordRef, TenantId } from '../model/ids.ts'
import type { Clock, NewRecord } from '../model/record.ts'
import type { DerivedWriter, ValueOf } from './derived-rows.ts'
import { valuesOf } from './derived-values.ts'
import type { HistoryTable } from './history.ts'
import type { RecordTable, StoredRecord } from './records.ts'
import type { WriteUnit } from './write-units.ts'

interface RecordTables {
  readonly records: RecordTable
  readonly history: HistoryTable
  readonly now: Clock
}

/** The upper bound of one item, in bytes, with room for names and keys. */
const ITEM_BYTES = 380_000

/** The changes of single records: each with its former version, its derived rows, its index entry and its audit record. */
export class RecordUnits {
  readonly #tables: RecordTables
  readonly #tenant: TenantId
  readonly #derived: readonly DerivedWriter[]

  /** @param derived the tables whose rows follow from records */
  constructor(tables: RecordTables, tenant: TenantId, derived: readonly DerivedWriter[]) {
    this.#tables = tables
    this.#tenant = tenant
    this.#derived = derived
  }

  /** The removal of a record: its item, its entry in the index and its derived rows. Its last version goes to the history. */
  async remove(keys: PatientKeys, ref: RecordRef, version: number): Promise<WriteUnit> {
    const { records, history } = this.#tables
    const tenant = this.#tenant
    const former = await records.whole(tenant, ref)
    if (former === undefined) throw new VersionConflict()
    const rows = this.#rows(ref, undefined, this.#valuesBefore(keys, former))
    return {
      items: [records.remove(tenant, ref, former.manifest), history.put(tenant, former, version), ...rows],
      access: [],
      audit: [this.#audited(ref, version, 'DELETE', [])],
      entries: [],
      removed: [ref],
      order: ref.type,
      bytes: sizeOf(former),
    }
  }

  /** @throws BadUserInput for a record that is too large */
  create(keys: PatientKeys, record: NewRecord, version: number): WriteUnit {
    const tenant = this.#tenant
    const sealed = { ref: record.ref, ...sealRecord(keys, { tenant, ...record.ref }, version, record) }
    const rows = this.#rows(record.ref, (path) => record.values.get(path))
    return {
      items: [...this.#tables.records.put(tenant, sealed), ...rows],
      access: [],
      ...(isOwn(record) && { own: { patient: record.ref.patient, version } }),
      audit: [this.#audited(record.ref, version, 'CREATE', [...record.values.keys()])],
      entries: [entryOf(record, version)],
      removed: [],
      order: orderOf(record),
      bytes: sizeOf(sealed),
    }
  }

  /**
   * The next version of a record.
   *
   * @param version the stored one
   * @throws BadUserInput for a record that is too large; IntegrityFailure
   */
  async update(keys: PatientKeys, record: NewRecord, version: number): Promise<WriteUnit> {
    const { records, history } = this.#tables
    const tenant = this.#tenant
    const former = await records.whole(tenant, record.ref)
    if (former === undefined) throw new IntegrityFailure()
    const sealed = { ref: record.ref, ...sealRecord(keys, { tenant, ...record.ref }, version + 1, record) }
    const rows = this.#rows(record.ref, (path) => record.values.get(path), this.#valuesBefore(keys, former))
    return {
      items: [records.replace(tenant, sealed, former.manifest), history.put(tenant, former, version), ...rows],
      access: [],
      ...(isOwn(record) && { own: { patient: record.ref.patient, version: version + 1 } }),
      audit: [this.#audited(record.ref, version + 1, 'UPDATE', [...record.values.keys()])],
      entries: [entryOf(record, version + 1)],
      removed: [],
      result: 'updated',
      order: orderOf(record),
      bytes: sizeOf(sealed) + sizeOf(former),
    }
  }

  #rows(ref: RecordRef, after: ValueOf | undefined, before?: ValueOf): readonly TransactWriteItem[] {
    return this.#derived.flatMap((writer) => writer.write(ref, after, before))
  }

  /** Opens the values of a stored version that its rows are made of. @throws IntegrityFailure */
  #valuesBefore(keys: PatientKeys, former: StoredRecord): ValueOf {
    const paths = new Set(this.#derived.flatMap((writer) => writer.paths(former.ref)))
    const before = valuesOf(keys, this.#tenant, former, [...paths])
    return (path) => before.get(path)
  }

  #audited(ref: RecordRef, version: number, action: 'CREATE' | 'UPDATE' | 'DELETE', paths: readonly SchemaPath[]): TimedAccess {
    return {
      patient: ref.patient,
      recordType: ref.type,
      recordId: ref.id,
      recordVersion: version,
      path: ref.type as string as SchemaPath,
      ...(action !== 'DELETE' && { paths: paths.toSorted() }),
      action,
      outcome: 'WRITTEN',
      at: this.#tables.now() as Instant,
    }
  }
}

function sizeOf({ manifest, fields }: Pick<StoredRecord, 'manifest' | 'fields'>): number {
  let bytes = manifest.length
  for (const [path, sealed] of fields) bytes += path.length + sealed.length
  if (bytes > ITEM_BYTES) throw new BadUserInput()
  return bytes
}

const isOwn = ({ ref }: NewRecord): boolean => (ref.id as string) === (ref.patient as string)
const orderOf = (record: NewRecord): string => (isOwn(record) ? '' : `${record.ref.type} ${record.metadata.date ?? ''}`)

function entryOf({ ref, metadata }: NewRecord, version: number): WriteUnit['entries'][number] {
  const { date = '', codes = [], categories = [], labels = [], author, references, datePrecision } = metadata
  const { encounter } = references
  const closedBy = { labels, ...(encounter !== undefined && { encounter }), ...(author !== undefined && { author }) }
  const entry = { id: ref.id, version, date, codes, categories, ...closedBy, ...(datePrecision && { datePrecision }) }
  return { patient: ref.patient, type: ref.type, entry }
}
