import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import { ED25519, ED25519_COSIGNATURE, keyId, ML_DSA_44_COSIGNATURE } from './trust-policy.ts'

/** A key that signs checkpoints, for the vectors of the checker. OpenSSL signs with ML-DSA-44 unless `seed` is given: then noble does. */
export interface TestSigner {
  readonly name: string
  readonly type: number
  readonly publicKey: Buffer
  /** The key as a line of a policy writes it. */
  readonly text: string
  readonly line: (tree: SignedTree, time?: bigint) => string
}

export interface SignedTree {
  readonly origin: string
  readonly size: number
  readonly root: Buffer
  /** Lines after the root, each with its newline. */
  readonly extension?: string
}

const RAW_BYTES = { ed25519: 32, 'ml-dsa-44': 1_312 }

export function testSigner(name: string, type: number, seed?: Uint8Array): TestSigner {
  const { publicKey, signer } = seed === undefined ? openSslKey(type) : nobleKey(seed)
  const id = keyId(name, type, publicKey)
  return {
    name,
    type,
    publicKey,
    text: `${name}+${id}+${Buffer.concat([Buffer.of(type), publicKey]).toString('base64')}`,
    line: (tree, time = 1_772_366_460n) => {
      const signature = signer(messageOf(name, type, tree, time))
      const timed = type === ED25519 ? signature : Buffer.concat([u64(time), signature])
      return signatureLine(name, id, timed)
    },
  }
}

export const signatureLine = (name: string, id: string, signature: Uint8Array): string =>
  `\u2014 ${name} ${Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64')}\n`

export const treeText = ({ origin, size, root, extension = '' }: SignedTree): string =>
  `${origin}\n${size}\n${root.toString('base64')}\n${extension}`

function messageOf(name: string, type: number, tree: SignedTree, time: bigint): Buffer {
  if (type === ED25519) return Buffer.from(treeText(tree))
  if (type === ED25519_COSIGNATURE) return Buffer.from(`cosignature/v1\ntime ${time}\n${treeText(tree)}`)
  const names = [name, tree.origin].map((text) => Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]))
  const [cosigner = Buffer.of(), origin = Buffer.of()] = names
  return Buffer.concat([Buffer.from('subtree/v1\n\0'), cosigner, u64(time), origin, u64(0n), u64(BigInt(tree.size)), tree.root])
}

function openSslKey(type: number): { publicKey: Buffer; signer: (message: Buffer) => Buffer } {
  const kind = type === ML_DSA_44_COSIGNATURE ? 'ml-dsa-44' : 'ed25519'
  const pair = kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44')
  const publicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-RAW_BYTES[kind])
  return { publicKey, signer: (message) => sign(null, message, pair.privateKey) }
}

function nobleKey(seed: Uint8Array): { publicKey: Buffer; signer: (message: Buffer) => Buffer } {
  const { publicKey, secretKey } = ml_dsa44.keygen(seed)
  return { publicKey: Buffer.from(publicKey), signer: (message) => Buffer.from(ml_dsa44.sign(message, secretKey)) }
}

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()

/** MTH of RFC 6962 section 2.1, by its definition. */
export function treeHash(entries: readonly Uint8Array[]): Buffer {
  const [first, ...more] = entries
  if (first === undefined) return sha256()
  if (more.length === 0) return sha256(Buffer.of(0), first)
  const split = splitOf(entries.length)
  return sha256(Buffer.of(1), treeHash(entries.slice(0, split)), treeHash(entries.slice(split)))
}

/** PATH of RFC 6962 section 2.1.1, by its definition. */
export function inclusionPath(index: number, entries: readonly Uint8Array[]): Buffer[] {
  if (entries.length <= 1) return []
  const split = splitOf(entries.length)
  const [left, right] = [entries.slice(0, split), entries.slice(split)]
  return index < split ? [...inclusionPath(index, left), treeHash(right)] : [...inclusionPath(index - split, right), treeHash(left)]
}

/** The largest power of two below the size. */
const splitOf = (size: number): number => 2 ** Math.floor(Math.log2(size - 1))

export function proofText(index: number, path: readonly Buffer[], note: string, extra?: string): string {
  const hashes = path.map((hash) => `${hash.toString('base64')}\n`)
  return `c2sp.org/tlog-proof@v1\n${extra === undefined ? '' : `extra ${extra}\n`}index ${index}\n${hashes.join('')}\n${note}`
}
