import { createHash, createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto'

/**
 * HKDF-SHA-256, RFC 5869.
 *
 * @returns `size` bytes
 * @throws RangeError when `size` is over 8160, the most that HKDF-SHA-256 can give
 */
export function hkdfSha256(secret: KeyObject | Uint8Array, salt: Uint8Array, info: Uint8Array | string, size: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, size))
}

const NO_SALT = new Uint8Array(0)

/** A 256-bit key for one purpose, named by `info`. The secret is uniformly random, so that it needs no salt. */
export function deriveKey(secret: KeyObject | Uint8Array, info: string): KeyObject {
  return keyFrom(hkdfSha256(secret, NO_SALT, info, 32))
}

/** A key object of these bytes, which are wiped: from here on the key is to be had from the object alone. */
export function keyFrom(bytes: Uint8Array): KeyObject {
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** HMAC-SHA-256 over the parts one after another, RFC 2104. 32 bytes. */
export function hmacSha256(key: KeyObject, ...parts: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest()
}

/** Whether a full 32-byte tag is the HMAC of the parts, in a time that does not depend on where they differ. */
export function hmacMatches(key: KeyObject, tag: Uint8Array, ...parts: readonly Uint8Array[]): boolean {
  return tag.length === 32 && timingSafeEqual(hmacSha256(key, ...parts), tag)
}

/** SHA-256, 32 bytes. */
export const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest()
