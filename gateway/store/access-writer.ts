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

/** A patient's access items while they are being written, one transaction after the other, with the root that lists them. */
export class AccessWriter {
  readonly #table: AccessTable
  readonly #key: PurposeKey<'access'>
  readonly #tenant: TenantId
  readonly #patient: PatientId
  #root: AccessManifest
  /** The root as it is stored, and as it will be when the transaction under way commits. */
  #stored: Uint8Array | undefined
  #pending: Uint8Array | undefined

  /**
   * @param isNew the patient had no key a moment ago
   * @throws IntegrityFailure where the root is not whole, or a patient who is not new has none; VersionConflict where a new
   *   patient has one already; StoreUnavailable, KeyUnavailable
   */
  static async open(
    table: AccessTable,
    key: PurposeKey<'access'>,
    tenant: TenantId,
    patient: PatientId,
    isNew: boolean,
  ): Promise<AccessWriter> {
    const stored = await table.root(tenant, patient)
    if (stored !== undefined && isNew) throw new VersionConflict()
    // the root begins with the patient: to begin another would drop what was listed, a denial of consent among it
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
    this.#root =
      stored === undefined
        ? { version: 0, items: new Map() }
        : openAccessManifest(key, { tenant, ...accessManifestKey(tenant, patient) }, stored)
  }

  /**
   * The writing of the items and of the root that lists them; nothing where there is neither an item nor a root to begin.
   * @throws VersionConflict where an item was changed since the one to be written was made from it
   */
  write(items: readonly AccessItem[]): TransactWriteItem[] {
    if (items.length === 0 && this.#stored !== undefined) return []
    const listed = new Map(this.#root.items)
    for (const item of items) {
      const { sk } = accessKey(this.#tenant, item)
      if (item.replaces !== undefined && (listed.get(sk) ?? null) !== item.replaces) throw new VersionConflict()
      listed.set(sk, accessDigest(item.sealed))
    }
    this.#root = { version: this.#root.version + 1, items: listed }
    return [this.#putRoot(), ...items.map((item) => this.#table.put(this.#tenant, item))]
  }

  /** The writing of the root that tells of the patient's keys being destroyed. */
  writeKeyDestruction(tombstone: Uint8Array): TransactWriteItem {
    this.#root = manifestAfterKeyDestruction(this.#root, tombstone)
    return this.#putRoot()
  }

  #putRoot(): TransactWriteItem {
    const place = { tenant: this.#tenant, ...accessManifestKey(this.#tenant, this.#patient) }
    this.#pending = sealAccessManifest(this.#key, place, this.#root)
    return this.#table.putRoot(this.#tenant, this.#patient, this.#pending, this.#stored)
  }

  /** The transaction committed: the next one stands on it. */
  written(): void {
    this.#stored = this.#pending ?? this.#stored
  }
}
