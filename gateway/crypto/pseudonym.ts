import { createCipheriv, timingSafeEqual, type KeyObject } from 'node:crypto'
import { KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { deriveKey, hmacSha256 } from './derive.ts'
import { lengthPrefixed } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The ids that a study receives instead of node ids: `docs/sealed-field.md` section 9. ADR 0014 has the reasons.

const FORMAT = 2
/** A pseudonym names no key version. With a newer key it would change, and a study would lose its subjects. */
const KEY_VERSION = 1
const IV_BYTES = 16
const ID_BYTES = 16
const TYPE_BYTES = 64
const TYPE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
const BYTES = 1 + IV_BYTES + TYPE_BYTES + 2 * ID_BYTES
/** Characters of a pseudonym, the same for every record. */
export const PSEUDONYM_LENGTH = Math.ceil((BYTES * 4) / 3)

/** The tenant and the study for which a pseudonym is valid. */
export interface PseudonymBound {
  readonly tenant: TenantId
  readonly protocol: string
}

/**
 * The ids of one study. A record keeps its pseudonym for the duration of the study and has another one in every other study.
 * Only the holder of the tenant's key can reverse a pseudonym. It contains no information about the person, because the ids
 * that it encrypts are random.
 *
 * Deterministic authenticated encryption: a synthetic IV (HMAC-SHA-256 over bound and content), then AES-256-CTR with that IV.
 *
 * @source 45 CFR 164.514(c); Rogaway and Shrimpton, Deterministic Authenticated-Encryption (2006), as RFC 5297
 */
export class Pseudonyms {
  readonly #bound: Buffer
  readonly #mac: KeyObject
  readonly #cipher: KeyObject
  readonly #standIn: KeyObject

  /** @throws KeyUnavailable if the tenant's key is unavailable */
  constructor(key: PurposeKey<'pseudonym'>, { tenant, protocol }: PseudonymBound) {
    const secret = key.byVersion(KEY_VERSION)
    if (secret === undefined) throw new KeyUnavailable()
    this.#bound = lengthPrefixed(tenant, protocol, Buffer.of(FORMAT))
    this.#mac = deriveKey(secret, 'phi-gateway pseudonym iv v1')
    this.#cipher = deriveKey(secret, 'phi-gateway pseudonym cipher v1')
    this.#standIn = deriveKey(secret, 'phi-gateway pseudonym value v1')
  }

  /** @throws RangeError if no record of the gateway can have this reference */
  seal({ type, patient, id }: RecordRef): string {
    const ids = [Buffer.from(patient, 'base64url'), Buffer.from(id, 'base64url')] as const
    if (!TYPE.test(type) || ids.some(({ length }) => length !== ID_BYTES))
      throw new RangeError('The record reference is not valid.')
    const content = Buffer.concat([Buffer.alloc(TYPE_BYTES), ...ids])
    content.write(type, 'ascii')
    const iv = this.#ivOf(content)
    return Buffer.concat([Buffer.of(FORMAT), iv, this.#applied(iv, content)]).toString('base64url')
  }

  /** Returns the record of a pseudonym of this study; undefined for any other text. */
  open(text: string): RecordRef | undefined {
    if (text.length !== PSEUDONYM_LENGTH) return undefined
    const bytes = Buffer.from(text, 'base64url')
    // a pseudonym has one valid spelling
    if (bytes.length !== BYTES || bytes[0] !== FORMAT || bytes.toString('base64url') !== text) return undefined
    const iv = bytes.subarray(1, 1 + IV_BYTES)
    const content = this.#applied(iv, bytes.subarray(1 + IV_BYTES))
    // no content is used before it is authenticated
    if (!timingSafeEqual(this.#ivOf(content), iv)) return undefined
    const type = content.toString('latin1', 0, TYPE_BYTES).replace(/\0+$/, '')
    if (!TYPE.test(type)) return undefined
    return {
      type: type as TypeName,
      patient: content.toString('base64url', TYPE_BYTES, TYPE_BYTES + ID_BYTES) as PatientId,
      id: content.toString('base64url', TYPE_BYTES + ID_BYTES) as RecordId,
    }
  }

  /**
   * Returns the replacement of a field's value, 22 characters. It depends on the place and never on the value: a digest of the
   * value would be derived from it, which 164.514(c)(1) rules out. With the key, trying all numbers would also find the value.
   */
  standIn({ type, patient, id }: RecordRef, path: SchemaPath): string {
    return hmacSha256(this.#standIn, this.#bound, lengthPrefixed(type, patient, id, path)).toString('base64url', 0, 16)
  }

  #ivOf(content: Uint8Array): Buffer {
    return hmacSha256(this.#mac, this.#bound, content).subarray(0, IV_BYTES)
  }

  /** A stream cipher is its own inverse. */
  #applied(iv: Uint8Array, bytes: Uint8Array): Buffer {
    const cipher = createCipheriv('aes-256-ctr', this.#cipher, iv)
    return Buffer.concat([cipher.update(bytes), cipher.final()])
  }
}
