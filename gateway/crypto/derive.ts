import { createHmac, createSecretKey, hash, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto'

/**
 * HKDF-SHA-256, RFC 5869.
 *
 * @returns `size` bytes
 * @throws RangeError if `size` exceeds 8160, the maximum of HKDF-SHA-256
 */
export function hkdfSha256(secret: KeyObject | Uint8Array, salt: Uint8Array, info: Uint8Array | string, size: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, size))
}

const NO_SALT = new Uint8Array(0)

/** Derives a 256-bit key for the purpose that `info` names. The secret is uniformly random and therefore needs no salt. */
export function deriveKey(secret: KeyObject | Uint8Array, info: string): KeyObject {
  return keyFrom(hkdfSha256(secret, NO_SALT, info, 32))
}

/** Creates a key object and wipes the bytes, so that only the object still holds the key. */
export function keyFrom(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** HMAC-SHA-256 (RFC 2104) over the concatenated parts, 32 bytes. */
export function hmacSha256(key: KeyObject, ...parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** Whether a full 32-byte tag is the HMAC of the parts. The time does not depend on the position of a difference. */
export function hmacMatches(key: KeyObject, tag: Uint8Array, ...parts: readonly Uint8Array[]): boolean {
  return tag.length === 32 && timingSafeEqual(hmacSha256(key, ...parts), tag)
}

/** SHA-256, 32 bytes. */
export const sha256 = (bytes: Uint8Array | string): Buffer => hash('sha256', bytes, 'buffer')
