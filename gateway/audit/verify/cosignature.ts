import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { encodeBase64 } from './base64.ts'
import { type Checkpoint, checkpointText } from './checkpoint-text.ts'
import { ALGORITHMS, isSignedBy, type VerifierKey } from './verifier-key.ts'

const TIME_BYTES = 8
const LABEL = utf8ToBytes('subtree/v1\n\0')
const MAX_NAME_BYTES = 255

/**
 * The bytes that a key signs for a checkpoint at a time.
 *
 * An Ed25519 key signs the text of the checkpoint. An ML-DSA-44 key signs a structure with its own name.
 *
 * @param time seconds since the epoch
 * @throws RangeError if a part has no valid form
 * @source C2SP tlog-cosignature, "Ed25519 signed message" and "ML-DSA-44 signed message"
 */
export function cosignedMessage(
  { algorithm, name }: Pick<VerifierKey, 'algorithm' | 'name'>,
  checkpoint: Checkpoint,
  time: number,
): Uint8Array<ArrayBuffer> {
  if (!isTime(time)) throw new RangeError('a cosignature has a time in whole seconds since the epoch')
  const text = checkpointText(checkpoint)
  if (algorithm === 'ED25519') return bytes(utf8ToBytes(`cosignature/v1\ntime ${time}\n${text}`))
  const { origin, size, root } = checkpoint
  return bytes(concatBytes(LABEL, prefixed(name), uint64(time), prefixed(origin), uint64(0), uint64(size), root))
}

/**
 * The signature line of a note.
 *
 * @param signature raw bytes over `cosignedMessage`
 * @throws RangeError for a signature of another length
 */
export function cosignatureLine(
  { name, keyId, algorithm }: Pick<VerifierKey, 'name' | 'keyId' | 'algorithm'>,
  time: number,
  signature: Uint8Array,
): string {
  if (signature.length !== ALGORITHMS[algorithm].signatureBytes) throw new RangeError('a signature has the length of its algorithm')
  const id = new Uint8Array(4)
  new DataView(id.buffer).setUint32(0, keyId)
  return `\u2014 ${name} ${encodeBase64(concatBytes(id, uint64(time), signature))}\n`
}

/**
 * The time of a signature by a key over a checkpoint, in seconds since the epoch; undefined if the signature does not verify.
 *
 * @param signature the bytes of a signature line after the key id: the time, then the signature
 */
export async function cosignedAt(
  key: VerifierKey,
  signature: Uint8Array<ArrayBuffer>,
  checkpoint: Checkpoint,
): Promise<number | undefined> {
  if (signature.length !== TIME_BYTES + ALGORITHMS[key.algorithm].signatureBytes) return undefined
  const time = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0))
  if (!isTime(time)) return undefined
  const isValid = await isSignedBy(key, signature.slice(TIME_BYTES), cosignedMessage(key, checkpoint, time))
  return isValid ? time : undefined
}

const isTime = (time: number): boolean => Number.isSafeInteger(time) && time >= 0

function uint64(number: number): Uint8Array {
  const eight = new Uint8Array(TIME_BYTES)
  new DataView(eight.buffer).setBigUint64(0, BigInt(number))
  return eight
}

function prefixed(text: string): Uint8Array {
  const content = utf8ToBytes(text)
  if (content.length === 0 || content.length > MAX_NAME_BYTES) throw new RangeError('a name has 1 to 255 bytes')
  return concatBytes(Uint8Array.of(content.length), content)
}

/** A copy of its own buffer, which WebCrypto requires. */
const bytes = (view: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(view)
