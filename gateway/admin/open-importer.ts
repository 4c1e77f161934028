import { workforceComparison } from '../../directives/comparisons.ts'
import { lockDigest } from '../../directives/compile.ts'
import { searchIndexes } from '../../directives/searchable.ts'
import type { TenantId } from '../model/ids.ts'
import { refuseProduction } from '../model/stage.ts'
import { openStore, type SealedStore } from './open-store.ts'

/**
 * Opens the sealed store of a tenant for an importer of files or demo patients. Production refuses both.
 *
 * @param lock the text of the schema's policy lock
 * @param keys whether a tenant without keys gets them, or is refused
 * @throws StageRefused; otherwise as `openStore`
 */
export async function openImporter(tenant: TenantId, lock: string, keys: 'create' | 'existing'): Promise<SealedStore> {
  refuseProduction(process.env)
  return await openStore(tenant, lockDigest(lock), process.env, searchIndexes(lock), keys, workforceComparison(lock))
}
