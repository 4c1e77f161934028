import { randomBytes } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { ENVELOPE_FORMAT, envelopeKeyVersion, openEnvelope, sealEnvelope } from './envelope.ts'
import { sha256 } from './derive.ts'
import { fromPaddedText, toPaddedText } from './padded-text.ts'
import { lengthPrefixed, u32, type RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

/** The place of an access item: its table and its full primary key, as stored. */
export interface AccessItemPlace {
  /** Defaults to the access table. An item of one table does not open in another. */
  readonly table?: 'access' | 'break-glass' | 'keys' | 'records' | 'operations' | 'workforce'
  readonly tenant: TenantId
  readonly pk: string
  readonly sk: string
}

/**
 * Seals the content of an access item, `docs/sealed-field.md` section 7. A writer of the database can neither grant itself
 * access nor read the care relationships.
 *
 * @throws ValueNotSealable
 */
export function sealAccessItem(
  key: PurposeKey<'access'>,
  place: AccessItemPlace,
  content: Json,
  random: RandomBytes = randomBytes,
): Uint8Array {
  return sealEnvelope(key, accessAad(place, key.version), toPaddedText(content), random)
}

/** @throws IntegrityFailure if the bytes were not sealed at this place; KeyUnavailable if the tenant's key is unavailable */
export function openAccessItem(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): Json {
  const version = envelopeKeyVersion(sealed)
  const openWith = key.byVersion(version)
  if (!openWith) throw new IntegrityFailure()
  return fromPaddedText(openEnvelope(openWith, accessAad(place, version), sealed))
}

/** The first 16 bytes of the SHA-256 of a sealed item, base64url. The item includes the version of its key. */
export const accessDigest = (sealed: Uint8Array): string => sha256(sealed).toString('base64url', 0, 16)

const accessAad = ({ tenant, table = 'access', pk, sk }: AccessItemPlace, keyVersion: number): Buffer =>
  lengthPrefixed(tenant, table, pk, sk, u32(keyVersion), Buffer.of(ENVELOPE_FORMAT))
