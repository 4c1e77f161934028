import type { PatientId, TenantId } from '../model/ids.ts'
import type { PatientKeyItem, TenantKeyItem } from './key-table.ts'

interface Change<Item> {
  readonly before: Item
  readonly after: Item
}

export interface PatientKeyChange extends Change<PatientKeyItem> {
  readonly patient: PatientId
}

/** Items as they were read and as they are to be. */
export interface KeyChanges {
  readonly tenant?: Change<TenantKeyItem>
  readonly patients: readonly PatientKeyChange[]
}

/** What is done to keys: a new tenant key, patient keys wrapped under it, a new key of a use or of a patient. */
export type KeyAct = 'ROTATE' | 'REWRAP' | 'RENEW_USE' | 'RENEW_PATIENT'

/** Where wrapped keys are changed. */
export interface KeyChanger {
  /**
   * The key items of all patients of a tenant, read consistently.
   *
   * @throws StoreUnavailable
   */
  pages(tenant: TenantId): AsyncIterable<ReadonlyMap<PatientId, PatientKeyItem>>
  /**
   * Writes all of it, at most 50 patients, or nothing where an item is no longer what was read.
   *
   * @throws AuditUnavailable when it is not written, or not known to be
   */
  write(tenant: TenantId, act: KeyAct, changes: KeyChanges): Promise<'written' | 'changed'>
}
