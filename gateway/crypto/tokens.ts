import { KeyUnavailable } from '../model/failures.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../model/ids.ts'
import { hmacSha256 } from './derive.ts'
import { lengthPrefixed } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// Tokens replace texts that lookups need and readers must not see: `docs/sealed-field.md` section 9. Each token is 16 bytes
// as 22 base64url characters. All functions throw KeyUnavailable if the tenant's key is unavailable.

const TOKEN_BYTES = 16
/** A token names no key version, and the `lookup` and `identifier` keys have no second one: ids and audit records never change. */
const TOKEN_KEY_VERSION = 1

/** Returns the token of a person (`Practitioner/123`) in the keys of the access table. */
export function subjectToken(key: PurposeKey<'lookup'>, fhirUser: string): string {
  return token(key, lengthPrefixed('subject'), fhirUser)
}

/** Returns the token of a user in the keys of the break-glass table. */
export function userToken(key: PurposeKey<'lookup'>, user: string): string {
  return token(key, lengthPrefixed('user'), user)
}

/** Returns the token that the audit records for a requested id without a record, or with a record hidden from the caller (P5). */
export function lookupToken(key: PurposeKey<'lookup'>, requestedId: string): string {
  return token(key, lengthPrefixed('requested-id'), requestedId)
}

/** Returns the token of the values of a search: in its cursors, and in the audit for a search that finds nobody. */
export function searchedValuesToken(key: PurposeKey<'lookup'>, values: readonly (readonly string[])[]): string {
  return token(key, lengthPrefixed('searched-values'), JSON.stringify(values))
}

/**
 * Returns the token of an idempotency key, as one user sends it through one client to one mutation. The digest of the arguments has the
 * same form.
 */
export function idempotencyToken(key: PurposeKey<'lookup'>, parts: readonly string[]): string {
  return token(key, lengthPrefixed('idempotency'), JSON.stringify(parts))
}

/**
 * Returns the id of an imported record. It is the same at every import and cannot be guessed without the key. For the
 * patient's own record it is the patient id too.
 *
 * @param sourceId the id of the record in the source: a FHIR id or a fullUrl
 */
export function derivedId(key: PurposeKey<'identifier'>, type: TypeName, sourceId: string): RecordId {
  return token(key, lengthPrefixed('derived-id', type), sourceId) as RecordId
}

function token(key: PurposeKey, label: Buffer, text: string): string {
  const macKey = key.byVersion(TOKEN_KEY_VERSION)
  if (!macKey) throw new KeyUnavailable()
  return hmacSha256(macKey, label, Buffer.from(text, 'utf8')).toString('base64url', 0, TOKEN_BYTES)
}
