import type { Keyring } from '../crypto/keyring.ts'
import type { OpeningCounter } from '../crypto/sealed-field.ts'
import { SealedRecord } from '../crypto/sealed-record.ts'
import type { Deadline } from '../model/deadline.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, RecordRef, TenantId } from '../model/ids.ts'
import type { RecordMetadata } from '../model/record.ts'
import { type HistoryTable, type RecordVersion, versionKey } from './history.ts'

/** What is known of the earlier versions of records: their metadata, never a value. */
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
}
