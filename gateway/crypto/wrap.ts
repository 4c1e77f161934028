import type { KeyObject } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { decrypt, encrypt, NONCE_BYTES } from './aead.ts'
import { deriveKey } from './derive.ts'
import type { KeyUse } from './key-table.ts'
import { lengthPrefixed, u32, type RandomBytes } from './parts.ts'

const FORMAT = 1
export const KEY_BYTES = 32

/** The place of a wrapped key. Its parts become the AAD of the wrapping. */
export interface WrapPlace {
  readonly tenant: TenantId
  readonly holder: { readonly use: 'patient-key'; readonly patient: PatientId } | { readonly use: KeyUse }
  readonly tenantKeyVersion: number
  readonly version: number
}

/** Derives the key that wraps all other keys of a tenant, so that the tenant key has no other use than this derivation. */
export const wrapKeyFrom = (tenantKey: Uint8Array): KeyObject => deriveKey(tenantKey, 'phi-gateway/wrap/v1')

/**
 * `format | nonce(12) | ciphertext(32) | tag(16)`, 61 bytes: `docs/sealed-field.md` section 1.
 *
 * @param raw the key, 32 bytes
 */
export function wrapKey(wrapWith: KeyObject, place: WrapPlace, raw: Uint8Array, random: RandomBytes): Buffer {
  const nonce = random(NONCE_BYTES)
  return Buffer.concat([Buffer.of(FORMAT), nonce, encrypt(wrapWith, nonce, wrapAad(place), raw)])
}

/**
 * @returns the key, 32 bytes; the caller must wipe them after making a key object
 * @throws IntegrityFailure if the key was wrapped for another place or under another key
 */
export function unwrapKey(wrapWith: KeyObject, place: WrapPlace, wrapped: Uint8Array): Buffer {
  if (wrapped[0] !== FORMAT) throw new IntegrityFailure()
  const nonceEnd = 1 + NONCE_BYTES
  const raw = decrypt(wrapWith, wrapped.subarray(1, nonceEnd), wrapAad(place), wrapped.subarray(nonceEnd))
  if (raw.length !== KEY_BYTES) throw new IntegrityFailure()
  return raw
}

/**
 * Wraps the same key for another place, usually under a newer tenant key. The plaintext key is in memory only during the call.
 *
 * @throws IntegrityFailure if the key was not wrapped for the place in `from`
 */
export function rewrapKey(
  from: { readonly wrapWith: KeyObject; readonly place: WrapPlace },
  to: { readonly wrapWith: KeyObject; readonly place: WrapPlace },
  wrapped: Uint8Array,
  random: RandomBytes,
): Buffer {
  const raw = unwrapKey(from.wrapWith, from.place, wrapped)
  try {
    return wrapKey(to.wrapWith, to.place, raw, random)
  } finally {
    raw.fill(0)
  }
}

/** Creates a random key and returns only its wrapped bytes. */
export function newWrappedKey(wrapWith: KeyObject, place: WrapPlace, random: RandomBytes): Buffer {
  const raw = random(KEY_BYTES)
  try {
    return wrapKey(wrapWith, place, raw, random)
  } finally {
    raw.fill(0)
  }
}

function wrapAad({ tenant, holder, tenantKeyVersion, version }: WrapPlace): Buffer {
  const subject = holder.use === 'patient-key' ? holder.patient : ''
  return lengthPrefixed(tenant, subject, holder.use, u32(tenantKeyVersion), u32(version), Buffer.of(FORMAT))
}
