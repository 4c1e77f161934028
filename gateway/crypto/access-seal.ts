import { randomBytes } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import { ENVELOPE_FORMAT, envelopeKeyVersion, openEnvelope, sealEnvelope } from './envelope.ts'
import { fromPaddedText, toPaddedText } from './padded-text.ts'
import { lengthPrefixed, u32, type RandomBytes } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

/** Where an item of the access table stands: the whole primary key, as it is stored. */
export interface AccessItemPlace {
  /** Left out: the access table. An item of one table does not open in another. */
  readonly table?: 'access' | 'break-glass' | 'keys'
  readonly tenant: TenantId
  readonly pk: string
  readonly sk: string
}

/**
 * The content of an item of the access table, `docs/sealed-field.md` section 7: a writer of the database cannot grant
 * itself access, nor read who treats whom.
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

/** @throws IntegrityFailure when it was not sealed at this place; KeyUnavailable when the tenant's key cannot be had */
export function openAccessItem(key: PurposeKey<'access'>, place: AccessItemPlace, sealed: Uint8Array): Json {
  const version = envelopeKeyVersion(sealed)
  const openWith = key.byVersion(version)
  if (!openWith) throw new IntegrityFailure()
  return fromPaddedText(openEnvelope(openWith, accessAad(place, version), sealed))
}

const accessAad = ({ tenant, table = 'access', pk, sk }: AccessItemPlace, keyVersion: number): Buffer =>
  lengthPrefixed(tenant, table, pk, sk, u32(keyVersion), Buffer.of(ENVELOPE_FORMAT))
