import { createCipheriv, timingSafeEqual, type KeyObject } from 'node:crypto'
import { KeyUnavailable } from '../model/failures.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId, RecordRef, TenantId } from '../model/ids.ts'
import { deriveKey, hmacSha256 } from './derive.ts'
import { lengthPrefixed } from './parts.ts'
import type { PurposeKey } from './tenant-keys.ts'

// The ids that a study is given instead of ours: `docs/sealed-field.md`, pseudonyms, and ADR 0014 for why it is made so.

const FORMAT = 2
/** A pseudonym carries no version: made with a newer key it would be another one, and a study would lose its subjects. */
const KEY_VERSION = 1
const IV_BYTES = 16
const ID_BYTES = 16
const TYPE_BYTES = 64
const TYPE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
const BYTES = 1 + IV_BYTES + TYPE_BYTES + 2 * ID_BYTES
/** Characters of every pseudonym, whatever it stands for. */
export const PSEUDONYM_LENGTH = Math.ceil((BYTES * 4) / 3)

/** Where a pseudonym means something: there, and nowhere else. */
export interface PseudonymBound {
  readonly tenant: TenantId
  readonly protocol: string
}

/**
 * Ids of one study: the same record has the same one for as long as the study lasts, and another one in any other study. Only who
 * holds the tenant's key can lead one back, and no information about the person goes into it: what it hides is random itself.
 *
 * Deterministic authenticated encryption: a synthetic IV, HMAC-SHA-256 over bound and content, and AES-256-CTR under it.
 *
 * @source 45 CFR 164.514(c); Rogaway and Shrimpton, Deterministic Authenticated-Encryption (2006), as RFC 5297
 */
export class Pseudonyms {
  readonly #bound: Buffer
  readonly #mac: KeyObject
  readonly #cipher: KeyObject
  readonly #standIn: KeyObject

  /** @throws KeyUnavailable when the tenant's key cannot be had */
  constructor(key: PurposeKey<'pseudonym'>, { tenant, protocol }: PseudonymBound) {
    const secret = key.byVersion(KEY_VERSION)
    if (secret === undefined) throw new KeyUnavailable()
    this.#bound = lengthPrefixed(tenant, protocol, Buffer.of(FORMAT))
    this.#mac = deriveKey(secret, 'phi-gateway pseudonym iv v1')
    this.#cipher = deriveKey(secret, 'phi-gateway pseudonym cipher v1')
    this.#standIn = deriveKey(secret, 'phi-gateway pseudonym value v1')
  }

  /** @throws RangeError for a reference that no record of ours has */
  seal({ type, patient, id }: RecordRef): string {
    const ids = [Buffer.from(patient, 'base64url'), Buffer.from(id, 'base64url')] as const
    if (!TYPE.test(type) || ids.some(({ length }) => length !== ID_BYTES)) throw new RangeError('No record is called so.')
    const content = Buffer.concat([Buffer.alloc(TYPE_BYTES), ...ids])
    content.write(type, 'ascii')
    const iv = this.#ivOf(content)
    return Buffer.concat([Buffer.of(FORMAT), iv, this.#applied(iv, content)]).toString('base64url')
  }

  /** The record that a pseudonym of this study stands for; undefined for any other text. */
  open(text: string): RecordRef | undefined {
    if (text.length !== PSEUDONYM_LENGTH) return undefined
    const bytes = Buffer.from(text, 'base64url')
    // one record has one spelling
    if (bytes.length !== BYTES || bytes[0] !== FORMAT || bytes.toString('base64url') !== text) return undefined
    const iv = bytes.subarray(1, 1 + IV_BYTES)
    const content = this.#applied(iv, bytes.subarray(1 + IV_BYTES))
    // nothing is read of it before it is known to be ours
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
   * What stands for the value of one field of one record, 22 characters. It follows from the place and never from the value: a digest
   * of a number is derived from it, which 164.514(c)(1) rules out, and can be found by trying all numbers where the key is known.
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
