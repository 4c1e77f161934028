import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { decrypt, encrypt } from '../../../crypto/aead.ts'
import type { KeyTable, LoadedKeys, PatientKeyItem, TenantKeyItem, WantedKeys } from '../../../crypto/key-table.ts'
import { Keyring, type KeyringLimits } from '../../../crypto/keyring.ts'
import type { KeyContext, Kms } from '../../../crypto/kms.ts'
import { lengthPrefixed } from '../../../crypto/parts.ts'
import { KeyUnavailable } from '../../../vocabulary/failures.ts'
import type { PatientId, TenantId } from '../../../vocabulary/ids.ts'

export const RIVERSIDE = 'riverside' as TenantId
export const KMS_KEY = 'alias/test'

/** A KMS that really wraps: AES-256-GCM with the encryption context as AAD. */
class WrappingKms implements Kms {
  decrypts = 0
  down = false
  /** Refuses this version of a tenant key alone. */
  refuses: string | undefined
  readonly #master: KeyObject = createSecretKey(randomBytes(32))

  async generateDataKey(keyId: string, context: KeyContext): Promise<{ key: Uint8Array; wrapped: Uint8Array }> {
    await this.#answer(context)
    const key = randomBytes(32)
    return { key, wrapped: this.wrap(key, context, keyId) }
  }

  async decrypt(wrapped: Uint8Array, context: KeyContext, keyId: string): Promise<Uint8Array> {
    this.decrypts++
    await this.#answer(context)
    return decrypt(this.#master, wrapped.subarray(0, 12), aad(keyId, context), wrapped.subarray(12))
  }

  wrap(key: Uint8Array, context: KeyContext, keyId: string): Uint8Array {
    const nonce = randomBytes(12)
    return Buffer.concat([nonce, encrypt(this.#master, nonce, aad(keyId, context), key)])
  }

  /** As a network does: later, or not at all. */
  async #answer({ version }: KeyContext): Promise<void> {
    await new Promise(setImmediate)
    if (this.down || version === this.refuses) throw new KeyUnavailable()
  }
}

const aad = (keyId: string, { tenant, use, version }: KeyContext): Buffer => lengthPrefixed(keyId, tenant, use, version)

/** A key table in memory that remembers what it was asked. */
class MemoryKeyTable implements KeyTable {
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

  createTenant(tenant: TenantId, item: TenantKeyItem): Promise<'created' | 'exists'> {
    if (this.tenants.has(tenant)) return Promise.resolve('exists')
    this.tenants.set(tenant, item)
    return Promise.resolve('created')
  }
}

/** A keyring over both, its clock in the hand of the test. */
export class KeyHouse {
  readonly kms = new WrappingKms()
  readonly table = new MemoryKeyTable()
  time = 1_000_000
  ring: Keyring

  constructor(limits?: Partial<KeyringLimits>) {
    this.ring = this.newRing(limits)
  }

  /** Another process: the same KMS and table, nothing in memory. */
  newRing(limits: Partial<KeyringLimits> = {}, kmsKey = KMS_KEY): Keyring {
    return new Keyring({ kms: this.kms, table: this.table, now: () => this.time, kmsKeyFor: () => kmsKey, limits })
  }

  /** A tenant with so many patients, and a keyring that knows none of them yet. */
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
