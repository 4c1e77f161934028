import { KeyUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { WrappedTenantKey } from './key-table.ts'
import type { KeyContext, Kms } from './kms.ts'

/**
 * The KMS keys of a tenant, from the configuration: the first wraps new tenant keys, the others have done so before.
 * The table names them too, but who writes the table must not be able to bring a key of their own.
 */
export type KmsKeys = readonly [current: string, ...former: string[]]

/** What KMS binds a version of a tenant key to. */
export const contextOf = (tenant: TenantId, version: number): KeyContext => ({
  tenant,
  use: 'tenant-key',
  version: String(version),
})

/**
 * The 32 bytes of a version of a tenant key, which the caller wipes.
 *
 * @throws KeyUnavailable when it names a KMS key that is not the tenant's, or KMS refuses; IntegrityFailure
 */
export async function openTenantKey(kms: Kms, tenant: TenantId, allowed: KmsKeys, wrapped: WrappedTenantKey): Promise<Uint8Array> {
  if (!allowed.includes(wrapped.kmsKey)) throw new KeyUnavailable()
  return await kms.decrypt(wrapped.wrapped, contextOf(tenant, wrapped.version), wrapped.kmsKey)
}
