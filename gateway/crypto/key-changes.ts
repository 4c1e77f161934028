import type { PatientId, TenantId } from '../model/ids.ts'
import type { PatientKeyItem, TenantKeyItem } from './key-table.ts'

interface Change<Item> {
  readonly before: Item
  readonly after: Item
}

export interface PatientKeyChange extends Change<PatientKeyItem> {
  readonly patient: PatientId
}

/** Key items before and after a change. */
export interface KeyChanges {
  readonly tenant?: Change<TenantKeyItem>
  readonly patients: readonly PatientKeyChange[]
}

/**
 * A change of keys:
 * - ROTATE adds a version of the tenant key.
 * - REWRAP wraps patient keys under the newest tenant key.
 * - ADD_USE adds the first version of purpose keys that a newer version of the gateway needs.
 * - RETIRE_USE destroys the former versions of a purpose key.
 * - RENEW_USE and RENEW_PATIENT add a version of a purpose key or of a patient key.
 */
export type KeyAct = 'ROTATE' | 'ADD_USE' | 'REWRAP' | 'RENEW_USE' | 'RETIRE_USE' | 'RENEW_PATIENT'

/** Port that changes wrapped keys. */
export interface KeyChanger {
  /**
   * Yields the key items of all patients of a tenant, read consistently.
   *
   * @throws StoreUnavailable
   */
  pages(tenant: TenantId): AsyncIterable<ReadonlyMap<PatientId, PatientKeyItem>>
  /**
   * Writes all changes, for at most 50 patients. If a stored item is not the `before` of its change, writes nothing.
   *
   * @throws AuditUnavailable if the write failed or its outcome is unknown
   */
  write(tenant: TenantId, act: KeyAct, changes: KeyChanges): Promise<'written' | 'changed'>
}
