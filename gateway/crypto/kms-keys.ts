import { KeyUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { WrappedTenantKey } from './key-table.ts'
import type { KeyContext, Kms } from './kms.ts'

/**
 * The KMS keys of a tenant, from the configuration. The first one wraps new tenant keys; the others wrapped earlier ones.
 * The table names the keys too, but a writer of the table must not be able to introduce a foreign key.
 */
export type KmsKeys = readonly [current: string, ...former: string[]]

/** Returns the encryption context to which KMS binds a version of a tenant key. */
export const contextOf = (tenant: TenantId, version: number): KeyContext => ({
  tenant,
  use: 'tenant-key',
  version: String(version),
})

/**
 * Returns the 32 bytes of a version of a tenant key. The caller must wipe them.
 *
 * @throws KeyUnavailable if the version names a KMS key of another tenant, or KMS refuses; IntegrityFailure
 */
export async function openTenantKey(kms: Kms, tenant: TenantId, allowed: KmsKeys, wrapped: WrappedTenantKey): Promise<Uint8Array> {
  if (!allowed.includes(wrapped.kmsKey)) throw new KeyUnavailable()
  return await kms.decrypt(wrapped.wrapped, contextOf(tenant, wrapped.version), wrapped.kmsKey)
}
