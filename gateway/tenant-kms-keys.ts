import * as z from 'zod'
import type { KmsKeys } from './crypto/kms-keys.ts'
import { type TenantId, tenantId } from './model/ids.ts'
import { jsonOf } from './json-setting.ts'

// an id, an ARN or an alias; KMS accepts each
const kmsKey = z
  .string()
  .max(2048)
  .regex(/^[A-Za-z0-9:/_-]+$/)
const kmsKeys = z.union([
  kmsKey.transform((key): KmsKeys => [key]),
  z.tuple([kmsKey], kmsKey).refine((keys) => new Set(keys).size === keys.length),
])

/**
 * `PHI_TENANT_KMS_KEYS`: a JSON object with the tenants that have their own KMS keys, `{"lakeside": "arn:aws:kms:..."}`. A list
 * names the current key first, then the keys that wrapped earlier versions of the tenant's key. An empty variable has no tenants.
 */
export const TenantKmsKeys = jsonOf('PHI_TENANT_KMS_KEYS')
  .pipe(
    z.record(
      z.string().refine((name) => tenantId(name) !== undefined),
      kmsKeys,
    ),
  )
  .transform((keys): ReadonlyMap<string, KmsKeys> => new Map(Object.entries(keys)))

/** The KMS keys of a tenant: its own keys only if the configuration names any, otherwise the shared key only. */
export const kmsKeysOf =
  (own: ReadonlyMap<string, KmsKeys>, shared: string) =>
  (tenant: TenantId): KmsKeys =>
    own.get(tenant) ?? [shared]
