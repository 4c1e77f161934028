import { createHash, createPublicKey, verify } from 'node:crypto'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import {
  ED25519,
  ED25519_COSIGNATURE,
  hasQuorum,
  PolicyFault,
  type PublicKey,
  readBase64,
  readTrustPolicy,
  type TrustPolicy,
} from './trust-policy.ts'

/**
 * A checker of C2SP `.tlog-proof` files, written from the specifications alone. It shares no code with `gateway/audit/verify`, so that
 * an error in the reading of a specification would have to be made twice.
 *
 * @source C2SP tlog-proof, tlog-checkpoint, tlog-cosignature, signed-note; RFC 9162 section 2.1.3.2
 */
export type ProofVerdict =
  | {
      readonly accepted: true
      readonly origin: string
      readonly index: bigint
      readonly size: bigint
      /** The names of the witnesses in the policy file whose signatures were verified. */
      readonly witnesses: readonly string[]
    }
  | { readonly accepted: false; readonly reason: ProofFault }

type ProofFault =
  /** The policy file is malformed. */
  | 'POLICY'
  /** The lines before the checkpoint are malformed. */
  | 'PROOF'
  /** The checkpoint is no signed note with origin, size and root. */
  | 'CHECKPOINT'
  /** A signature of a known key does not verify. */
  | 'SIGNATURE'
  /** No log key of the policy with the origin as its name signed. */
  | 'LOG'
  | 'QUORUM'
  /** The entry is not at the index of the signed tree. */
  | 'INCLUSION'

export interface ProofInput {
  readonly proof: Uint8Array
  /** The bytes of the entry: the leaf is `SHA-256(0x00 | entry)`. */
  readonly entry: Uint8Array
  readonly policy: Uint8Array
}

class Refused extends Error {
  readonly reason: ProofFault
  constructor(reason: ProofFault) {
    super(reason)
    this.reason = reason
  }
}

export function checkProof({ proof, entry, policy: file }: ProofInput): ProofVerdict {
  try {
    const policy = readTrustPolicy(file)
    const { index, path, note } = readProof(proof)
    const checkpoint = readCheckpoint(note)
    const witnesses = checkSignatures(policy, checkpoint)
    if (!hasQuorum(policy, witnesses)) throw new Refused('QUORUM')
    const { origin, size, root } = checkpoint
    if (!isIncluded({ entry, index, size, root, path })) throw new Refused('INCLUSION')
    return { accepted: true, origin, index, size, witnesses: [...witnesses] }
  } catch (error) {
    if (error instanceof Refused) return { accepted: false, reason: error.reason }
    if (error instanceof PolicyFault) return { accepted: false, reason: 'POLICY' }
    throw error
  }
}

const HEADER = 'c2sp.org/tlog-proof@v1'
const DECIMAL = /^(?:0|[1-9]\d{0,19})$/
const HASH_BYTES = 32

function readProof(bytes: Uint8Array): { index: bigint; path: readonly Buffer[]; note: string } {
  const text = utf8(bytes) ?? refuse('PROOF')
  const blank = text.indexOf('\n\n')
  if (blank < 0) refuse('PROOF')
  const [header, ...lines] = text.slice(0, blank).split('\n')
  if (header !== HEADER) refuse('PROOF')
  if (lines[0]?.startsWith('extra ') === true) {
    if (readBase64(lines[0].slice('extra '.length)) === undefined) refuse('PROOF')
    lines.shift()
  }
  const [place = '', ...hashes] = lines
  if (!place.startsWith('index ')) refuse('PROOF')
  const path = hashes.map((line) => hashOf(line) ?? refuse('PROOF'))
  return { index: number(place.slice('index '.length)) ?? refuse('PROOF'), path, note: text.slice(blank + 2) }
}

interface SignedCheckpoint {
  readonly origin: string
  readonly size: bigint
  readonly root: Buffer
  /** The signed text, with its last newline. */
  readonly text: string
  readonly signatures: readonly { readonly name: string; readonly id: string; readonly signature: Buffer }[]
}

function readCheckpoint(note: string): SignedCheckpoint {
  // control characters would hide text from a reader
  if (/[^\n\u0020-\u{10ffff}]/u.test(note)) refuse('CHECKPOINT')
  const blank = note.lastIndexOf('\n\n')
  if (blank < 0 || !note.endsWith('\n')) refuse('CHECKPOINT')
  const text = note.slice(0, blank + 1)
  const lines = text.slice(0, -1).split('\n')
  const [origin = '', size = '', root = ''] = lines
  if (lines.includes('')) refuse('CHECKPOINT')
  return {
    origin,
    size: number(size) ?? refuse('CHECKPOINT'),
    root: hashOf(root) ?? refuse('CHECKPOINT'),
    text,
    signatures: note
      .slice(blank + 2, -1)
      .split('\n')
      .map((line) => {
        const [dash, name = '', encoded = '', ...more] = line.split(' ')
        const bytes = readBase64(encoded)
        if (dash !== '\u2014' || more.length > 0 || name === '' || /[+\p{White_Space}]/u.test(name)) return refuse('CHECKPOINT')
        if (bytes === undefined || bytes.length < 5) return refuse('CHECKPOINT')
        return { name, id: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) }
      }),
  }
}

/**
 * Verifies each signature of a key that the policy names, and requires one of a log with this origin.
 *
 * @returns the names of the witnesses that signed
 */
function checkSignatures({ logs, witnesses }: TrustPolicy, checkpoint: SignedCheckpoint): Set<string> {
  let isSignedByLog = false
  const signed = new Set<string>()
  for (const { name, id, signature } of checkpoint.signatures) {
    const isOf = (key: PublicKey): boolean => key.name === name && key.id === id
    const log = logs.find((key) => isOf(key) && key.name === checkpoint.origin)
    const known = [...witnesses].filter(([, key]) => isOf(key))
    for (const key of [log, ...known.map(([, one]) => one)])
      if (key !== undefined && !isValid(key, signature, checkpoint)) refuse('SIGNATURE')
    isSignedByLog ||= log !== undefined
    for (const [witness] of known) signed.add(witness)
  }
  if (!isSignedByLog) refuse('LOG')
  return signed
}

const TIME_BYTES = 8
const MAX_TIME = 2n ** 63n - 1n
const ED25519_BYTES = 64
const ML_DSA_44_BYTES = 2_420
/** The SubjectPublicKeyInfo of an Ed25519 key is this and the 32 bytes (RFC 8410). */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex')

function isValid(key: PublicKey, signature: Buffer, checkpoint: SignedCheckpoint): boolean {
  if (key.type === ED25519) return isEd25519(key.bytes, Buffer.from(checkpoint.text), signature)
  if (signature.length < TIME_BYTES) return false
  const time = signature.readBigUInt64BE(0)
  const rest = signature.subarray(TIME_BYTES)
  if (time > MAX_TIME) return false
  if (key.type === ED25519_COSIGNATURE)
    return isEd25519(key.bytes, Buffer.from(`cosignature/v1\ntime ${time}\n${checkpoint.text}`), rest)
  return rest.length === ML_DSA_44_BYTES && ml_dsa44.verify(rest, cosignedMessage(key.name, time, checkpoint), key.bytes)
}

const isEd25519 = (key: Buffer, message: Buffer, signature: Buffer): boolean =>
  signature.length === ED25519_BYTES &&
  verify(null, message, createPublicKey({ key: Buffer.concat([ED25519_SPKI, key]), format: 'der', type: 'spki' }), signature)

/** `cosigned_message` of tlog-cosignature, for the subtree from 0 to the size of the tree. */
function cosignedMessage(cosigner: string, time: bigint, { origin, size, root }: SignedCheckpoint): Buffer {
  const start = 0n
  return Buffer.concat([Buffer.from('subtree/v1\n\0'), vector(cosigner), u64(time), vector(origin), u64(start), u64(size), root])
}

/** `opaque text<1..2^8-1>` of RFC 8446: the length in one byte, and the bytes. */
function vector(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length < 1 || bytes.length > 255) refuse('SIGNATURE')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

interface Inclusion {
  readonly entry: Uint8Array
  readonly index: bigint
  readonly size: bigint
  readonly root: Buffer
  readonly path: readonly Buffer[]
}

function isIncluded({ entry, index, size, root, path }: Inclusion): boolean {
  if (index >= size) return false
  let fn = index
  let sn = size - 1n
  let hash = sha256(Buffer.of(0x00), entry)
  for (const sibling of path) {
    if (sn === 0n) return false
    if ((fn & 1n) === 1n || fn === sn) {
      hash = sha256(Buffer.of(0x01), sibling, hash)
      while ((fn & 1n) === 0n && fn !== 0n) {
        fn >>= 1n
        sn >>= 1n
      }
    } else {
      hash = sha256(Buffer.of(0x01), hash, sibling)
    }
    fn >>= 1n
    sn >>= 1n
  }
  return sn === 0n && hash.equals(root)
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function hashOf(line: string): Buffer | undefined {
  const bytes = readBase64(line)
  return bytes?.length === HASH_BYTES ? bytes : undefined
}

function number(text: string): bigint | undefined {
  const value = DECIMAL.test(text) ? BigInt(text) : undefined
  return value !== undefined && value < 2n ** 64n ? value : undefined
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function refuse(reason: ProofFault): never {
  throw new Refused(reason)
}
