import { KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { TenantId } from '../model/ids.ts'
import type { SearchIndex } from '../../directives/policy.ts'
import { hkdfSha256, hmacSha256, keyFrom } from './derive.ts'
import { normalized } from './normalization.ts'
import { lengthPrefixed } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

const INFO = 'phi-gateway/search/v1'
const NO_SALT = new Uint8Array(0)
const TOKEN_BYTES = 16

/** The key of one index lookup: the normalized parts of its compound, in order. */
export type SearchKey = readonly string[]

/** The paths of the values in an index, in order: the indexed field, then the fields of `with`. */
export const partsOf = (index: SearchIndex): readonly SchemaPath[] => [index.path, ...index.with]

/** Returns the form in which the index compares a value; undefined if the value is not indexed. */
export function searchedForm(index: SearchIndex, path: SchemaPath, value: unknown): string | undefined {
  return normalized(value, path === index.path ? index.normalize : 'CASE_AND_SPACE')
}

/** Returns the normalized parts of one record's values; undefined if a part is missing or not indexed. */
export function searchKey(index: SearchIndex, valueOf: (path: SchemaPath) => unknown): SearchKey | undefined {
  const parts = partsOf(index).map((path) => searchedForm(index, path, valueOf(path)))
  return parts.every((part) => part !== undefined) ? parts : undefined
}

/**
 * Returns the token of a value in the search table, `docs/sealed-field.md` section 11: 16 bytes of an HMAC, as 22 base64url
 * characters. Its key is specific to the tenant and the index, so the same value has another token in another tenant or field.
 *
 * @param version of the tenant's key: one of `tokenVersions`. A token does not name it.
 * @throws KeyUnavailable if the tenant's key is unavailable
 */
export function searchToken(
  key: PurposeKey<'index'>,
  tenant: TenantId,
  index: SearchIndex,
  parts: SearchKey,
  version = key.version,
): string {
  const indexKey = key.byVersion(version)
  if (!indexKey) throw new KeyUnavailable()
  const fieldKey = keyFrom(hkdfSha256(indexKey, NO_SALT, lengthPrefixed(INFO, tenant, ...partsOf(index)), 32))
  // each part has a length prefix, so that no two compounds are the same text
  return hmacSha256(fieldKey, lengthPrefixed(...parts)).toString('base64url', 0, TOKEN_BYTES)
}
