import { clinicLock } from '../schema/clinic.ts'
import { lockDigest } from '../directives/compile.ts'
import type { Importer } from '../fhir/importer.ts'
import { openStore } from '../gateway/open-store.ts'
import type { TenantId } from '../vocabulary/ids.ts'

/** The sealed store of a tenant, as the clinic's importer writes to it. */
export async function openImporter(tenant: TenantId): Promise<Importer> {
  return await openStore(tenant, lockDigest(clinicLock()), process.env)
}
