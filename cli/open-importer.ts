import { clinicLock } from '../schema/clinic.ts'
import { lockDigest } from '../directives/compile.ts'
import { searchIndexes } from '../directives/searchable.ts'
import { openStore, type SealedStore } from '../gateway/admin/open-store.ts'
import type { TenantId } from '../gateway/model/ids.ts'
import { refuseProduction } from '../gateway/model/stage.ts'

/**
 * The sealed store of a tenant, as the clinic's importer writes to it. Files and demo patients come through here, and get no
 * further where real patients are.
 *
 * @throws StageRefused
 */
export async function openImporter(tenant: TenantId): Promise<SealedStore> {
  refuseProduction(process.env)
  const lock = clinicLock()
  return await openStore(tenant, lockDigest(lock), process.env, searchIndexes(lock))
}
