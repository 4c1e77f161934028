import type { Keyring } from '../crypto/keyring.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Deadline } from '../model/deadline.ts'
import { Erased, Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import type { RecordMetadata } from '../model/record.ts'
import { type HistoryTable, type RecordVersion, versionKey } from './history.ts'
import { failureOr } from './index-check.ts'
import type { OpenRecord } from './record-source.ts'
import { openStored } from './sealed-load.ts'

/** The earlier versions of records. */
export interface RecordVersions {
  /**
   * Returns the metadata of earlier versions of one patient's records, by `versionKey`. A version that is missing, or that does not open
   * at its place, is absent.
   *
   * @param counter `metadata` increases with every opened version
   * @throws StoreUnavailable, KeyUnavailable
   */
  metadataOf(
    place: { readonly tenant: TenantId; readonly patient: PatientId },
    versions: readonly RecordVersion[],
    counter: OpeningCounter,
    deadline: Deadline,
  ): Promise<ReadonlyMap<string, RecordMetadata>>
  /** Returns the newest earlier version of a record; 0 if there is none. @throws StoreUnavailable */
  lastVersion(tenant: TenantId, ref: RecordRef): Promise<number>
  /**
   * Returns earlier versions of one record, by version: each with readable metadata, or IntegrityFailure if it is missing or does not open
   * at its place. Its values open one by one.
   *
   * @param paths the values that the caller of this method may open
   * @param counter `metadata` increases with every opened version
   * @throws StoreUnavailable, KeyUnavailable; Erased if the keys of the patient were destroyed
   */
  open(
    tenant: TenantId,
    ref: RecordRef,
    versions: readonly number[],
    paths: ReadonlySet<SchemaPath>,
    counter: OpeningCounter,
    deadline: Deadline,
  ): Promise<ReadonlyMap<number, OpenRecord | IntegrityFailure>>
}

/** The versions in the gateway's own store, opened with the key of their patient. */
export class SealedVersions implements RecordVersions {
  readonly #table: HistoryTable
  readonly #keyring: Keyring

  constructor(table: HistoryTable, keyring: Keyring) {
    this.#table = table
    this.#keyring = keyring
  }

  async metadataOf(
    { tenant, patient }: { readonly tenant: TenantId; readonly patient: PatientId },
    versions: readonly RecordVersion[],
    counter: OpeningCounter,
    { signal }: Deadline,
  ): Promise<ReadonlyMap<string, RecordMetadata>> {
    if (versions.length === 0) return new Map()
    const [sealed, handles] = await Promise.all([
      this.#table.manifests(tenant, patient, versions, signal),
      this.#keyring.patientKeys(tenant, [patient], 'cached'),
    ])
    const keys = handles.get(patient)
    if (keys === undefined) throw new KeyUnavailable()
    const opened = new Map<string, RecordMetadata>()
    for (const version of versions) {
      const manifest = sealed.get(versionKey(version))
      if (manifest === undefined) continue
      try {
        const record = SealedRecord.open(keys, { tenant, patient, type: version.type, id: version.id }, manifest, counter)
        // another version in its place was put there
        if (record.version === version.version) opened.set(versionKey(version), record.metadata)
      } catch (error) {
        if (!(error instanceof IntegrityFailure)) throw error
      }
    }
    return opened
  }

  async lastVersion(tenant: TenantId, ref: RecordRef): Promise<number> {
    return await this.#table.lastVersion(tenant, ref)
  }

  async open(
    tenant: TenantId,
    ref: RecordRef,
    versions: readonly number[],
    paths: ReadonlySet<SchemaPath>,
    counter: OpeningCounter,
    { signal }: Deadline,
  ): Promise<ReadonlyMap<number, OpenRecord | IntegrityFailure>> {
    const [stored, handles] = await Promise.all([
      this.#table.load(tenant, ref, versions, paths, signal),
      this.#keyring.patientKeys(tenant, [ref.patient], 'cached'),
    ])
    const keys = handles.get(ref.patient)
    if (keys === undefined) throw new KeyUnavailable()
    if (keys.erased) throw new Erased()
    return new Map(
      versions.map((version): [number, OpenRecord | IntegrityFailure] => {
        const record = stored.get(version)
        const opened = record && failureOr(() => openStored(tenant, record, keys, counter))
        if (opened instanceof Failure && !(opened instanceof IntegrityFailure)) throw opened
        // another version in its place was put there
        return [
          version,
          opened === undefined || opened instanceof Failure || opened.version !== version ? new IntegrityFailure() : opened,
        ]
      }),
    )
  }
}
