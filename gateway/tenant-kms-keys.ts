import * as z from 'zod'
import type { KmsKeys } from './crypto/kms-keys.ts'
import { type TenantId, tenantId } from './model/ids.ts'
import { jsonOf } from './json-setting.ts'

// an id, an ARN or an alias: KMS knows which
const kmsKey = z
  .string()
  .max(2048)
  .regex(/^[A-Za-z0-9:/_-]+$/)
const kmsKeys = z.union([
  kmsKey.transform((key): KmsKeys => [key]),
  z.tuple([kmsKey], kmsKey).refine((keys) => new Set(keys).size === keys.length),
])

/**
 * `PHI_TENANT_KMS_KEYS`: a JSON object of the tenants that have KMS keys of their own, `{"lakeside": "arn:aws:kms:..."}`. A list
 * names the present key first, then those that wrapped earlier versions of the tenant's key. Nothing, or no text, is no tenant.
 */
export const TenantKmsKeys = jsonOf('PHI_TENANT_KMS_KEYS')
  .pipe(
    z.record(
      z.string().refine((name) => tenantId(name) !== undefined),
      kmsKeys,
    ),
  )
  .transform((keys): ReadonlyMap<string, KmsKeys> => new Map(Object.entries(keys)))

/** The KMS keys of a tenant: those that the configuration names for it and no others, or the shared one. */
export const kmsKeysOf =
  (own: ReadonlyMap<string, KmsKeys>, shared: string) =>
  (tenant: TenantId): KmsKeys =>
    own.get(tenant) ?? [shared]
