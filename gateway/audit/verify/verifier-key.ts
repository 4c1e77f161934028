import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import { decodeBase64, encodeBase64 } from './base64.ts'

/** The algorithms of timestamped cosignatures. Logs and witnesses use the same. */
export type SignatureAlgorithm = 'ED25519' | 'ML_DSA_44'

/** A key that signs checkpoints: of a log, under the log's origin, or of a witness. */
export interface VerifierKey {
  readonly algorithm: SignatureAlgorithm
  /** The name that its signatures bear. */
  readonly name: string
  readonly keyId: number
  /** Raw bytes: 32 of Ed25519, 1,312 of ML-DSA-44. */
  readonly publicKey: Uint8Array<ArrayBuffer>
}

/** By algorithm: the type byte of signed notes, and the lengths of keys and signatures in bytes. */
export const ALGORITHMS: Readonly<Record<SignatureAlgorithm, { type: number; keyBytes: number; signatureBytes: number }>> = {
  ED25519: { type: 4, keyBytes: 32, signatureBytes: 64 },
  ML_DSA_44: { type: 6, keyBytes: 1_312, signatureBytes: 2_420 },
}

const VERIFIER_KEY = /^([^\s+\p{White_Space}]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u
const NAME = /^[^\s+\p{White_Space}]+$/u
/** The message that an ML-DSA-44 key signs has the length of the name in one byte. */
const MAX_NAME_BYTES = 255

/**
 * Reads `name+key id in hex+base64 of type and key`. Returns undefined for any other text, and if the key id is not that of the key.
 *
 * @source C2SP signed-note, "Verifier keys"; tlog-cosignature, "Format"
 */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const [, name, id, base64] = VERIFIER_KEY.exec(text) ?? []
  const material = decodeBase64(base64 ?? '')
  if (name === undefined || material === undefined || !isName(name)) return undefined
  const publicKey = material.slice(1)
  for (const algorithm of ['ED25519', 'ML_DSA_44'] as const) {
    const { type, keyBytes } = ALGORITHMS[algorithm]
    if (material[0] !== type || publicKey.length !== keyBytes) continue
    const keyId = keyIdOf(name, material)
    return keyId === id ? { name, keyId: Number.parseInt(keyId, 16), algorithm, publicKey } : undefined
  }
  return undefined
}

/**
 * The text of a key.
 *
 * @param publicKey raw bytes
 * @throws RangeError for a name or a key that `parseVerifierKey` would refuse
 */
export function verifierKeyText(name: string, algorithm: SignatureAlgorithm, publicKey: Uint8Array): string {
  const { type, keyBytes } = ALGORITHMS[algorithm]
  if (!isName(name) || publicKey.length !== keyBytes)
    throw new RangeError('a verifier key has a name without spaces and a key of the length of its algorithm')
  const material = concatBytes(Uint8Array.of(type), publicKey)
  return `${name}+${keyIdOf(name, material)}+${encodeBase64(material)}`
}

const isName = (name: string): boolean => NAME.test(name) && name.isWellFormed() && utf8ToBytes(name).length <= MAX_NAME_BYTES

/** The first 4 bytes of the hash of name and key, in hex. */
const keyIdOf = (name: string, material: Uint8Array): string =>
  bytesToHex(sha256(concatBytes(utf8ToBytes(`${name}\n`), material)).subarray(0, 4))

/**
 * Whether the key made a signature over a message. Returns false for a signature that cannot be verified.
 *
 * @param message of `cosignedMessage`: no key here signs the note itself
 */
export async function isSignedBy(
  { algorithm, publicKey }: Pick<VerifierKey, 'algorithm' | 'publicKey'>,
  signature: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    // WebCrypto has Ed25519 in every browser, and ML-DSA only in some
    if (algorithm === 'ML_DSA_44') return ml_dsa44.verify(signature, message, publicKey)
    const { subtle } = globalThis.crypto
    const key = await subtle.importKey('raw', publicKey, { name: 'Ed25519' }, false, ['verify'])
    return await subtle.verify({ name: 'Ed25519' }, key, signature, message)
  } catch {
    // a signature of another length, or a point that is not on the curve
    return false
  }
}
