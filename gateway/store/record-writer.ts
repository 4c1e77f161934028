import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuditContext, TimedAccess } from '../audit/entry.ts'
import { ItemPacker } from '../audit/item-packer.ts'
import type { AuditLog } from '../audit/log.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { IndexEntry } from '../crypto/sealed-index.ts'
import { SealedRecord, sealRecord } from '../crypto/sealed-record.ts'
import { BadUserInput, IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { Clock, NewRecord } from '../model/record.ts'
import type { AccessChange, AccessTable } from './access.ts'
import { AccessWriter } from './access-writer.ts'
import type { HistoryTable } from './history.ts'
import { IndexWriter } from './index-writer.ts'
import type { DynamoKeyTable } from './keys.ts'
import type { RecordTable, StoredRecord } from './records.ts'
import type { SearchTable } from './search.ts'
import { SearchWriter, valuesOf } from './search-writer.ts'
import { accessUnits, fitting, type Writers, type WriteUnit } from './write-units.ts'

/** The changes of one patient that are written together. */
export interface PatientBatch {
  readonly patient: PatientId
  readonly records: readonly NewRecord[]
  readonly access: readonly AccessChange[]
}

/** Numbers of records by result. */
export interface WriteCounts {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
}

/** The result of writing one patient. */
export interface WriteResult extends WriteCounts {
  /** The records that were found unchanged, as `Type#id`. */
  readonly unchangedRecords: ReadonlySet<string>
  /** Whether a membership or a consent changed. */
  readonly accessChanged: boolean
}

export interface WriterParts {
  readonly records: RecordTable
  readonly history: HistoryTable
  readonly access: AccessTable
  readonly search: SearchTable
  /** The blind indexes of the schema. Without them, no search finds the written records. */
  readonly searchable?: readonly SearchIndex[]
  readonly keys: DynamoKeyTable
  readonly keyring: Keyring
  readonly audit: AuditLog
  readonly now: Clock
}

/** The upper bound of one item, in bytes, with room for names and keys. */
const ITEM_BYTES = 380_000
const DEADLINE_MS = 30_000
/** A conflict means that another writer of the patient succeeded. A write begins again after a conflict for this time. */
const CONFLICTS_MS = 30_000
const FIRST_PAUSE_MS = 5
const MAX_PAUSE_MS = 250
/** Seals and stores records. A record, its former version and its audit record commit together or not at all. */
export class RecordWriter {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /**
   * Writes the new and changed records, by the digest of their source. A repeated call changes nothing, and continues an
   * interrupted one.
   *
   * If another writer changed the patient in the meantime, the write begins again. After the first of several transactions it does not:
   * the next call continues.
   *
   * @throws VersionConflict if other writers kept changing the patient for half a minute; BadUserInput for a record that is too large;
   *   AuditUnavailable, StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  async write(context: AuditContext, batch: PatientBatch): Promise<WriteResult> {
    const began = performance.now()
    for (let attempt = 1; ; attempt++) {
      const counts = await this.#writeOnce(context, batch)
      if (counts !== 'CONFLICT') return counts
      if (performance.now() - began > CONFLICTS_MS) throw new VersionConflict()
      await sleep(Math.random() * Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt))
    }
  }

  async #writeOnce(context: AuditContext, { patient, records, access }: PatientBatch): Promise<WriteResult | 'CONFLICT'> {
    const { tenant } = context
    const { keyring, keys: keyTable } = this.#parts
    let keys: PatientKeys | undefined = (await keyring.patientKeys(tenant, [patient], 'always')).get(patient)
    let newKey: TransactWriteItem | undefined
    if (keys === undefined) {
      const { item, handle } = await keyring.newPatientKey(tenant, patient)
      keys = handle
      newKey = keyTable.put(tenant, patient, item)
    }
    const isNew = newKey !== undefined
    const { index, stored } = await this.#currentIndex(keys, tenant, patient, records, isNew)
    const search = new SearchWriter(
      this.#parts.search,
      await keyring.purposeKey(tenant, 'index'),
      tenant,
      this.#parts.searchable ?? [],
    )
    const { units, counts, unchangedRecords } = await this.#units(context, keys, records, stored, search)
    const result = { ...counts, unchangedRecords, accessChanged: access.length > 0 }
    units.push(...accessUnits(patient, access, this.#now()))
    if (units.length === 0) return result
    const place = { table: this.#parts.access, key: await keyring.purposeKey(tenant, 'access'), tenant, patient }
    const writers = { index, access: await AccessWriter.open(place, isNew, access) }
    units.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    // the key of a new patient is written in the first transaction; each transaction requires the index that the one before wrote
    let before = newKey === undefined ? [] : [newKey]
    const packer = new ItemPacker(context)
    for (let next = units; next.length > 0; ) {
      const group = next.slice(0, fitting(next, before.length, writers))
      const items = [...before, ...this.#itemsOf(patient, group, writers)]
      const audit = group.flatMap((unit) => unit.audit)
      try {
        await this.#parts.audit.commit(items, packer.ofWrite(audit), this.#parts.now() + DEADLINE_MS)
      } catch (error) {
        if (error instanceof VersionConflict && next === units) return 'CONFLICT'
        throw error
      }
      writers.index.written()
      writers.access.written()
      next = next.slice(group.length)
      before = []
    }
    return result
  }

  /** The writes of one transaction. Index root and own record name the access manifest that the transaction writes. */
  #itemsOf(patient: PatientId, group: readonly WriteUnit[], { index, access }: Writers): TransactWriteItem[] {
    const { records } = this.#parts
    const { tenant } = index.place
    const changes = group.flatMap((unit) => unit.access)
    const own = group.find((unit) => unit.own !== undefined)
    const entries = group.flatMap((unit) => unit.entries)
    const items = group.flatMap((unit) => (unit === own ? [] : unit.items))
    if (!access.isNeeded(changes, own?.own)) return [...items, ...index.write(entries, undefined)]
    const manifest = access.write(changes, own?.own)
    items.push(...(own?.items.map((item, at) => (at === 0 ? records.withManifest(item, manifest.version) : item)) ?? []))
    const { ownType } = index
    if (own === undefined && ownType !== undefined) {
      items.push(records.nameManifest(tenant, patient, ownType, manifest.version))
    }
    return [...items, ...manifest.items, ...index.write(entries, manifest.version)]
  }

  /**
   * Returns the patient's index, and the stored records by `Type#id`, each at the version that the index names. A write over a
   * record that was removed or rolled back would hide the tampering.
   *
   * @throws IntegrityFailure if records and index stay different in repeated reads; VersionConflict
   */
  async #currentIndex(
    keys: PatientKeys,
    tenant: TenantId,
    patient: PatientId,
    records: readonly NewRecord[],
    isNew: boolean,
  ): Promise<{ index: IndexWriter; stored: ReadonlyMap<string, SealedRecord> }> {
    const refs = records.map(({ ref }) => ref)
    const read = async () => {
      const found = await this.#parts.records.load(tenant, refs, new Set())
      // the patient had no key a moment ago: another writer has just created the patient
      if (isNew && found.length > 0) throw new VersionConflict()
      const index = await IndexWriter.open(this.#parts.records, keys, { tenant, patient }, isNew)
      const stored = new Map(
        found.map(({ ref, manifest }) => [nameOf({ ref }), SealedRecord.open(keys, { tenant, ...ref }, manifest, uncounted())]),
      )
      const versions = index.versions()
      const holds = refs.every((ref) => stored.get(nameOf({ ref }))?.version === versions.get(nameOf({ ref })))
      return holds ? { value: { index, stored } } : { torn: undefined }
    }
    const damaged = (): never => {
      throw new IntegrityFailure()
    }
    return await retryOptimisticRead(read, damaged, BUSY_READS)
  }

  async #units(
    context: AuditContext,
    keys: PatientKeys,
    records: readonly NewRecord[],
    before: ReadonlyMap<string, SealedRecord>,
    search: SearchWriter,
  ): Promise<{ units: WriteUnit[]; counts: WriteCounts; unchangedRecords: ReadonlySet<string> }> {
    const units: WriteUnit[] = []
    const counts = { created: 0, updated: 0, unchanged: 0 }
    const unchangedRecords = new Set<string>()
    for (const record of records) {
      const sealed = before.get(nameOf(record))
      if (sealed === undefined) {
        units.push(this.#create(context, keys, record, search))
        counts.created++
        continue
      }
      if (sealed.metadata.source !== undefined && sealed.metadata.source === record.metadata.source) {
        counts.unchanged++
        unchangedRecords.add(nameOf(record))
        continue
      }
      units.push(await this.#update(context, keys, record, sealed.version, search))
      counts.updated++
    }
    return { units, counts, unchangedRecords }
  }

  #create(context: AuditContext, keys: PatientKeys, record: NewRecord, search: SearchWriter): WriteUnit {
    const sealed = { ref: record.ref, ...sealRecord(keys, { tenant: context.tenant, ...record.ref }, 1, record) }
    const entries = search.write(record.ref, (path) => record.values.get(path))
    return {
      items: [...this.#parts.records.put(context.tenant, sealed), ...entries],
      access: [],
      ...(isOwn(record) && { own: 1 }),
      audit: [this.#written(record, 1, 'CREATE')],
      entries: [entryOf(record, 1)],
      order: orderOf(record),
      bytes: sizeOf(sealed),
    }
  }

  async #update(
    context: AuditContext,
    keys: PatientKeys,
    record: NewRecord,
    version: number,
    search: SearchWriter,
  ): Promise<WriteUnit> {
    const { records, history } = this.#parts
    const former = await records.whole(context.tenant, record.ref)
    if (former === undefined) throw new IntegrityFailure()
    const sealed = { ref: record.ref, ...sealRecord(keys, { tenant: context.tenant, ...record.ref }, version + 1, record) }
    const before = valuesOf(keys, context.tenant, former, search.paths(record.ref))
    const entries = search.write(
      record.ref,
      (path) => record.values.get(path),
      (path) => before.get(path),
    )
    return {
      items: [records.replace(context.tenant, sealed, former.manifest), history.put(context.tenant, former, version), ...entries],
      access: [],
      ...(isOwn(record) && { own: version + 1 }),
      audit: [this.#written(record, version + 1, 'UPDATE')],
      entries: [entryOf(record, version + 1)],
      order: orderOf(record),
      bytes: sizeOf(sealed) + sizeOf(former),
    }
  }

  #written({ ref, values }: NewRecord, version: number, action: 'CREATE' | 'UPDATE'): TimedAccess {
    return {
      patient: ref.patient,
      recordType: ref.type,
      recordId: ref.id,
      recordVersion: version,
      path: ref.type as string as SchemaPath,
      paths: [...values.keys()].toSorted(),
      action,
      outcome: 'WRITTEN',
      at: this.#now(),
    }
  }

  #now(): Instant {
    return this.#parts.now() as Instant
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

function entryOf({ ref, metadata }: NewRecord, version: number): { type: TypeName; entry: IndexEntry } {
  const { date = '', codes = [], categories = [], labels = [], author, references, datePrecision } = metadata
  const { encounter } = references
  const closedBy = { labels, ...(encounter !== undefined && { encounter }), ...(author !== undefined && { author }) }
  return {
    type: ref.type,
    entry: { id: ref.id, version, date, codes, categories, ...closedBy, ...(datePrecision && { datePrecision }) },
  }
}

const nameOf = ({ ref }: { ref: NewRecord['ref'] }): string => `${ref.type}#${ref.id}`

/** Writing opens metadata to compare it. No request counts it. */
const uncounted = (): OpeningCounter => ({ fields: 0, metadata: 0 })
