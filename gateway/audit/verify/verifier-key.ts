import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { decodeBase64 } from './base64.ts'
import { rawFromDer } from './ecdsa-signature.ts'

/** How a key signs, by the type byte of signed notes. */
const TYPES = { 1: 'ED25519', 2: 'ECDSA_P256', 4: 'COSIGNATURE' } as const

interface Key<Type extends string> {
  readonly type: Type
  /** The name that its signatures bear. */
  readonly name: string
  readonly keyId: number
  /** 32 raw bytes of an Ed25519 key; DER of the SubjectPublicKeyInfo of a P-256 key. */
  readonly publicKey: Uint8Array<ArrayBuffer>
}

/** A key that signs the checkpoints of a log. */
export type LogKey = Key<'ED25519' | 'ECDSA_P256'>
/** A key that signs what others' logs say. */
export type WitnessKey = Key<'COSIGNATURE'>
export type VerifierKey = LogKey | WitnessKey

/** The first bytes of the SubjectPublicKeyInfo of every P-256 key with an uncompressed point. */
const P256_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d03010703420004'
const P256_BYTES = 91
const ED25519_BYTES = 32

/**
 * Reads `name+key id in hex+base64 of type and key`, or answers undefined: also where the key id is not that of the key.
 *
 * @source C2SP signed-note, "Verifier keys" and "Signature types"; tlog-cosignature for type 4
 */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const [, name, id, base64] = /^([^\s+\p{White_Space}]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text) ?? []
  const material = decodeBase64(base64 ?? '')
  if (name === undefined || material === undefined || !name.isWellFormed()) return undefined
  const type = TYPES[material[0] as keyof typeof TYPES] as VerifierKey['type'] | undefined
  const publicKey = material.slice(1)
  if (type === undefined || !isPublicKey(type, publicKey)) return undefined
  const hashed = type === 'ECDSA_P256' ? publicKey : concatBytes(utf8ToBytes(`${name}\n`), material)
  const keyId = bytesToHex(sha256(hashed)).slice(0, 8)
  return keyId === id ? { name, keyId: Number.parseInt(keyId, 16), type, publicKey } : undefined
}

function isPublicKey(type: VerifierKey['type'], key: Uint8Array): boolean {
  if (type !== 'ECDSA_P256') return key.length === ED25519_BYTES
  return key.length === P256_BYTES && bytesToHex(key).startsWith(P256_PREFIX)
}

/**
 * Whether the key made a signature over bytes. Returns false for a signature that cannot be verified.
 *
 * A cosignature is over another text than the note's: see `cosignedText`.
 */
export async function isSignedBy(
  { type, publicKey }: Pick<VerifierKey, 'type' | 'publicKey'>,
  signature: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { subtle } = globalThis.crypto
  try {
    if (type === 'ECDSA_P256') {
      const raw = rawFromDer(signature)
      if (raw === undefined) return false
      const key = await subtle.importKey('spki', publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
      return await subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, raw, signed)
    }
    const key = await subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify'])
    return await subtle.verify({ name: 'Ed25519' }, key, signature, signed)
  } catch {
    // a point that is not on the curve
    return false
  }
}
