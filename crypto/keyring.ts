import { randomBytes } from 'node:crypto'
import { KeyUnavailable } from '../vocabulary/failures.ts'
import type { PatientId, TenantId } from '../vocabulary/ids.ts'
import type { Clock } from '../vocabulary/record.ts'
import { AgingCache } from './aging-cache.ts'
import type { KeyTable, KeyUse, LoadedKeys, PatientKeyItem, TenantKeyItem, WantedKeys } from './key-table.ts'
import type { Kms } from './kms.ts'
import type { RandomBytes } from './parts.ts'
import { PatientKeyHandle } from './patient-keys.ts'
import { TenantKeys, type UseKey } from './tenant-keys.ts'
import { KEY_BYTES, wrapKey, wrapKeyFrom } from './wrap.ts'

/** Ages in milliseconds, numbers of entries. */
export interface KeyringLimits {
  readonly tenantAge: number
  readonly patientAge: number
  readonly tenants: number
  readonly patients: number
}

/** The longest a key stays in memory, and so the longest a disabled one keeps working (P13). */
const LIMITS: KeyringLimits = { tenantAge: 300_000, patientAge: 60_000, tenants: 100, patients: 10_000 }

// a new use is a new key of every tenant: the record makes the compiler ask for it
const USES: Readonly<Record<KeyUse, true>> = {
  access: true,
  cursor: true,
  lookup: true,
  identifier: true,
  pseudonym: true,
  index: true,
}

export interface KeyringParts {
  readonly kms: Kms
  readonly table: KeyTable
  readonly now: Clock
  /** The KMS key that wraps a tenant's key: one for each tenant, or a shared one. Opens no key that names another. */
  readonly kmsKeyFor: (tenant: TenantId) => string
  readonly randomBytes?: RandomBytes
  /** May only be tighter than the defaults. */
  readonly limits?: Partial<KeyringLimits>
}

/**
 * The key hierarchy in memory: KMS, tenant key, patient key and use keys (`docs/sealed-field.md` section 1).
 *
 * A warm request asks neither KMS nor the table; a cold one asks KMS once for each tenant key version, however many
 * patients, and however many requests come at once.
 */
export class Keyring {
  readonly #kms: Kms
  readonly #table: KeyTable
  readonly #now: Clock
  readonly #kmsKeyFor: (tenant: TenantId) => string
  readonly #random: RandomBytes
  readonly #limits: KeyringLimits
  readonly #tenants: AgingCache<TenantKeys>
  readonly #patients: AgingCache<PatientKeyHandle>
  readonly #flights = new Map<TenantId, Promise<TenantKeys>>()
  #kmsCalls = 0
  #tableLoads = 0

  /** @throws RangeError for limits looser than the defaults */
  constructor({ kms, table, now, kmsKeyFor, randomBytes: random = randomBytes, limits }: KeyringParts) {
    this.#limits = { ...LIMITS, ...limits }
    const { tenantAge, patientAge, tenants, patients } = this.#limits
    if (tenantAge > LIMITS.tenantAge || patientAge > LIMITS.patientAge) throw new RangeError('A key may not live that long.')
    this.#kms = kms
    this.#table = table
    this.#now = now
    this.#kmsKeyFor = kmsKeyFor
    this.#random = random
    this.#tenants = new AgingCache(tenants, now)
    this.#patients = new AgingCache(patients, now)
  }

  /** What it has asked of others so far. */
  get counts(): { readonly kms: number; readonly tableLoads: number } {
    return { kms: this.#kmsCalls, tableLoads: this.#tableLoads }
  }

  /**
   * Gives a tenant its first tenant key and one key for each use. Does nothing when it has them.
   *
   * @throws KeyUnavailable, StoreUnavailable
   */
  async createTenant(tenant: TenantId): Promise<void> {
    const { tenant: existing } = await this.#load(tenant, { tenantItem: true, patients: [] })
    if (existing) return
    const version = 1
    const kmsKey = this.#kmsKeyFor(tenant)
    this.#kmsCalls++
    const { key, wrapped } = await this.#kms.generateDataKey(kmsKey, contextOf(tenant, version))
    const wrapWith = wrapKeyFrom(key)
    key.fill(0)
    const uses = (Object.keys(USES) as KeyUse[]).map((use) => {
      const place = { tenant, holder: { use }, tenantKeyVersion: version, version: 1 }
      const raw = this.#random(KEY_BYTES)
      const item = { use, version: 1, tenantKeyVersion: version, wrapped: wrapKey(wrapWith, place, raw, this.#random) }
      raw.fill(0)
      return item
    })
    // when another process was first, its keys stand and these are forgotten
    await this.#table.createTenant(tenant, { versions: [{ version, wrapped, kmsKey }], uses })
  }

  /** @throws KeyUnavailable when the tenant or the use has no key, or KMS refuses; IntegrityFailure; StoreUnavailable */
  async useKey<Use extends KeyUse>(tenant: TenantId, use: Use): Promise<UseKey<Use>> {
    const keys = await this.#tenantKeys(tenant)
    return keys.useKey(use)
  }

  /**
   * The keys of these patients; those without a key item are left out.
   *
   * @param read `always` loads the items again even when keys are cached: equal work for a caller who may not learn
   *   that a patient exists
   * @throws KeyUnavailable, StoreUnavailable, IntegrityFailure for all; what concerns one patient alone is thrown by its handle
   */
  async patientKeys(
    tenant: TenantId,
    patients: readonly PatientId[],
    read: 'cached' | 'always',
  ): Promise<ReadonlyMap<PatientId, PatientKeyHandle>> {
    const from = this.#now()
    const handles = new Map<PatientId, PatientKeyHandle>()
    const wanted: PatientId[] = []
    for (const patient of new Set(patients)) {
      const cached = read === 'cached' ? this.#patients.get(nameOf(tenant, patient)) : undefined
      if (cached) handles.set(patient, cached)
      else wanted.push(patient)
    }
    if (wanted.length === 0) return handles

    const { keys, items } = await this.#loadPatients(tenant, wanted, from)
    for (const patient of wanted) {
      const item = items.get(patient)
      const handle = item && (await this.#handleFor(tenant, patient, item, keys, from))
      if (handle) handles.set(patient, handle)
      else this.#patients.delete(nameOf(tenant, patient))
    }
    return handles
  }

  /**
   * A key for a new patient, not stored and not cached: the store writes the item with the patient's first record, under the
   * condition that there is none.
   *
   * @throws KeyUnavailable, StoreUnavailable, IntegrityFailure
   */
  async newPatientKey(tenant: TenantId, patient: PatientId): Promise<{ item: PatientKeyItem; handle: PatientKeyHandle }> {
    const keys = await this.#tenantKeys(tenant)
    const tenantKeyVersion = keys.currentVersion
    const wrapWith = await keys.wrapKey(tenantKeyVersion)
    const version = 1
    const raw = this.#random(KEY_BYTES)
    const place = { tenant, holder: { use: 'patient-key', patient }, tenantKeyVersion, version } as const
    const item = { versions: [{ version, tenantKeyVersion, wrapped: wrapKey(wrapWith, place, raw, this.#random) }] }
    raw.fill(0)
    return { item, handle: new PatientKeyHandle(tenant, patient, item, new Map([[tenantKeyVersion, wrapWith]])) }
  }

  async #handleFor(
    tenant: TenantId,
    patient: PatientId,
    item: PatientKeyItem,
    keys: TenantKeys,
    from: number,
  ): Promise<PatientKeyHandle> {
    const name = nameOf(tenant, patient)
    const cached = this.#patients.get(name)
    if (cached?.isOf(item)) return cached
    const wrapKeys = await keys.wrapKeys(new Set(item.versions.map(({ tenantKeyVersion }) => tenantKeyVersion)))
    const handle = new PatientKeyHandle(tenant, patient, item, wrapKeys)
    const complete = [...wrapKeys.values()].every((wrapKey) => !(wrapKey instanceof Error))
    // never beyond the tenant key that it was unwrapped with; and a failure of KMS is not remembered
    if (complete) this.#patients.set(name, handle, from, Math.min(from + this.#limits.patientAge, keys.until))
    return handle
  }

  /** Tenant and patients in one load where the tenant is not at hand. */
  async #loadPatients(
    tenant: TenantId,
    patients: readonly PatientId[],
    from: number,
  ): Promise<{ keys: TenantKeys; items: ReadonlyMap<PatientId, PatientKeyItem> }> {
    const ready = this.#tenants.get(tenant) ?? this.#flights.get(tenant)
    const loading = this.#load(tenant, { tenantItem: !ready, patients })
    const unlocking = ready ?? this.#unlock(tenant, loading, from)
    const [keys, { patients: items }] = await Promise.all([unlocking, loading])
    const known = [...items.values()].every(({ versions }) =>
      versions.every(({ tenantKeyVersion }) => keys.knows(tenantKeyVersion)),
    )
    if (known) return { keys, items }
    // a patient key wrapped under a tenant key that is newer than the cached item
    this.#tenants.delete(tenant)
    return { keys: await this.#tenantKeys(tenant), items }
  }

  async #tenantKeys(tenant: TenantId): Promise<TenantKeys> {
    const ready = this.#tenants.get(tenant) ?? this.#flights.get(tenant)
    if (ready) return ready
    return this.#unlock(tenant, this.#load(tenant, { tenantItem: true, patients: [] }), this.#now())
  }

  /** Single flight: whoever comes while a tenant key is being fetched waits for the same answer. */
  #unlock(tenant: TenantId, loading: Promise<LoadedKeys>, from: number): Promise<TenantKeys> {
    const flight = loading.then(async ({ tenant: item }) => {
      if (!item) throw new KeyUnavailable()
      const keys = this.#keysOf(tenant, item, from)
      await keys.wrapKey(keys.currentVersion)
      this.#tenants.set(tenant, keys, from, keys.until)
      return keys
    })
    this.#flights.set(tenant, flight)
    const landed = () => {
      if (this.#flights.get(tenant) === flight) this.#flights.delete(tenant)
    }
    flight.then(landed, landed)
    return flight
  }

  #keysOf(tenant: TenantId, item: TenantKeyItem, from: number): TenantKeys {
    const kmsKey = this.#kmsKeyFor(tenant)
    return new TenantKeys(tenant, item, from + this.#limits.tenantAge, async (wrapped) => {
      // whoever writes the table must not be able to bring a KMS key of their own
      if (wrapped.kmsKey !== kmsKey) throw new KeyUnavailable()
      this.#kmsCalls++
      return this.#kms.decrypt(wrapped.wrapped, contextOf(tenant, wrapped.version), kmsKey)
    })
  }

  #load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys> {
    this.#tableLoads++
    return this.#table.load(tenant, wanted)
  }
}

const contextOf = (tenant: TenantId, version: number) => ({ tenant, use: 'tenant-key', version: String(version) }) as const
// tenants have no `#` in their names
const nameOf = (tenant: TenantId, patient: PatientId): string => `${tenant}#${patient}`
