import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'

const CIPHER = 'aes-256-gcm'
export const NONCE_BYTES = 12
export const TAG_BYTES = 16

// without this option Node accepts tags of four bytes
const OPTIONS = { authTagLength: TAG_BYTES } as const

/**
 * AES-256-GCM with a 96-bit nonce and a 128-bit tag, NIST SP 800-38D.
 *
 * @returns ciphertext and tag
 * @throws RangeError for a key or nonce of another size
 */
export function encrypt(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
  if (key.symmetricKeySize !== 32 || nonce.length !== NONCE_BYTES) throw new RangeError('A key or nonce has the wrong size.')
  const cipher = createCipheriv(CIPHER, key, nonce, OPTIONS)
  cipher.setAAD(aad)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/**
 * Decrypts the output of `encrypt`.
 *
 * @throws IntegrityFailure if the key, nonce, AAD, ciphertext or tag differs from those of the encryption
 */
export function decrypt(key: KeyObject, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer {
  const tagAt = sealed.length - TAG_BYTES
  if (key.symmetricKeySize !== 32 || nonce.length !== NONCE_BYTES || tagAt < 0) throw new IntegrityFailure()
  try {
    const decipher = createDecipheriv(CIPHER, key, nonce, OPTIONS)
    decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(tagAt))
    // GCM returns the plaintext here; it leaves this function only after `final` has verified the tag
    const plaintext = decipher.update(sealed.subarray(0, tagAt))
    decipher.final()
    return plaintext
  } catch (cause) {
    throw new IntegrityFailure({ cause })
  }
}
