import { randomBytes } from 'node:crypto'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { AgingCache } from './aging-cache.ts'
import {
  type KeyTable,
  type KeyUse,
  type LoadedKeys,
  newestVersion,
  type PatientKeyItem,
  type TenantKeyItem,
  type WantedKeys,
} from './key-table.ts'
import { contextOf, type KmsKeys, openTenantKey } from './kms-keys.ts'
import type { Kms } from './kms.ts'
import type { RandomBytes } from './parts.ts'
import { type Destroyed, PatientKeyHandle, type WrapKeys } from './patient-keys.ts'
import { TenantKeys, type PurposeKey } from './tenant-keys.ts'
import { destroyedBy } from './tombstone.ts'
import { newWrappedKey, wrapKeyFrom } from './wrap.ts'

/** Ages in milliseconds, numbers of entries. */
export interface KeyringLimits {
  readonly tenantAge: number
  readonly patientAge: number
  readonly tenants: number
  readonly patients: number
}

/** The longest a key stays in memory, and so the longest a disabled one keeps working (P13). */
const LIMITS: KeyringLimits = { tenantAge: 300_000, patientAge: 60_000, tenants: 100, patients: 2_000 }

type Handles = ReadonlyMap<PatientId, PatientKeyHandle>

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
  /** The KMS keys of a tenant: its own, or a shared one. No tenant key that names another is opened. */
  readonly kmsKeysFor: (tenant: TenantId) => KmsKeys
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
  readonly #kmsKeysFor: (tenant: TenantId) => KmsKeys
  readonly #random: RandomBytes
  readonly #limits: KeyringLimits
  readonly #tenants: AgingCache<TenantKeys>
  readonly #patients: AgingCache<PatientKeyHandle>
  readonly #tenantFlights = new Map<TenantId, Promise<TenantKeys>>()
  readonly #patientFlights = new Map<string, Promise<Handles>>()
  #kmsCalls = 0
  #tableLoads = 0

  /** @throws RangeError for limits looser than the defaults */
  constructor({ kms, table, now, kmsKeysFor, randomBytes: random = randomBytes, limits }: KeyringParts) {
    this.#limits = { ...LIMITS, ...limits }
    const { tenantAge, patientAge, tenants, patients } = this.#limits
    if (tenantAge > LIMITS.tenantAge || patientAge > LIMITS.patientAge) throw new RangeError('A key may not live that long.')
    this.#kms = {
      generateDataKey: async (keyId, context) => {
        this.#kmsCalls++
        return await kms.generateDataKey(keyId, context)
      },
      decrypt: async (wrapped, context, keyId) => {
        this.#kmsCalls++
        return await kms.decrypt(wrapped, context, keyId)
      },
    }
    this.#table = table
    this.#now = now
    this.#kmsKeysFor = kmsKeysFor
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
    const [kmsKey] = this.#kmsKeysFor(tenant)
    const { key, wrapped } = await this.#kms.generateDataKey(kmsKey, contextOf(tenant, version))
    const wrapWith = wrapKeyFrom(key)
    key.fill(0)
    const uses = (Object.keys(USES) as KeyUse[]).map((use) => {
      const place = { tenant, holder: { use }, tenantKeyVersion: version, version: 1 }
      return { use, version: 1, tenantKeyVersion: version, wrapped: newWrappedKey(wrapWith, place, this.#random), sealsFrom: 0 }
    })
    // when another process was first, its keys stand and these are forgotten
    await this.#table.createTenant(tenant, { versions: [{ version, wrapped, kmsKey }], uses })
  }

  /** @throws KeyUnavailable when the tenant or the use has no key, or KMS refuses; IntegrityFailure; StoreUnavailable */
  async purposeKey<Use extends KeyUse>(tenant: TenantId, use: Use): Promise<PurposeKey<Use>> {
    const keys = await this.#tenantKeys(tenant)
    return keys.useKey(use, this.#now())
  }

  /**
   * The keys of these patients; those without a key item are left out.
   *
   * @param read `always` loads the items again even when keys are cached: equal work for a caller who may not learn
   *   that a patient exists
   * @throws KeyUnavailable, StoreUnavailable, IntegrityFailure for all; what concerns one patient alone is thrown by its handle
   */
  async patientKeys(tenant: TenantId, patients: readonly PatientId[], read: 'cached' | 'always'): Promise<Handles> {
    const asked = [...new Set(patients)]
    if (read === 'always') return await this.#fetchPatients(tenant, asked)
    const handles = new Map<PatientId, PatientKeyHandle>()
    const wanted: PatientId[] = []
    const joined = new Map<PatientId, Promise<Handles>>()
    for (const patient of asked) {
      const name = nameOf(tenant, patient)
      const cached = this.#patients.get(name)
      const flight = this.#patientFlights.get(name)
      if (cached) handles.set(patient, cached)
      else if (flight) joined.set(patient, flight)
      else wanted.push(patient)
    }
    const flights = new Set(joined.values())
    if (wanted.length > 0) flights.add(this.#shared(tenant, wanted))
    for (const landed of await Promise.all(flights)) {
      for (const patient of asked) {
        const handle = landed.get(patient)
        if (handle) handles.set(patient, handle)
      }
    }
    // whoever set out first may have looked before the patient was there
    const late = [...joined.keys()].filter((patient) => !handles.has(patient))
    if (late.length > 0) for (const [patient, handle] of await this.#fetchPatients(tenant, late)) handles.set(patient, handle)
    return handles
  }

  /** Single flight: whoever wants the same patients meanwhile waits for this answer. */
  #shared(tenant: TenantId, patients: readonly PatientId[]): Promise<Handles> {
    const flight = this.#fetchPatients(tenant, patients)
    const names = patients.map((patient) => nameOf(tenant, patient))
    for (const name of names) this.#patientFlights.set(name, flight)
    const landed = () => {
      for (const name of names) this.#patientFlights.delete(name)
    }
    flight.then(landed, landed)
    return flight
  }

  async #fetchPatients(tenant: TenantId, patients: readonly PatientId[]): Promise<Handles> {
    // a key ages from when it was asked for, however long the answer took
    const from = this.#now()
    const handles = new Map<PatientId, PatientKeyHandle>()
    if (patients.length === 0) return handles
    const { keys, items } = await this.#loadPatients(tenant, patients, from)
    const named = [...items.values()].flatMap(({ versions }) => versions.map(({ tenantKeyVersion }) => tenantKeyVersion))
    // one map for all: the handles of a long panel should hold keys, and not each a map of its own
    const wrapKeys = await keys.wrapKeys(new Set(named))
    const destroyed = await this.#destroyed(tenant, items, keys)
    for (const patient of patients) {
      const item = items.get(patient)
      const handle =
        item && this.#handleFor(tenant, patient, item, { wrapKeys, destroyed: destroyed.get(patient) }, from, keys.until)
      if (handle) handles.set(patient, handle)
      else this.#patients.delete(nameOf(tenant, patient))
    }
    return handles
  }

  /** What the tombstones among the items say, by patient. Most have none, and then nothing is asked for. */
  async #destroyed(
    tenant: TenantId,
    items: ReadonlyMap<PatientId, PatientKeyItem>,
    keys: TenantKeys,
  ): Promise<ReadonlyMap<PatientId, Destroyed>> {
    const buried = [...items].filter(([, { tombstone }]) => tombstone !== undefined)
    if (buried.length === 0) return new Map()
    const access = await keys.useKey('access', this.#now()).catch((error: unknown) => {
      if (error instanceof KeyUnavailable || error instanceof IntegrityFailure) return error
      throw error
    })
    return new Map(
      buried.flatMap(([patient, item]) => {
        const destroyed = destroyedBy(access, tenant, patient, item)
        return destroyed === undefined ? [] : [[patient, destroyed]]
      }),
    )
  }

  /**
   * A key for a new patient, not stored and not cached: the store writes the item with the patient's first record, under the
   * condition that there is none. It is wrapped under the newest tenant key, for which the tenant's item is read again: what
   * lies in memory may be older than a rotation.
   *
   * @throws KeyUnavailable, StoreUnavailable, IntegrityFailure
   */
  async newPatientKey(tenant: TenantId, patient: PatientId): Promise<{ item: PatientKeyItem; handle: PatientKeyHandle }> {
    const keys = await this.#newestTenantKeys(tenant)
    const tenantKeyVersion = keys.currentVersion
    const wrapWith = await keys.wrapKey(tenantKeyVersion)
    const version = 1
    const place = { tenant, holder: { use: 'patient-key', patient }, tenantKeyVersion, version } as const
    const wrapped = newWrappedKey(wrapWith, place, this.#random)
    const item = { versions: [{ version, tenantKeyVersion, wrapped, sealsFrom: 0 }] }
    const handle = new PatientKeyHandle(tenant, patient, item, new Map([[tenantKeyVersion, wrapWith]]), this.#now())
    return { item, handle }
  }

  async #newestTenantKeys(tenant: TenantId): Promise<TenantKeys> {
    const ready = this.#tenants.get(tenant)
    if (!ready) return await this.#tenantKeys(tenant)
    const { tenant: item } = await this.#load(tenant, { tenantItem: true, patients: [] })
    if (!item) throw new KeyUnavailable()
    return ready.knows(newestVersion(item.versions)) ? ready : await this.#reloaded(tenant, ready)
  }

  /** The keys of a tenant whose item is newer than what lies in memory; whoever notices first reloads for all. */
  async #reloaded(tenant: TenantId, outdated: TenantKeys): Promise<TenantKeys> {
    if (this.#tenants.get(tenant) === outdated) this.#tenants.delete(tenant)
    return await this.#tenantKeys(tenant)
  }

  #handleFor(
    tenant: TenantId,
    patient: PatientId,
    item: PatientKeyItem,
    { wrapKeys, destroyed }: { readonly wrapKeys: WrapKeys; readonly destroyed: Destroyed | undefined },
    from: number,
    tenantUntil: number,
  ): PatientKeyHandle {
    const name = nameOf(tenant, patient)
    const cached = this.#patients.get(name)
    if (cached?.isOf(item)) return cached
    const handle = new PatientKeyHandle(tenant, patient, item, wrapKeys, from, destroyed)
    // a tombstone that was not found authentic is looked at again
    const settled = destroyed === undefined || handle.erased
    const complete = settled && item.versions.every(({ tenantKeyVersion }) => !(wrapKeys.get(tenantKeyVersion) instanceof Error))
    // never beyond the tenant key that it was unwrapped with; and a failure of KMS is not remembered
    if (complete) this.#patients.set(name, handle, from, Math.min(from + this.#limits.patientAge, tenantUntil))
    return handle
  }

  /** Tenant and patients in one load where the tenant is not at hand. */
  async #loadPatients(
    tenant: TenantId,
    patients: readonly PatientId[],
    from: number,
  ): Promise<{ keys: TenantKeys; items: ReadonlyMap<PatientId, PatientKeyItem> }> {
    const ready = this.#tenants.get(tenant) ?? this.#tenantFlights.get(tenant)
    const loading = this.#load(tenant, { tenantItem: !ready, patients })
    const unlocking = ready ?? this.#unlock(tenant, loading, from)
    const [keys, { patients: items }] = await Promise.all([unlocking, loading])
    const known = [...items.values()].every(({ versions }) =>
      versions.every(({ tenantKeyVersion }) => keys.knows(tenantKeyVersion)),
    )
    if (known) return { keys, items }
    // a patient key wrapped under a tenant key that is newer than the cached item
    return { keys: await this.#reloaded(tenant, keys), items }
  }

  async #tenantKeys(tenant: TenantId): Promise<TenantKeys> {
    const ready = this.#tenants.get(tenant) ?? this.#tenantFlights.get(tenant)
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
    this.#tenantFlights.set(tenant, flight)
    const landed = () => {
      if (this.#tenantFlights.get(tenant) === flight) this.#tenantFlights.delete(tenant)
    }
    flight.then(landed, landed)
    return flight
  }

  #keysOf(tenant: TenantId, item: TenantKeyItem, from: number): TenantKeys {
    const allowed = this.#kmsKeysFor(tenant)
    return new TenantKeys(tenant, item, from + this.#limits.tenantAge, (wrapped) =>
      openTenantKey(this.#kms, tenant, allowed, wrapped),
    )
  }

  #load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys> {
    this.#tableLoads++
    return this.#table.load(tenant, wanted)
  }
}

// tenants have no `#` in their names
const nameOf = (tenant: TenantId, patient: PatientId): string => `${tenant}#${patient}`
