import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign as signWith,
} from 'node:crypto'
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { writePrivateFile } from './private-file.ts'
import { DataUnreadable } from './start-refused.ts'

// Master keys of the KMS stand-in. They seal a blob under a key and an encryption context, and open it again.

/** The state of a key, as in KMS. `Denied` simulates a key policy that does not name the caller. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Denied'

/** The algorithm of a key, as in KMS. A key encrypts, computes MACs (HMAC_256) or signs; it does nothing else. */
export const KEY_SPECS = ['SYMMETRIC_DEFAULT', 'HMAC_256', 'ECC_NIST_EDWARDS25519', 'ML_DSA_44'] as const
export type KeySpec = (typeof KEY_SPECS)[number]
type SigningSpec = Exclude<KeySpec, 'SYMMETRIC_DEFAULT' | 'HMAC_256'>
export const SIGNING_ALGORITHMS = { ECC_NIST_EDWARDS25519: 'ED25519_SHA_512', ML_DSA_44: 'ML_DSA_SHAKE_256' } as const

export interface MasterKey {
  readonly id: string
  readonly spec: KeySpec
  readonly alias?: string
  readonly createdAt: number
  /** The secret of a key that encrypts or computes MACs, the private key of an Ed25519 key, the seed of an ML-DSA key. */
  readonly material: KeyObject
  state: KeyState
}

/** Name-value pairs. They are not secret, but a blob opens only with the same pairs. */
export type EncryptionContext = Readonly<Record<string, string>>

/** The bytes of a secret, and of the seed of an ML-DSA key. `node:crypto` has ML-DSA only from Node 24 on. */
const SEED_BYTES = 32
/** The beginning of a SubjectPublicKeyInfo, before the raw key. @source RFC 9881 */
const ML_DSA_44_SPKI = Buffer.from('30820532300b06096086480165030403110382052100', 'hex')

const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** `format(1) | key id as 36 ASCII characters | nonce(12) | ciphertext | tag(16)`. */
const HEADER_BYTES = 1 + 36
const ARN_PREFIX = 'arn:aws:kms:us-east-1:000000000000:'

export const arnOf = (key: MasterKey): string => `${ARN_PREFIX}key/${key.id}`

const stored = z.strictObject({
  keys: z.array(
    z.strictObject({
      id: z.uuid(),
      // files of older versions hold only symmetric keys
      spec: z.enum(KEY_SPECS).default('SYMMETRIC_DEFAULT'),
      alias: z.string().optional(),
      createdAt: z.number(),
      material: z.base64(),
      state: z.enum(['Enabled', 'Disabled', 'PendingDeletion', 'Denied']),
    }),
  ),
})

/** The master keys, in memory or in a file that only its owner can read. */
export class MasterKeys {
  readonly #keys = new Map<string, MasterKey>()
  readonly #file: string | undefined

  /** @throws DataUnreadable */
  constructor(file: string | undefined) {
    this.#file = file
    if (file === undefined) return
    const text = readIfPresent(file)
    if (text === undefined) return
    try {
      this.#read(text)
    } catch (cause) {
      throw new DataUnreadable('the keys of the local KMS', { cause })
    }
  }

  #read(text: string): void {
    for (const { alias, material, ...key } of stored.parse(JSON.parse(text)).keys) {
      const bytes = Buffer.from(material, 'base64')
      // files of older versions have ML-DSA keys as PKCS #8
      const isPrivateKey = isSigning(key.spec) && bytes.length !== SEED_BYTES
      const secret = isPrivateKey ? createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' }) : createSecretKey(bytes)
      this.#keys.set(key.id, { ...key, material: secret, ...(alias !== undefined && { alias }) })
    }
  }

  /** @param name a key id, a key's ARN, an alias (`alias/phi-local`) or an alias' ARN */
  find(name: string): MasterKey | undefined {
    const local = name.startsWith(ARN_PREFIX) ? name.slice(ARN_PREFIX.length).replace(/^key\//, '') : name
    if (!local.startsWith('alias/')) return this.#keys.get(local)
    return [...this.#keys.values()].find((key) => key.alias === local)
  }

  create(alias?: string, spec: KeySpec = 'SYMMETRIC_DEFAULT'): MasterKey {
    const key: MasterKey = {
      id: randomUUID(),
      spec,
      ...(alias !== undefined && { alias }),
      createdAt: Date.now(),
      material:
        spec === 'ECC_NIST_EDWARDS25519' ? generateKeyPairSync('ed25519').privateKey : createSecretKey(randomBytes(SEED_BYTES)),
      state: 'Enabled',
    }
    this.#keys.set(key.id, key)
    this.#save()
    return key
  }

  setState(key: MasterKey, state: KeyState): void {
    key.state = state
    this.#save()
  }

  /** Returns the key that a blob names, or undefined if no key of this stand-in sealed the blob. */
  keyOf(blob: Buffer): MasterKey | undefined {
    if (blob.length < HEADER_BYTES + NONCE_BYTES + TAG_BYTES || blob[0] !== FORMAT) return undefined
    return this.#keys.get(blob.toString('latin1', 1, HEADER_BYTES))
  }

  #save(): void {
    if (this.#file === undefined) return
    const keys = [...this.#keys.values()].map(({ material, ...key }) => ({
      ...key,
      material: (material.type === 'private' ? exportedKey(material) : material.export()).toString('base64'),
    }))
    writePrivateFile(this.#file, JSON.stringify({ keys }, null, 2))
  }
}

export const isSigning = (spec: KeySpec): spec is SigningSpec => Object.hasOwn(SIGNING_ALGORITHMS, spec)

const exportedKey = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' })

/** SubjectPublicKeyInfo in DER, as GetPublicKey returns it. */
export const publicKeyOf = ({ material }: MasterKey): Buffer =>
  material.type === 'private'
    ? createPublicKey(material).export({ format: 'der', type: 'spki' })
    : Buffer.concat([ML_DSA_44_SPKI, ml_dsa44.keygen(material.export()).publicKey])

/** The raw signature over a message. As in KMS, two ML-DSA signatures of one message differ. */
export const signatureOf = ({ material }: MasterKey, message: Buffer): Buffer =>
  material.type === 'private'
    ? signWith(null, message, material)
    : Buffer.from(ml_dsa44.sign(message, ml_dsa44.keygen(material.export()).secretKey, { extraEntropy: randomBytes(SEED_BYTES) }))

/** HMAC-SHA-256 over a message. */
export const macOf = ({ material }: MasterKey, message: Buffer): Buffer => createHmac('sha256', material).update(message).digest()

/** Returns a blob in the format at `HEADER_BYTES`, with the context as additional authenticated data. */
export function seal(key: MasterKey, plaintext: Buffer, context: EncryptionContext): Buffer {
  const header = Buffer.concat([Buffer.of(FORMAT), Buffer.from(key.id, 'latin1')])
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key.material, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(aad(header, context))
  return Buffer.concat([header, nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Returns the plaintext, or undefined if the blob was altered or sealed under another context. */
export function open(key: MasterKey, blob: Buffer, context: EncryptionContext): Buffer | undefined {
  const header = blob.subarray(0, HEADER_BYTES)
  const nonce = blob.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key.material, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(aad(header, context))
  decipher.setAuthTag(blob.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(blob.subarray(HEADER_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

/** Sorts the pairs, because their order does not matter to KMS. */
function aad(header: Buffer, context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.concat([header, Buffer.from(JSON.stringify(pairs))])
}

function readIfPresent(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
