import type { KeyObject } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import { decrypt, encrypt, NONCE_BYTES, TAG_BYTES } from './aead.ts'
import { MAX_TEXT_BYTES } from '../model/record-size.ts'
import { bucketFor } from './padded-text.ts'
import { isVersion, type RandomBytes } from './parts.ts'

/** The first byte of every envelope. Every AAD contains it too. */
export const ENVELOPE_FORMAT = 1

const NONCE_AT = 5
const SEALED_AT = NONCE_AT + NONCE_BYTES
const MIN_BYTES = SEALED_AT + bucketFor(0) + TAG_BYTES
const MAX_BYTES = SEALED_AT + bucketFor(4 + MAX_TEXT_BYTES) + TAG_BYTES

export interface VersionedKey {
  readonly version: number
  readonly key: KeyObject
}

/** `format | key version(u32) | nonce(12) | ciphertext | tag(16)` over a padded text: `docs/sealed-field.md` section 3. */
export function sealEnvelope({ version, key }: VersionedKey, aad: Uint8Array, paddedText: Uint8Array, random: RandomBytes): Buffer {
  const header = Buffer.allocUnsafe(NONCE_AT)
  header.writeUInt8(ENVELOPE_FORMAT)
  header.writeUInt32BE(version, 1)
  const nonce = random(NONCE_BYTES)
  return Buffer.concat([header, nonce, encrypt(key, nonce, aad, paddedText)])
}

/**
 * Returns the key version that an envelope names. It is not authenticated until the envelope is opened.
 *
 * @throws IntegrityFailure if the bytes are not an envelope
 */
export function envelopeKeyVersion(bytes: Uint8Array): number {
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES || bytes[0] !== ENVELOPE_FORMAT) throw new IntegrityFailure()
  const version = Buffer.from(bytes.buffer, bytes.byteOffset, NONCE_AT).readUInt32BE(1)
  if (!isVersion(version)) throw new IntegrityFailure()
  return version
}

/** The length of the padded text of an envelope, by the length of the envelope: no byte is read. */
export const paddedBytes = ({ length }: Uint8Array): number => Math.max(0, length - SEALED_AT - TAG_BYTES)

/**
 * Returns the padded text of an envelope. Call `envelopeKeyVersion` first, which checks the header.
 *
 * @throws IntegrityFailure if the key or the AAD differs from those of the sealing
 */
export function openEnvelope(key: KeyObject, aad: Uint8Array, bytes: Uint8Array): Buffer {
  return decrypt(key, bytes.subarray(NONCE_AT, SEALED_AT), aad, bytes.subarray(SEALED_AT))
}
