import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { decrypt, encrypt } from '../../../gateway/crypto/aead.ts'
import type { KeyAct, KeyChanger, KeyChanges } from '../../../gateway/crypto/key-changes.ts'
import type { KeyTable, LoadedKeys, PatientKeyItem, TenantKeyItem, WantedKeys } from '../../../gateway/crypto/key-table.ts'
import { KeyRotation } from '../../../gateway/crypto/key-rotation.ts'
import { Keyring, type KeyringLimits } from '../../../gateway/crypto/keyring.ts'
import type { KmsKeys } from '../../../gateway/crypto/kms-keys.ts'
import type { KeyContext, Kms } from '../../../gateway/crypto/kms.ts'
import { lengthPrefixed } from '../../../gateway/crypto/parts.ts'
import { KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { PatientId, TenantId } from '../../../gateway/model/ids.ts'

export const RIVERSIDE = 'riverside' as TenantId
export const KMS_KEY = 'alias/test'

/** An in-memory KMS that wraps with AES-256-GCM; the encryption context is the AAD. */
class WrappingKms implements Kms {
  decrypts = 0
  /** Every plaintext that it returned: the same byte arrays, not copies. */
  readonly given: Uint8Array[] = []
  down = false
  /** Refuses only this version of a tenant key. */
  refuses: string | undefined
  readonly #master: KeyObject = createSecretKey(randomBytes(32))

  async generateDataKey(keyId: string, context: KeyContext): Promise<{ key: Uint8Array; wrapped: Uint8Array }> {
    await this.#answer(context)
    const key = randomBytes(32)
    this.given.push(key)
    return { key, wrapped: this.wrap(key, context, keyId) }
  }

  async decrypt(wrapped: Uint8Array, context: KeyContext, keyId: string): Promise<Uint8Array> {
    this.decrypts++
    await this.#answer(context)
    const key = decrypt(this.#master, wrapped.subarray(0, 12), aad(keyId, context), wrapped.subarray(12))
    this.given.push(key)
    return key
  }

  wrap(key: Uint8Array, context: KeyContext, keyId: string): Uint8Array {
    const nonce = randomBytes(12)
    return Buffer.concat([nonce, encrypt(this.#master, nonce, aad(keyId, context), key)])
  }

  /** Answers asynchronously or fails, as over a network. */
  async #answer({ version }: KeyContext): Promise<void> {
    await new Promise(setImmediate)
    if (this.down || version === this.refuses) throw new KeyUnavailable()
  }
}

const aad = (keyId: string, { tenant, use, version }: KeyContext): Buffer => lengthPrefixed(keyId, tenant, use, version)

/** A key table in memory that records its calls. */
class MemoryKeyTable implements KeyTable, KeyChanger {
  readonly tenants = new Map<TenantId, TenantKeyItem>()
  readonly patients = new Map<PatientId, PatientKeyItem>()
  readonly loads: WantedKeys[] = []

  async load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys> {
    this.loads.push(wanted)
    await new Promise(setImmediate)
    const item = wanted.tenantItem ? this.tenants.get(tenant) : undefined
    const found = wanted.patients.flatMap((patient) => {
      const key = this.patients.get(patient)
      return key ? [[patient, key] as const] : []
    })
    return { ...(item && { tenant: item }), patients: new Map(found) }
  }

  /** Pages of seven, so that there are several. */
  async *pages(): AsyncGenerator<ReadonlyMap<PatientId, PatientKeyItem>> {
    const all = [...this.patients]
    for (let start = 0; start < all.length; start += 7) {
      await new Promise(setImmediate)
      yield new Map(all.slice(start, start + 7))
    }
  }

  /** The acts of all writes, in order. */
  readonly acts: KeyAct[] = []

  async write(tenant: TenantId, act: KeyAct, { tenant: own, patients }: KeyChanges): Promise<'written' | 'changed'> {
    await new Promise(setImmediate)
    if (own && !isDeepStrictEqual(this.tenants.get(tenant), own.before)) return 'changed'
    if (patients.some(({ patient, before }) => !isDeepStrictEqual(this.patients.get(patient), before))) return 'changed'
    if (own) this.tenants.set(tenant, own.after)
    for (const { patient, after } of patients) this.patients.set(patient, after)
    this.acts.push(act)
    return 'written'
  }

  createTenant(tenant: TenantId, item: TenantKeyItem): Promise<'created' | 'exists'> {
    if (this.tenants.has(tenant)) return Promise.resolve('exists')
    this.tenants.set(tenant, item)
    return Promise.resolve('created')
  }
}

/** A keyring over the in-memory KMS and table. The test sets its clock. */
export class KeyHouse {
  readonly kms = new WrappingKms()
  readonly table = new MemoryKeyTable()
  time = 1_000_000
  /** Every random key, the same byte arrays and not copies. Nonces are shorter. */
  readonly randomKeys: Uint8Array[] = []
  readonly #random = (size: number): Uint8Array => {
    const bytes = randomBytes(size)
    if (size === 32) this.randomKeys.push(bytes)
    return bytes
  }
  ring: Keyring

  constructor(limits?: Partial<KeyringLimits>) {
    this.ring = this.newRing(limits)
  }

  /** Simulates another process: the same KMS and table, with an empty cache. */
  newRing(limits: Partial<KeyringLimits> = {}, kmsKeys: KmsKeys = [KMS_KEY]): Keyring {
    return new Keyring({
      kms: this.kms,
      table: this.table,
      now: () => this.time,
      kmsKeysFor: () => kmsKeys,
      limits,
      randomBytes: this.#random,
    })
  }

  rotation(kmsKeys: KmsKeys = [KMS_KEY]): KeyRotation {
    return new KeyRotation({
      kms: this.kms,
      table: this.table,
      changer: this.table,
      now: () => this.time,
      kmsKeysFor: () => kmsKeys,
      randomBytes: this.#random,
    })
  }

  /** Creates a tenant with `count` patients, then a keyring with an empty cache. */
  async withPatients(count: number): Promise<PatientId[]> {
    await this.ring.createTenant(RIVERSIDE)
    const patients = Array.from({ length: count }, () => randomBytes(16).toString('base64url') as PatientId)
    for (const patient of patients) this.table.patients.set(patient, (await this.ring.newPatientKey(RIVERSIDE, patient)).item)
    this.ring = this.newRing()
    this.kms.decrypts = 0
    this.table.loads.length = 0
    return patients
  }
}
