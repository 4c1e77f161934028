import type { SchemaPath } from '../../directives/coordinates.ts'
import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { TimedAccess } from '../audit/entry.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import { sealRecord } from '../crypto/sealed-record.ts'
import { BadUserInput, IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { Instant, RecordRef, TenantId } from '../model/ids.ts'
import type { Clock, Json, NewRecord, RecordMetadata } from '../model/record.ts'
import type { RecordSignature } from '../model/signature.ts'
import { valuesOf } from './derived-values.ts'
import type { RecordContributor, SealedChange } from './record-contributors.ts'
import type { StoredRecord } from './record-items.ts'
import type { RecordTable } from './records.ts'
import type { WriteUnit } from './write-units.ts'

interface RecordTables {
  readonly records: RecordTable
  readonly now: Clock
}

type StoredValueOf = (path: SchemaPath) => Json | undefined

/** A change of some values of a record. The other values keep their seal and are not opened. */
export interface RecordPatch {
  readonly ref: RecordRef
  /** The new values by path. Null clears a value. */
  readonly values: ReadonlyMap<SchemaPath, Json | null>
  /** The paths that `metadataOf` reads. */
  readonly from: readonly SchemaPath[]
  /**
   * The metadata of the new version.
   *
   * @param before the values of the former version, for the paths in `from`
   * @param after the values of the new version, for these paths
   */
  metadataOf(former: RecordMetadata, before: StoredValueOf, after: StoredValueOf): RecordMetadata
}

/** The upper bound of one item, in bytes, with room for names and keys. */
const ITEM_BYTES = 380_000
const TOO_LARGE = `The record would have more than ${ITEM_BYTES} bytes. Shorten its longest text, or divide it into several records.`

/** The changes of single records: each with its index entry, its audit record, and the items of the contributors. */
export class RecordUnits {
  readonly #tables: RecordTables
  readonly #tenant: TenantId
  readonly #contributors: readonly RecordContributor[]

  /** @param contributors the tables that are written with each record */
  constructor(tables: RecordTables, tenant: TenantId, contributors: readonly RecordContributor[]) {
    this.#tables = tables
    this.#tenant = tenant
    this.#contributors = contributors
  }

  /** The removal of a record: its item, its entry in the index and its derived rows. Its last version goes to the history. */
  async remove(keys: PatientKeys, ref: RecordRef, version: number): Promise<WriteUnit> {
    return this.#removal(keys, await this.#former(ref), version)
  }

  /**
   * The retraction of a record, which was entered in error. Its versions stay in the history, and a version without values ends them.
   *
   * @param metadata of the last version
   */
  async retract(keys: PatientKeys, ref: RecordRef, version: number, metadata: RecordMetadata): Promise<WriteUnit> {
    const last = { ref, ...sealRecord(keys, { tenant: this.#tenant, ...ref }, version + 1, { values: new Map(), metadata }) }
    return this.#removal(keys, await this.#former(ref), version, last)
  }

  #removal(keys: PatientKeys, former: StoredRecord, version: number, last?: StoredRecord): WriteUnit {
    const { ref } = former
    const change = {
      ref,
      former: { stored: former, version },
      ...(last && { last: { stored: last, version: version + 1 } }),
      before: this.#valuesBefore(keys, former),
    }
    return {
      items: [this.#tables.records.remove(this.#tenant, ref, former.manifest), ...this.#contributed(change)],
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
    const items = this.#contributed({ ref: record.ref, after: (path) => record.values.get(path) })
    return {
      items: [...this.#tables.records.put(tenant, sealed), ...items],
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
   * The next version of a record, with new values for all paths.
   *
   * @param version the stored one
   * @param signature of the stored version. It stays visible, and no longer fits the new values
   * @throws BadUserInput for a record that is too large; IntegrityFailure
   */
  async update(keys: PatientKeys, given: NewRecord, version: number, signature?: RecordSignature): Promise<WriteUnit> {
    const record = signature === undefined ? given : { ...given, metadata: { ...given.metadata, signature } }
    const former = await this.#tables.records.whole(this.#tenant, record.ref)
    if (former === undefined) throw new IntegrityFailure()
    const before = this.#valuesBefore(keys, former)
    return this.#replacement(keys, { record, former, version, before, after: (path) => record.values.get(path) })
  }

  /**
   * The next version of a record, with new values for some paths.
   *
   * @param version the stored one
   * @param metadata of the stored version
   * @throws BadUserInput for a record that is too large; IntegrityFailure, VersionConflict
   */
  async patch(keys: PatientKeys, patch: RecordPatch, version: number, metadata: RecordMetadata): Promise<WriteUnit> {
    const { ref, values, from } = patch
    const former = await this.#former(ref)
    const needed = new Set([...from, ...this.#contributors.flatMap((one) => one.paths(ref))])
    const opened = valuesOf(keys, this.#tenant, former, [...needed])
    const before = (path: SchemaPath): Json | undefined => opened.get(path)
    const after = (path: SchemaPath): Json | undefined => (values.has(path) ? (values.get(path) ?? undefined) : opened.get(path))
    const kept = new Map([...former.fields].filter(([path]) => !values.has(path)))
    const set = new Map([...values].flatMap(([path, value]) => (value === null ? [] : [[path, value] as const])))
    const record = { ref, values: set, kept, metadata: patch.metadataOf(metadata, before, after) }
    return this.#replacement(keys, { record, former, version, before, after })
  }

  #replacement(
    keys: PatientKeys,
    {
      record,
      former,
      version,
      ...values
    }: Pick<SealedChange, 'before' | 'after'> & {
      readonly record: NewRecord & { readonly kept?: ReadonlyMap<SchemaPath, Uint8Array> }
      readonly former: StoredRecord
      readonly version: number
    },
  ): WriteUnit {
    const tenant = this.#tenant
    const { ref } = record
    const sealed = { ref, ...sealRecord(keys, { tenant, ...ref }, version + 1, record) }
    const items = this.#contributed({ ref, former: { stored: former, version }, ...values })
    return {
      items: [this.#tables.records.replace(tenant, sealed, former.manifest), ...items],
      access: [],
      ...(isOwn(record) && { own: { patient: ref.patient, version: version + 1 } }),
      audit: [this.#audited(ref, version + 1, 'UPDATE', [...record.values.keys()])],
      entries: [entryOf(record, version + 1)],
      removed: [],
      result: 'updated',
      order: orderOf(record),
      bytes: sizeOf(sealed) + sizeOf(former),
    }
  }

  /** @throws VersionConflict if another writer removed the record */
  async #former(ref: RecordRef): Promise<StoredRecord> {
    const former = await this.#tables.records.whole(this.#tenant, ref)
    if (former === undefined) throw new VersionConflict()
    return former
  }

  #contributed(change: SealedChange): readonly TransactWriteItem[] {
    return this.#contributors.flatMap((one) => one.itemsOf(change))
  }

  /** Opens the values of a stored version that the contributors need. @throws IntegrityFailure */
  #valuesBefore(keys: PatientKeys, former: StoredRecord): (path: SchemaPath) => Json | undefined {
    const paths = new Set(this.#contributors.flatMap((one) => one.paths(former.ref)))
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
  if (bytes > ITEM_BYTES) throw new BadUserInput({ detail: TOO_LARGE })
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
