import { KeyUnavailable } from '../model/failures.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../model/ids.ts'
import { hmacSha256 } from './derive.ts'
import { lengthPrefixed } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// Texts that must be found again without being readable: `docs/sealed-field.md` section 9. All are 16 bytes as 22
// base64url characters, and all throw KeyUnavailable when the tenant's key cannot be had.

const TOKEN_BYTES = 16
/** A token carries no version: made with a newer key it would not be found again. */
const TOKEN_KEY_VERSION = 1

/** Stands for a person (`Practitioner/123`) in the keys of the access table. */
export function subjectToken(key: PurposeKey<'lookup'>, fhirUser: string): string {
  return token(key, lengthPrefixed('subject'), fhirUser)
}

/** Stands for a user in the keys of the break-glass table. */
export function userToken(key: PurposeKey<'lookup'>, user: string): string {
  return token(key, lengthPrefixed('user'), user)
}

/** Stands in the audit for a requested id that names nothing, or nothing that the caller may know of (P5). */
export function lookupToken(key: PurposeKey<'lookup'>, requestedId: string): string {
  return token(key, lengthPrefixed('requested-id'), requestedId)
}

/**
 * The id of an imported record: the same at every import, not to be guessed without the key. A patient's is the patient id too.
 *
 * @param sourceId what the source calls it: a FHIR id, a fullUrl
 */
export function derivedId(key: PurposeKey<'identifier'>, type: TypeName, sourceId: string): RecordId {
  return token(key, lengthPrefixed('derived-id', type), sourceId) as RecordId
}

function token(key: PurposeKey, label: Buffer, text: string): string {
  const macKey = key.byVersion(TOKEN_KEY_VERSION)
  if (!macKey) throw new KeyUnavailable()
  return hmacSha256(macKey, label, Buffer.from(text, 'utf8')).toString('base64url', 0, TOKEN_BYTES)
}
