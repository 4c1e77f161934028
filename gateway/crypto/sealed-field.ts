import { IntegrityFailure } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import { envelopeKeyVersion, openEnvelope, paddedBytes, sealEnvelope } from './envelope.ts'
import { fromPaddedText, maxTextBytes, toPaddedText } from './padded-text.ts'
import type { RandomBytes } from './parts.ts'
import type { PatientKey, PatientKeys } from './patient-keys.ts'
import { fieldAad, metadataAad, type AadPrefix } from './record-binding.ts'

/** Counts the decryptions of one request that returned a plaintext (P1). */
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
 * Opens one field. Its digest must be the one in the manifest: `SealedRecord.openField` checks this before the call.
 *
 * @throws IntegrityFailure if the value was not sealed at this place, or is damaged
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

/** The maximum length of the JSON text in a sealed field, in bytes. Opens nothing. */
export const maxFieldBytes = (sealed: Uint8Array): number => maxTextBytes(paddedBytes(sealed))

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

/** @throws IntegrityFailure if the metadata was not sealed for this record and this version of it */
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

// the value is authenticated, so only this gateway wrote it: the check guards against faults of earlier versions
function isMetadata(value: Json): value is Json & RecordMetadata {
  return typeof value === 'object' && value !== null && 'open' in value && 'references' in value
}
