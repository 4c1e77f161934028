import type { PatientId, TenantId } from '../model/ids.ts'

/** What a tenant's own keys are for. Each is separate, wrapped under the tenant key, versioned. */
export type KeyUse = 'access' | 'cursor' | 'lookup' | 'identifier' | 'pseudonym' | 'index'

/** One version of a tenant key, wrapped by KMS under the key named. */
export interface WrappedTenantKey {
  readonly version: number
  readonly wrapped: Uint8Array
  readonly kmsKey: string
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
   * Milliseconds since the epoch, 0 for a first version. Until then the version before seals, so that no process meets
   * what it has no key for yet. It opens from the beginning.
   */
  readonly sealsFrom: number
}

/** All keys of a tenant that are not a patient's: one item, all versions, so that they load together. */
export interface TenantKeyItem {
  readonly versions: readonly WrappedTenantKey[]
  readonly uses: readonly WrappedPurposeKey[]
}

/** All versions of a patient's key. One without any version opens nothing and is not an error to load. */
export interface PatientKeyItem {
  readonly versions: readonly WrappedPatientKey[]
  /** What stands in the place of keys that were destroyed, sealed: `gateway/crypto/tombstone.ts`. Never beside a version. */
  readonly tombstone?: Uint8Array
}

export interface WantedKeys {
  readonly tenantItem: boolean
  readonly patients: readonly PatientId[]
}

export interface LoadedKeys {
  readonly tenant?: TenantKeyItem
  /** Without those that have no item. */
  readonly patients: ReadonlyMap<PatientId, PatientKeyItem>
}

/** Where wrapped keys are kept. A patient's item is written with the patient's first record, by the store. */
export interface KeyTable {
  /**
   * All wanted items in one batch, read consistently.
   *
   * @throws StoreUnavailable unless every item was read or found missing
   */
  load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys>
  /** Writes the item unless there is one. */
  createTenant(tenant: TenantId, item: TenantKeyItem): Promise<'created' | 'exists'>
}

/** The newest version that seals at a time, or 0 where there is none. */
export function sealingVersion(versions: readonly { readonly version: number; readonly sealsFrom: number }[], now: number): number {
  return newestVersion(versions.filter(({ sealsFrom }) => sealsFrom <= now))
}

/** 0 where there is none. */
export const newestVersion = (versions: readonly { readonly version: number }[]): number =>
  versions.reduce((most, { version }) => Math.max(most, version), 0)
