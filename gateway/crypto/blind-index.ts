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
/** A token names no version: made with a newer key it would not be found again. */
const TOKEN_KEY_VERSION = 1

/** What one index is asked for: the parts of its compound in order, each in its normalized form. */
export type SearchKey = readonly string[]

/** The values that an index is made of, in order: the field itself, then those that go with it. */
export const partsOf = (index: SearchIndex): readonly SchemaPath[] => [index.path, ...index.with]

/** A value as the index compares it; undefined where it is none that is indexed. */
export function searchedForm(index: SearchIndex, path: SchemaPath, value: unknown): string | undefined {
  return normalized(value, path === index.path ? index.normalize : 'CASE_AND_SPACE')
}

/** The normalized parts of one record's values, or undefined where one of them is missing or is not indexed. */
export function searchKey(index: SearchIndex, valueOf: (path: SchemaPath) => unknown): SearchKey | undefined {
  const parts = partsOf(index).map((path) => searchedForm(index, path, valueOf(path)))
  return parts.every((part) => part !== undefined) ? parts : undefined
}

/**
 * Stands for a value in the search table, `docs/sealed-field.md` section 11: 16 bytes of an HMAC under a key of the tenant and
 * the index alone, as 22 base64url characters. The same value in another tenant or another field has another token.
 *
 * @throws KeyUnavailable when the tenant's key cannot be had
 */
export function searchToken(key: PurposeKey<'index'>, tenant: TenantId, index: SearchIndex, parts: SearchKey): string {
  const root = key.byVersion(TOKEN_KEY_VERSION)
  if (!root) throw new KeyUnavailable()
  const fieldKey = keyFrom(hkdfSha256(root, NO_SALT, lengthPrefixed(INFO, tenant, ...partsOf(index)), 32))
  // each part with its length: no two pairs of name and date are one text
  return hmacSha256(fieldKey, lengthPrefixed(...parts)).toString('base64url', 0, TOKEN_BYTES)
}
