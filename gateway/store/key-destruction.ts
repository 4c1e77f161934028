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

/**
 * The writing that destroys a patient's keys: a sealed tombstone takes their place, and the patient's access root lists it, so
 * that keys which somebody puts back are found out. It is to be committed as a whole, with its audit record, and fails where keys
 * or root were changed meanwhile. Nothing where it was done before.
 *
 * Records, index and access items stay; nothing of the first two opens any more. Copies of the key table have to be destroyed by
 * whoever keeps them.
 *
 * @throws KeyUnavailable when the patient has no keys; IntegrityFailure where a tombstone is not authentic, or the root is not
 *   whole; StoreUnavailable
 */
export async function destroyPatientKeys(
  { keys, access, keyring }: KeyDestructionParts,
  tenant: TenantId,
  patient: PatientId,
  at: Instant,
): Promise<readonly TransactWriteItem[]> {
  const before = (await keys.load(tenant, { tenantItem: false, patients: [patient] })).patients.get(patient)
  const key = await keyring.purposeKey(tenant, 'access')
  if (before?.tombstone !== undefined) {
    openTombstone(key, tenant, patient, before.tombstone)
    if (before.versions.length > 0) throw new IntegrityFailure()
    return []
  }
  if (before === undefined || before.versions.length === 0) throw new KeyUnavailable()
  const tombstone = sealTombstone(key, tenant, patient, { at, versions: before.versions.map(({ version }) => version) })
  const root = await AccessWriter.open(access, key, tenant, patient, false)
  return [keys.destroy(tenant, patient, before, tombstone), root.writeKeyDestruction(tombstone)]
}
