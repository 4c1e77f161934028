import { createHash } from 'node:crypto'
import type { CheckpointSigner } from '../../model/checkpoint-signer.ts'

/** The head of a log, as it is signed. */
export interface SignedHead {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  /** Seconds since the epoch. */
  readonly time: number
}

/** The type bytes of timestamped cosignatures, and the length of their signatures. @source C2SP tlog-cosignature, "Format" */
export const COSIGNATURES = {
  ED25519: { type: 4, signatureBytes: 64 },
  ML_DSA_44: { type: 6, signatureBytes: 2_420 },
} as const

/** Origin, size and root, a line each. @source C2SP tlog-checkpoint, "Note text" */
export const noteText = ({ origin, size, root }: SignedHead): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`

/** @source C2SP tlog-cosignature, "Ed25519 signed message" and "ML-DSA-44 signed message" */
export function messageOf(algorithm: CheckpointSigner['algorithm'], signer: string, head: SignedHead): Uint8Array {
  const { origin, size, root, time } = head
  if (algorithm === 'ED25519') return Buffer.from(`cosignature/v1\ntime ${time}\n${noteText(head)}`)
  const label = Buffer.from('subtree/v1\n\0')
  return Buffer.concat([label, prefixed(signer), uint64(time), prefixed(origin), uint64(0), uint64(size), root])
}

/** The first four bytes of the digest of the name, the type and the key. */
export const keyIdOf = (name: string, algorithm: CheckpointSigner['algorithm'], publicKey: Uint8Array): Buffer =>
  createHash('sha256').update(`${name}\n`).update(Buffer.of(COSIGNATURES[algorithm].type)).update(publicKey).digest().subarray(0, 4)

/** `name+key id+type and key`. @source C2SP signed-note, "Verifier keys" */
export function verifierKeyText(name: string, algorithm: CheckpointSigner['algorithm'], publicKey: Uint8Array): string {
  const material = Buffer.concat([Buffer.of(COSIGNATURES[algorithm].type), publicKey])
  return `${name}+${keyIdOf(name, algorithm, publicKey).toString('hex')}+${material.toString('base64')}`
}

/** The cosignature of the log over its head, under its own name: one line. @throws KeyUnavailable */
export async function cosignatureBy(signer: CheckpointSigner, head: SignedHead): Promise<string> {
  const { algorithm } = signer
  const [publicKey, signature] = await Promise.all([signer.publicKey(), signer.sign(messageOf(algorithm, head.origin, head))])
  return lineOf(head.origin, keyIdOf(head.origin, algorithm, publicKey), head.time, signature)
}

/** A signature line of a note. */
export function lineOf(name: string, keyId: Uint8Array, time: number, signature: Uint8Array): string {
  return `\u2014 ${name} ${Buffer.concat([keyId, uint64(time), signature]).toString('base64')}\n`
}

function uint64(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(number))
  return bytes
}

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length === 0 || bytes.length > 255) throw new RangeError('a name has 1 to 255 bytes')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
