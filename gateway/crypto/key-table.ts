import type { PatientId, TenantId } from '../model/ids.ts'

/** The purposes of a tenant's own keys. Each use has a separate, versioned key, wrapped under the tenant key. */
export type KeyUse = 'access' | 'cursor' | 'lookup' | 'identifier' | 'pseudonym' | 'index' | 'comparison'

// every tenant gets a key for each use: the `Record` type makes the compiler require a new use here
const USES: Readonly<Record<KeyUse, true>> = {
  access: true,
  cursor: true,
  lookup: true,
  identifier: true,
  pseudonym: true,
  index: true,
  comparison: true,
}
export const KEY_USES = Object.keys(USES) as readonly KeyUse[]

/** One version of a tenant key, wrapped by KMS under `kmsKey`. */
export interface WrappedTenantKey {
  readonly version: number
  readonly wrapped: Uint8Array
  readonly kmsKey: string
  /** Milliseconds since the epoch. Undefined for a version of an older gateway. */
  readonly created?: number
}

export interface WrappedPurposeKey {
  readonly use: KeyUse
  readonly version: number
  readonly tenantKeyVersion: number
  readonly wrapped: Uint8Array
  readonly sealsFrom: number
}

export interface WrappedPatientKey {
  readonly version: number
  readonly tenantKeyVersion: number
  readonly wrapped: Uint8Array
  /**
   * Milliseconds since the epoch, 0 for a first version. Until then the previous version seals, so that no process reads
   * data of a key that it has not loaded. The key opens from the beginning.
   */
  readonly sealsFrom: number
}

/** All versions of a tenant's keys, without patient keys. They are one item, so that they load together. */
export interface TenantKeyItem {
  readonly versions: readonly WrappedTenantKey[]
  readonly uses: readonly WrappedPurposeKey[]
}

/** All versions of a patient's key. An item without versions loads without an error and opens nothing. */
export interface PatientKeyItem {
  readonly versions: readonly WrappedPatientKey[]
  /** Sealed, in place of destroyed keys: `gateway/crypto/tombstone.ts`. An item with a tombstone has no versions. */
  readonly tombstone?: Uint8Array
}

export interface WantedKeys {
  readonly tenantItem: boolean
  readonly patients: readonly PatientId[]
}

export interface LoadedKeys {
  readonly tenant?: TenantKeyItem
  /** Patients without an item are absent. */
  readonly patients: ReadonlyMap<PatientId, PatientKeyItem>
}

/** Port to the stored wrapped keys. The store writes a patient's item together with the patient's first record. */
export interface KeyTable {
  /**
   * Loads all wanted items in one batch, read consistently.
   *
   * @throws StoreUnavailable unless each item was either read or found missing
   */
  load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys>
  /** Writes the item unless the tenant already has one. */
  createTenant(tenant: TenantId, item: TenantKeyItem): Promise<'created' | 'exists'>
}

/** Returns the newest version that seals at the given time, or 0 if none does. */
export function sealingVersion(versions: readonly { readonly version: number; readonly sealsFrom: number }[], now: number): number {
  return newestVersion(versions.filter(({ sealsFrom }) => sealsFrom <= now))
}

/** Returns 0 for an empty list. */
export const newestVersion = (versions: readonly { readonly version: number }[]): number =>
  versions.reduce((most, { version }) => Math.max(most, version), 0)
