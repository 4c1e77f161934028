import { IntegrityFailure } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import { envelopeKeyVersion, openEnvelope, sealEnvelope } from './envelope.ts'
import { fromPaddedText, toPaddedText } from './padded-text.ts'
import type { RandomBytes } from './parts.ts'
import type { PatientKey, PatientKeys } from './patient-keys.ts'
import { fieldAad, metadataAad, type AadPrefix } from './record-binding.ts'

/** What a request has opened: one more for each decryption that gave a plaintext. Belongs to the request (P1). */
export interface OpeningCounter {
  fields: number
  metadata: number
}

/**
 * Sealed field v1, `docs/sealed-field.md` section 4.
 *
 * @throws ValueNotSealable
 */
export function sealField(key: PatientKey, place: AadPrefix, path: SchemaPath, value: Json, random: RandomBytes): Buffer {
  const sealWith = { version: key.version, key: key.seal }
  return sealEnvelope(sealWith, fieldAad(place, path, key.version), toPaddedText(value, path), random)
}

/**
 * Opens one field, which must be the one that the manifest lists: `SealedRecord.openField` sees to that.
 *
 * @throws IntegrityFailure when it was not sealed at this place, or is damaged
 */
export function openField(
  keys: PatientKeys,
  place: AadPrefix,
  path: SchemaPath,
  sealed: Uint8Array,
  counter: OpeningCounter,
): Json {
  const key = keyOf(keys, sealed)
  const padded = openEnvelope(key.seal, fieldAad(place, path, key.version), sealed)
  counter.fields++
  return fromPaddedText(padded)
}

/** Sealed metadata, `docs/sealed-field.md` section 5. @throws ValueNotSealable */
export function sealMetadata(
  key: PatientKey,
  place: AadPrefix,
  recordVersion: number,
  metadata: RecordMetadata,
  random: RandomBytes,
): Buffer {
  const sealWith = { version: key.version, key: key.seal }
  return sealEnvelope(sealWith, metadataAad(place, recordVersion, key.version), toPaddedText({ ...metadata }), random)
}

/** @throws IntegrityFailure when it was not sealed for this record and this version of it */
export function openMetadata(
  keys: PatientKeys,
  place: AadPrefix,
  recordVersion: number,
  sealed: Uint8Array,
  counter: OpeningCounter,
): RecordMetadata {
  const key = keyOf(keys, sealed)
  const padded = openEnvelope(key.seal, metadataAad(place, recordVersion, key.version), sealed)
  counter.metadata++
  const metadata = fromPaddedText(padded)
  if (!isMetadata(metadata)) throw new IntegrityFailure()
  return metadata
}

function keyOf(keys: PatientKeys, sealed: Uint8Array): PatientKey {
  const key = keys.byVersion(envelopeKeyVersion(sealed))
  if (!key) throw new IntegrityFailure()
  return key
}

// it is authenticated, so that only this gateway wrote it: the check guards against an earlier fault of its own
function isMetadata(value: Json): value is Json & RecordMetadata {
  return typeof value === 'object' && value !== null && 'open' in value && 'references' in value
}
