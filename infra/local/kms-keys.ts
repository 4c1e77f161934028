import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { writePrivateFile } from './private-file.ts'

// Master keys of the KMS stand-in. They seal a blob under a key and an encryption context, and open it again.

/** The state of a key, as in KMS. `Denied` simulates a key policy that does not name the caller. */
export type KeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Denied'

export interface MasterKey {
  readonly id: string
  readonly alias?: string
  readonly createdAt: number
  readonly material: KeyObject
  state: KeyState
}

/** Name-value pairs. They are not secret, but a blob opens only with the same pairs. */
export type EncryptionContext = Readonly<Record<string, string>>

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

  constructor(file: string | undefined) {
    this.#file = file
    if (file === undefined) return
    const text = readIfPresent(file)
    if (text === undefined) return
    for (const { alias, material, ...key } of stored.parse(JSON.parse(text)).keys) {
      const secret = createSecretKey(Buffer.from(material, 'base64'))
      this.#keys.set(key.id, { ...key, material: secret, ...(alias !== undefined && { alias }) })
    }
  }

  /** @param name a key id, a key's ARN, an alias (`alias/phi-local`) or an alias' ARN */
  find(name: string): MasterKey | undefined {
    const local = name.startsWith(ARN_PREFIX) ? name.slice(ARN_PREFIX.length).replace(/^key\//, '') : name
    if (!local.startsWith('alias/')) return this.#keys.get(local)
    return [...this.#keys.values()].find((key) => key.alias === local)
  }

  create(alias?: string): MasterKey {
    const key: MasterKey = {
      id: randomUUID(),
      ...(alias !== undefined && { alias }),
      createdAt: Date.now(),
      material: createSecretKey(randomBytes(32)),
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
      material: material.export().toString('base64'),
    }))
    writePrivateFile(this.#file, JSON.stringify({ keys }, null, 2))
  }
}

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
