import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Keyring } from '../crypto/keyring.ts'
import { openTombstone, sealTombstone } from '../crypto/tombstone.ts'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { Instant, PatientId, TenantId } from '../model/ids.ts'
import { type AccessTable } from './access.ts'
import { AccessWriter } from './access-writer.ts'
import type { DynamoKeyTable } from './keys.ts'

interface KeyDestructionParts {
  readonly keys: DynamoKeyTable
  readonly access: AccessTable
  readonly keyring: Keyring
}

/** The destruction of the keys of one patient, sealed and not yet written. */
export interface KeyDestruction {
  readonly tombstone: Uint8Array
  /** The versions of the keys. */
  readonly versions: readonly number[]
  /** The write of the tombstone. It fails if the keys changed in the meantime. */
  readonly item: TransactWriteItem
}

/**
 * Seals the tombstone that replaces a patient's keys.
 *
 * @returns undefined if the keys were destroyed before
 * @throws KeyUnavailable if the patient has no keys; IntegrityFailure if the tombstone is not authentic; StoreUnavailable
 */
export async function prepareKeyDestruction(
  { keys, keyring }: Pick<KeyDestructionParts, 'keys' | 'keyring'>,
  tenant: TenantId,
  patient: PatientId,
  at: Instant,
): Promise<KeyDestruction | undefined> {
  const before = (await keys.load(tenant, { tenantItem: false, patients: [patient] })).patients.get(patient)
  const key = await keyring.purposeKey(tenant, 'access')
  if (before?.tombstone !== undefined) {
    openTombstone(key, tenant, patient, before.tombstone)
    if (before.versions.length > 0) throw new IntegrityFailure()
    return undefined
  }
  if (before === undefined || before.versions.length === 0) throw new KeyUnavailable()
  const versions = before.versions.map(({ version }) => version)
  const tombstone = sealTombstone(key, tenant, patient, { at, versions })
  return { tombstone, versions, item: keys.destroy(tenant, patient, before, tombstone) }
}

/**
 * Returns the writes that destroy a patient's keys. A sealed tombstone replaces the keys, and the patient's access manifest
 * names it, so that restored keys are detected. Commit the writes in one transaction with their audit record. The transaction
 * fails if the keys or the manifest changed in the meantime.
 *
 * Records, index and access items stay in the store, but records and index no longer open. Operators must destroy copies of
 * the key table separately.
 *
 * @returns no writes if the keys were destroyed before
 * @throws KeyUnavailable if the patient has no keys; IntegrityFailure if the tombstone or the manifest is not authentic;
 *   StoreUnavailable
 */
export async function destroyPatientKeys(
  { keys, access, keyring }: KeyDestructionParts,
  tenant: TenantId,
  patient: PatientId,
  at: Instant,
): Promise<readonly TransactWriteItem[]> {
  const destruction = await prepareKeyDestruction({ keys, keyring }, tenant, patient, at)
  if (destruction === undefined) return []
  const key = await keyring.purposeKey(tenant, 'access')
  const accessWriter = await AccessWriter.open({ table: access, key, tenant, patient }, false, [])
  return [destruction.item, accessWriter.writeKeyDestruction(destruction.tombstone)]
}
