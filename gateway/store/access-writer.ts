import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import {
  accessDigest,
  type AccessManifest,
  manifestAfterKeyDestruction,
  openAccessManifest,
  sealAccessManifest,
} from '../crypto/access-manifest.ts'
import type { PurposeKey } from '../crypto/tenant-keys.ts'
import { IntegrityFailure, VersionConflict } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { type AccessItem, accessKey, accessManifestKey, type AccessTable } from './access.ts'

/** Writes a patient's access items and the manifest that lists them, in one transaction after the other. */
export class AccessWriter {
  readonly #table: AccessTable
  readonly #key: PurposeKey<'access'>
  readonly #tenant: TenantId
  readonly #patient: PatientId
  #manifest: AccessManifest
  /** The sealed manifest as stored, and as it will be after the pending transaction commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew whether the patient had no key before this write
   * @throws IntegrityFailure if the manifest is not authentic, or is missing for an existing patient
   * @throws VersionConflict if a new patient already has a manifest
   * @throws StoreUnavailable, KeyUnavailable
   */
  static async open(
    table: AccessTable,
    key: PurposeKey<'access'>,
    tenant: TenantId,
    patient: PatientId,
    isNew: boolean,
  ): Promise<AccessWriter> {
    const stored = await table.manifest(tenant, patient)
    if (stored !== undefined && isNew) throw new VersionConflict()
    // the manifest is created with the patient: a second one would drop the listed items, perhaps a denial of consent
    if (stored === undefined && !isNew) throw new IntegrityFailure()
    return new AccessWriter(table, key, tenant, patient, stored)
  }

  private constructor(
    table: AccessTable,
    key: PurposeKey<'access'>,
    tenant: TenantId,
    patient: PatientId,
    stored: Uint8Array | undefined,
  ) {
    this.#table = table
    this.#key = key
    this.#tenant = tenant
    this.#patient = patient
    this.#stored = stored
    this.#manifest =
      stored === undefined
        ? { version: 0, items: new Map() }
        : openAccessManifest(key, { tenant, ...accessManifestKey(tenant, patient) }, stored)
  }

  /**
   * Returns the writes of the items and of the manifest that lists them. A new patient gets a manifest even without items.
   *
   * @throws VersionConflict if the stored item is not the one that `replaces` names
   */
  write(items: readonly AccessItem[]): TransactWriteItem[] {
    if (items.length === 0 && this.#stored !== undefined) return []
    const listed = new Map(this.#manifest.items)
    for (const item of items) {
      const { sk } = accessKey(this.#tenant, item)
      if (item.replaces !== undefined && (listed.get(sk) ?? null) !== item.replaces) throw new VersionConflict()
      listed.set(sk, accessDigest(item.sealed))
    }
    this.#manifest = { version: this.#manifest.version + 1, items: listed }
    return [this.#putManifest(), ...items.map((item) => this.#table.put(this.#tenant, item))]
  }

  /** Returns the write of the manifest that records the destruction of the patient's keys. */
  writeKeyDestruction(tombstone: Uint8Array): TransactWriteItem {
    this.#manifest = manifestAfterKeyDestruction(this.#manifest, tombstone)
    return this.#putManifest()
  }

  #putManifest(): TransactWriteItem {
    const place = { tenant: this.#tenant, ...accessManifestKey(this.#tenant, this.#patient) }
    this.#pending = sealAccessManifest(this.#key, place, this.#manifest)
    return this.#table.putManifest(this.#tenant, this.#patient, this.#pending, this.#stored)
  }

  /** Call this after the transaction committed. The next transaction then requires the new manifest. */
  written(): void {
    this.#stored = this.#pending ?? this.#stored
  }
}
