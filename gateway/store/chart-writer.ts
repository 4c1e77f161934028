import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Keyring } from '../crypto/keyring.ts'
import type { PatientKeys } from '../crypto/patient-keys.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import { BUSY_READS, retryOptimisticRead } from '../model/optimistic-read.ts'
import type { AccessChange, AccessTable } from './access.ts'
import { AccessWriter } from './access-writer.ts'
import { IndexWriter } from './index-writer.ts'
import type { DynamoKeyTable } from './keys.ts'
import { nameOf } from './record-items.ts'
import type { RecordTable } from './records.ts'
import type { Writers, WriteUnit } from './write-units.ts'

/** The tables, and the patient of a chart. */
export interface ChartPlace {
  readonly records: RecordTable
  readonly access: AccessTable
  readonly accessKey: PurposeKey<'access'>
  readonly tenant: TenantId
  readonly patient: PatientId
  readonly keys: PatientKeys
}

/** The write of the key of a new patient. */
type NewKey = TransactWriteItem

/** Creates the key of a new patient. The first transaction of the chart stores it. @throws KeyUnavailable, StoreUnavailable */
export async function newChartKey(
  { keyring, keys }: { readonly keyring: Keyring; readonly keys: DynamoKeyTable },
  tenant: TenantId,
  patient: PatientId,
): Promise<{ readonly keys: PatientKeys; readonly newKey: NewKey }> {
  const { handle, item } = await keyring.newPatientKey(tenant, patient)
  return { keys: handle, newKey: keys.put(tenant, patient, item) }
}

/** Writes the chart of one patient: its records, its index and its access manifest, one transaction after the other. */
export class ChartWriter implements Writers {
  readonly #place: ChartPlace
  readonly index: IndexWriter
  readonly access: AccessWriter
  /** The stored records that a write is about, by `Type#id`. */
  readonly #stored: ReadonlyMap<string, SealedRecord>
  #newKey: NewKey | undefined

  /**
   * Reads the chart. A write over a record that was removed or rolled back would hide the tampering, so each record must have the version
   * that the index names.
   *
   * @param newKey for a patient without keys
   * @param refs all records of the patient that the write is about
   * @param changes all changes of access that a later `write` gets
   * @throws IntegrityFailure if records and index stay different in repeated reads; VersionConflict if another writer created the patient
   * @throws StoreUnavailable, KeyUnavailable
   */
  static async open(
    place: ChartPlace,
    newKey: NewKey | undefined,
    refs: readonly RecordRef[],
    changes: readonly AccessChange[],
  ): Promise<ChartWriter> {
    const { access: table, accessKey: key, tenant, patient } = place
    const { index, stored } = await currentIndex(place, refs, newKey !== undefined)
    const access = await AccessWriter.open({ table, key, tenant, patient }, newKey !== undefined, changes)
    return new ChartWriter(place, newKey, { index, access, stored })
  }

  private constructor(place: ChartPlace, newKey: NewKey | undefined, { index, access, stored }: ReadChart) {
    this.#place = place
    this.#newKey = newKey
    this.#stored = stored
    this.index = index
    this.access = access
  }

  /** Whether this write creates the patient. */
  get isNew(): boolean {
    return this.#newKey !== undefined
  }

  get keys(): PatientKeys {
    return this.#place.keys
  }

  /** Returns the stored record; undefined if the chart has none. */
  stored(ref: Pick<RecordRef, 'type' | 'id'>): SealedRecord | undefined {
    return this.#stored.get(nameOf(ref))
  }

  /**
   * Returns the writes of this chart in a transaction of these units, without their items. The key of a new patient is in the first
   * transaction, and each transaction requires the index that the one before wrote.
   *
   * @throws VersionConflict, IntegrityFailure
   */
  write(group: readonly WriteUnit[]): TransactWriteItem[] {
    const { patient, tenant, records } = this.#place
    const isOf = (one: { readonly patient: PatientId }): boolean => one.patient === patient
    const changes = group.flatMap((unit) => unit.access.filter(isOf))
    const own = group.find((unit) => unit.own?.patient === patient)
    const entries = group.flatMap((unit) => unit.entries.filter(isOf))
    const removed = group.flatMap((unit) => unit.removed.filter(isOf))
    const key = this.#newKey === undefined ? [] : [this.#newKey]
    if (!this.access.isNeeded(changes, own?.own?.version)) return [...key, ...this.index.write(entries, undefined, removed)]
    const manifest = this.access.write(changes, own?.own?.version)
    const named = own?.items.map((item, at) => (at === 0 ? records.withManifest(item, manifest.version) : item)) ?? []
    const { ownType } = this.index
    if (own === undefined && ownType !== undefined) named.push(records.nameManifest(tenant, patient, ownType, manifest.version))
    return [...key, ...named, ...manifest.items, ...this.index.write(entries, manifest.version, removed)]
  }

  /** Call this after the transaction committed. */
  written(): void {
    this.index.written()
    this.access.written()
    this.#newKey = undefined
  }
}

interface ReadChart extends Writers {
  readonly stored: ReadonlyMap<string, SealedRecord>
}

async function currentIndex(
  { records, tenant, patient, keys }: ChartPlace,
  refs: readonly RecordRef[],
  isNew: boolean,
): Promise<Omit<ReadChart, 'access'>> {
  const read = async () => {
    const found = await records.load(tenant, refs, new Set())
    // the patient had no key a moment ago: another writer has just created the patient
    if (isNew && found.length > 0) throw new VersionConflict()
    const index = await IndexWriter.open(records, keys, { tenant, patient }, isNew)
    const stored = new Map(
      found.map(({ ref, manifest }) => [nameOf(ref), SealedRecord.open(keys, { tenant, ...ref }, manifest, uncounted())]),
    )
    const versions = index.versions()
    const holds = refs.every((ref) => stored.get(nameOf(ref))?.version === versions.get(nameOf(ref)))
    return holds ? { value: { index, stored } } : { torn: undefined }
  }
  const damaged = (): never => {
    throw new IntegrityFailure()
  }
  return await retryOptimisticRead(read, damaged, BUSY_READS)
}

/** Writing opens metadata to compare it. No request counts it. */
const uncounted = (): OpeningCounter => ({ fields: 0, metadata: 0 })
