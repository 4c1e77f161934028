import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { AuditContext, TimedAccess } from '../audit/entry.ts'
import type { AuditLog } from '../audit/log.ts'
import { MAX_ACTIONS } from '../audit/submission.ts'
import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import type { IndexEntry } from '../crypto/sealed-index.ts'
import { SealedRecord, sealRecord } from '../crypto/sealed-record.ts'
import { BadUserInput, IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { retryOptimisticRead } from '../model/optimistic-read.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import type { Clock, NewRecord } from '../model/record.ts'
import type { AccessItem, AccessTable } from './access.ts'
import { AccessWriter } from './access-writer.ts'
import type { HistoryTable } from './history.ts'
import { IndexWriter } from './index-writer.ts'
import { chunksAfter } from './patient-index.ts'
import type { DynamoKeyTable } from './keys.ts'
import type { RecordTable, StoredRecord } from './records.ts'
import type { SearchTable } from './search.ts'
import { SearchWriter, valuesOf } from './search-writer.ts'

/** All that is written of one patient at a time. */
export interface PatientBatch {
  readonly patient: PatientId
  readonly records: readonly NewRecord[]
  readonly access: readonly AccessItem[]
}

/** Records by what became of them. */
export interface WriteCounts {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
}

export interface WriterParts {
  readonly records: RecordTable
  readonly history: HistoryTable
  readonly access: AccessTable
  readonly search: SearchTable
  /** The blind indexes of the schema. Left out: what is written is not found by any value. */
  readonly searchable?: readonly SearchIndex[]
  readonly keys: DynamoKeyTable
  readonly keyring: Keyring
  readonly audit: AuditLog
  readonly now: Clock
}

/** What one transaction and one item may hold, in bytes, with room for names and keys. */
const TRANSACTION_BYTES = 3_000_000
const ITEM_BYTES = 380_000
const DEADLINE_MS = 30_000
const ACCESS_AT_ONCE = 25
/** The root of the index and that of the access items. */
const ROOTS = 2

/** Actions that must be stored together, and the records of the audit that tell of them. */
interface Unit {
  readonly items: readonly TransactWriteItem[]
  readonly access: readonly AccessItem[]
  readonly audit: readonly TimedAccess[]
  /** The patient's own record first, then by type and time; who may see it all comes last. */
  readonly order: string
  /** What the index says of the records from now on. */
  readonly entries: readonly { readonly type: TypeName; readonly entry: IndexEntry }[]
  readonly bytes: number
}

/** Seals and stores records. A record, its former version and its audit record commit together or not at all. */
export class RecordWriter {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /**
   * Writes what is new or changed, by the digest of its source: repeating it changes nothing, and one that was interrupted
   * goes on where it ended.
   *
   * @throws VersionConflict when somebody else wrote a record in between; BadUserInput for a record that is too large;
   *   AuditUnavailable, StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  async write(context: AuditContext, { patient, records, access }: PatientBatch): Promise<WriteCounts> {
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
    const { units, counts } = await this.#units(context, keys, records, stored, search)
    units.push(...this.#accessUnits(patient, access))
    if (units.length === 0) return counts
    const allowed = await AccessWriter.open(this.#parts.access, await keyring.purposeKey(tenant, 'access'), tenant, patient, isNew)
    units.sort((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    // a new patient's key goes with the first; one after the other, since each change of the index stands on the one before
    let before = newKey === undefined ? [] : [newKey]
    for (let next = units; next.length > 0; ) {
      const group = next.slice(0, fitting(next, before.length, index))
      const entries = group.flatMap((unit) => unit.entries)
      const access = allowed.write(group.flatMap((unit) => unit.access))
      const items = [...before, ...group.flatMap((unit) => unit.items), ...access, ...index.write(entries)]
      const audit = group.flatMap((unit) => unit.audit)
      await this.#parts.audit.commit(context, items, audit, this.#parts.now() + DEADLINE_MS)
      index.written()
      allowed.written()
      next = next.slice(group.length)
      before = []
    }
    return counts
  }

  /**
   * The patient's index, and the stored records by `Type#id`, each at the version that the index names. A write over a record that was
   * removed or rolled back would hide the tampering.
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
      // a record of a patient who had no key a moment ago: another writer has just created this patient
      if (isNew && found.length > 0) throw new VersionConflict()
      const index = await IndexWriter.open(this.#parts.records, keys, { tenant, patient }, isNew)
      const stored = new Map(
        found.map(({ ref, manifest }) => [nameOf({ ref }), SealedRecord.open(keys, { tenant, ...ref }, manifest, uncounted())]),
      )
      const versions = index.versions()
      const holds = refs.every((ref) => stored.get(nameOf({ ref }))?.version === versions.get(nameOf({ ref })))
      return holds ? { value: { index, stored } } : { torn: undefined }
    }
    return await retryOptimisticRead(read, () => {
      throw new IntegrityFailure()
    })
  }

  async #units(
    context: AuditContext,
    keys: PatientKeys,
    records: readonly NewRecord[],
    before: ReadonlyMap<string, SealedRecord>,
    search: SearchWriter,
  ): Promise<{ units: Unit[]; counts: WriteCounts }> {
    const units: Unit[] = []
    const counts = { created: 0, updated: 0, unchanged: 0 }
    for (const record of records) {
      const sealed = before.get(nameOf(record))
      if (sealed === undefined) {
        units.push(this.#create(context, keys, record, search))
        counts.created++
        continue
      }
      if (sealed.metadata.source !== undefined && sealed.metadata.source === record.metadata.source) {
        counts.unchanged++
        continue
      }
      units.push(await this.#update(context, keys, record, sealed.version, search))
      counts.updated++
    }
    return { units, counts }
  }

  #create(context: AuditContext, keys: PatientKeys, record: NewRecord, search: SearchWriter): Unit {
    const sealed = { ref: record.ref, ...sealRecord(keys, { tenant: context.tenant, ...record.ref }, 1, record) }
    const entries = search.write(record.ref, (path) => record.values.get(path))
    return {
      items: [...this.#parts.records.put(context.tenant, sealed), ...entries],
      access: [],
      audit: [this.#written(record, 1, 'CREATE')],
      entries: [entryOf(record, 1)],
      order: orderOf(record),
      bytes: sizeOf(sealed),
    }
  }

  async #update(context: AuditContext, keys: PatientKeys, record: NewRecord, version: number, search: SearchWriter): Promise<Unit> {
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
      audit: [this.#written(record, version + 1, 'UPDATE')],
      entries: [entryOf(record, version + 1)],
      order: orderOf(record),
      bytes: sizeOf(sealed) + sizeOf(former),
    }
  }

  /** Who may see a patient from now on is an event of its own for the audit, whatever records come with it. */
  #accessUnits(patient: PatientId, access: readonly AccessItem[]): Unit[] {
    const units: Unit[] = []
    const memberships = access.filter(({ kind }) => kind !== 'CONSENTS')
    for (const item of access) {
      if (item.kind !== 'CONSENTS') continue
      const path = 'Consent' as SchemaPath
      const audit: TimedAccess = { patient, path, action: 'UPDATE', outcome: 'WRITTEN', at: this.#now() }
      // before the records that it may be about
      units.push({ items: [], access: [item], audit: [audit], entries: [], order: '!', bytes: item.sealed.length })
    }
    const chunks = [true, false].flatMap((ofStudies) => {
      const items = memberships.filter(({ kind }) => (kind === 'STUDY') === ofStudies)
      return chunked(items).map((chunk) => ({ chunk, path: ofStudies ? 'ResearchStudy' : 'Patient.careTeam' }))
    })
    for (const { chunk, path } of chunks) {
      units.push({
        items: [],
        access: chunk,
        audit: [
          {
            patient,
            path: path as SchemaPath,
            action: 'UPDATE',
            outcome: 'WRITTEN',
            at: this.#now(),
            count: chunk.length,
          },
        ],
        entries: [],
        order: '~',
        bytes: chunk.reduce((sum, { sealed }) => sum + sealed.length, 0),
      })
    }
    return units
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

/**
 * How many of the units, from the first, one transaction holds with the two roots and the chunks of the index that they change.
 * Records of one type and time stand together in the index, so that a transaction of them changes few.
 */
function fitting(units: readonly Unit[], before: number, index: IndexWriter): number {
  const touched = new Map<string, { count: number; added: number }>()
  let actions = before + ROOTS
  let bytes = 0
  for (const [place, unit] of units.entries()) {
    for (const { type, entry } of unit.entries) {
      for (const { name, count } of index.touches(type, entry)) {
        touched.set(name, { count, added: (touched.get(name)?.added ?? 0) + 1 })
      }
    }
    const chunks = [...touched.values()].reduce((sum, { count, added }) => sum + chunksAfter(count, added), 0)
    actions += unit.items.length + unit.access.length + unit.audit.length
    bytes += unit.bytes
    if (place > 0 && (actions + chunks > MAX_ACTIONS || bytes > TRANSACTION_BYTES)) return place
  }
  return units.length
}

function chunked(items: readonly AccessItem[]): readonly (readonly AccessItem[])[] {
  const chunks: (readonly AccessItem[])[] = []
  for (let start = 0; start < items.length; start += ACCESS_AT_ONCE) chunks.push(items.slice(start, start + ACCESS_AT_ONCE))
  return chunks
}

const orderOf = ({ ref, metadata }: NewRecord): string =>
  (ref.id as string) === (ref.patient as string) ? '' : `${ref.type} ${metadata.date ?? ''}`

function entryOf({ ref, metadata }: NewRecord, version: number): { type: TypeName; entry: IndexEntry } {
  const { date = '', codes = [], category = '', labels = [] } = metadata
  return { type: ref.type, entry: { id: ref.id, version, date, codes, category, labels } }
}

function sizeOf({ manifest, fields }: Pick<StoredRecord, 'manifest' | 'fields'>): number {
  let bytes = manifest.length
  for (const [path, sealed] of fields) bytes += path.length + sealed.length
  if (bytes > ITEM_BYTES) throw new BadUserInput()
  return bytes
}

const nameOf = ({ ref }: { ref: NewRecord['ref'] }): string => `${ref.type}#${ref.id}`

/** Writing opens metadata to compare it; no request is told of it. */
const uncounted = (): OpeningCounter => ({ fields: 0, metadata: 0 })
