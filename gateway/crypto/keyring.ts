import { randomBytes } from 'node:crypto'
import { IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { AgingCache } from './aging-cache.ts'
import {
  KEY_USES,
  type KeyTable,
  type KeyUse,
  type LoadedKeys,
  newestVersion,
  type PatientKeyItem,
  type TenantKeyItem,
  type WantedKeys,
  type WrappedTenantKey,
} from './key-table.ts'
import { contextOf, type KmsKeys, openTenantKey } from './kms-keys.ts'
import type { Kms } from './kms.ts'
import type { RandomBytes } from './parts.ts'
import { type Destruction, PatientKeyHandle, type WrapKeys } from './patient-keys.ts'
import { TenantKeys, type PurposeKey } from './tenant-keys.ts'
import { readDestruction } from './tombstone.ts'
import { newWrappedKey, wrapKeyFrom } from './wrap.ts'

/** Ages in milliseconds, numbers of entries. */
export interface KeyringLimits {
  readonly tenantAge: number
  readonly patientAge: number
  readonly tenants: number
  readonly patients: number
}

/** A key stays in memory for at most this time, so a disabled key stops working within it (P13). */
const LIMITS: KeyringLimits = { tenantAge: 300_000, patientAge: 60_000, tenants: 100, patients: 2_000 }

type Handles = ReadonlyMap<PatientId, PatientKeyHandle>

export interface KeyringParts {
  readonly kms: Kms
  readonly table: KeyTable
  readonly now: Clock
  /** The KMS keys of a tenant: its own, or a shared one. A tenant key that names another KMS key does not open. */
  readonly kmsKeysFor: (tenant: TenantId) => KmsKeys
  readonly randomBytes?: RandomBytes
  /** May only be tighter than the defaults. */
  readonly limits?: Partial<KeyringLimits>
}

/**
 * The key hierarchy in memory: KMS, tenant key, patient keys and purpose keys (`docs/sealed-field.md` section 1).
 *
 * A warm request calls neither KMS nor the table. A cold request calls KMS once for each version of the tenant key,
 * regardless of the number of patients and of concurrent requests.
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

  /** @throws RangeError if a limit is looser than its default */
  constructor({ kms, table, now, kmsKeysFor, randomBytes: random = randomBytes, limits }: KeyringParts) {
    this.#limits = { ...LIMITS, ...limits }
    const { tenantAge, patientAge, tenants, patients } = this.#limits
    if (tenantAge > LIMITS.tenantAge || patientAge > LIMITS.patientAge) {
      throw new RangeError('A key age exceeds its maximum. Set `tenantAge` to at most 300000 and `patientAge` to at most 60000.')
    }
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

  /** The numbers of calls to KMS and of loads from the table so far. */
  get counts(): { readonly kms: number; readonly tableLoads: number } {
    return { kms: this.#kmsCalls, tableLoads: this.#tableLoads }
  }

  /** Whether the tenant has keys. It asks the table, not the keys in memory. @throws StoreUnavailable */
  async hasTenant(tenant: TenantId): Promise<boolean> {
    const { tenant: existing } = await this.#load(tenant, { tenantItem: true, patients: [] })
    return existing !== undefined
  }

  /**
   * Creates the first tenant key and one purpose key for each use. Does nothing if the tenant has them.
   *
   * @throws KeyUnavailable, StoreUnavailable
   */
  async createTenant(tenant: TenantId): Promise<void> {
    if (await this.hasTenant(tenant)) return
    const version = 1
    const [kmsKey] = this.#kmsKeysFor(tenant)
    const { key, wrapped } = await this.#kms.generateDataKey(kmsKey, contextOf(tenant, version))
    const wrapWith = wrapKeyFrom(key)
    key.fill(0)
    const uses = KEY_USES.map((use) => {
      const place = { tenant, holder: { use }, tenantKeyVersion: version, version: 1 }
      return { use, version: 1, tenantKeyVersion: version, wrapped: newWrappedKey(wrapWith, place, this.#random), sealsFrom: 0 }
    })
    // if another process was first, its keys stay and these are discarded
    await this.#table.createTenant(tenant, { versions: [{ version, wrapped, kmsKey, created: this.#now() }], uses })
  }

  /** @throws KeyUnavailable if the tenant or the use has no key, or KMS refuses; IntegrityFailure; StoreUnavailable */
  async purposeKey<Use extends KeyUse>(tenant: TenantId, use: Use): Promise<PurposeKey<Use>> {
    const keys = await this.#tenantKeys(tenant)
    return keys.purposeKey(use, this.#now())
  }

  /**
   * Returns the keys of these patients. Patients without a key item are absent.
   *
   * @param read `always` loads the items again even if keys are cached: the same work for a caller that may not learn
   *   that a patient exists
   * @throws KeyUnavailable, StoreUnavailable, IntegrityFailure for a failure that concerns all patients; the handle of a
   *   patient throws the failures of that patient
   */
  async patientKeys(tenant: TenantId, patients: readonly PatientId[], read: 'cached' | 'always'): Promise<Handles> {
    const requested = [...new Set(patients)]
    if (read === 'always') return await this.#fetchPatients(tenant, requested)
    const handles = new Map<PatientId, PatientKeyHandle>()
    const wanted: PatientId[] = []
    const joined = new Map<PatientId, Promise<Handles>>()
    for (const patient of requested) {
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
      for (const patient of requested) {
        const handle = landed.get(patient)
        if (handle) handles.set(patient, handle)
      }
    }
    // a joined load may have started before the patient existed
    const late = [...joined.keys()].filter((patient) => !handles.has(patient))
    if (late.length > 0) for (const [patient, handle] of await this.#fetchPatients(tenant, late)) handles.set(patient, handle)
    return handles
  }

  /** Single flight: concurrent requests for the same patients wait for this load. */
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
    // the age of a key starts at the request, however long the answer takes
    const from = this.#now()
    const handles = new Map<PatientId, PatientKeyHandle>()
    if (patients.length === 0) return handles
    const { keys, items } = await this.#loadPatients(tenant, patients, from)
    const named = [...items.values()].flatMap(({ versions }) => versions.map(({ tenantKeyVersion }) => tenantKeyVersion))
    // all handles share one map, which saves memory on a long panel
    const wrapKeys = await keys.wrapKeys(new Set(named))
    const destructions = await this.#readDestructions(tenant, items, keys)
    for (const patient of patients) {
      const item = items.get(patient)
      const handle =
        item && this.#handleFor(tenant, patient, item, { wrapKeys, destruction: destructions.get(patient) }, from, keys.until)
      if (handle) handles.set(patient, handle)
      else this.#patients.delete(nameOf(tenant, patient))
    }
    return handles
  }

  /** Verifies the tombstones among the items, by patient. Without a tombstone it loads no key. */
  async #readDestructions(
    tenant: TenantId,
    items: ReadonlyMap<PatientId, PatientKeyItem>,
    keys: TenantKeys,
  ): Promise<ReadonlyMap<PatientId, Destruction>> {
    const destroyedItems = [...items].filter(([, { tombstone }]) => tombstone !== undefined)
    if (destroyedItems.length === 0) return new Map()
    const access = await keys.purposeKey('access', this.#now()).catch((error: unknown) => {
      if (error instanceof KeyUnavailable || error instanceof IntegrityFailure) return error
      throw error
    })
    return new Map(
      destroyedItems.flatMap(([patient, item]) => {
        const destruction = readDestruction(access, tenant, patient, item)
        return destruction === undefined ? [] : [[patient, destruction]]
      }),
    )
  }

  /**
   * Creates a key for a new patient, neither stored nor cached. The store writes the item with the patient's first record, on
   * condition that the patient has none. The key is wrapped under the newest tenant key. To find it, the tenant's item is read
   * again, because the item in memory may be older than a rotation.
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
    return ready.hasVersion(newestVersion(item.versions)) ? ready : await this.#reloaded(tenant, ready)
  }

  /** Reloads the keys of a tenant if its stored item is newer than the cached one. One reload serves all requests. */
  async #reloaded(tenant: TenantId, outdated: TenantKeys): Promise<TenantKeys> {
    if (this.#tenants.get(tenant) === outdated) this.#tenants.delete(tenant)
    return await this.#tenantKeys(tenant, outdated)
  }

  #handleFor(
    tenant: TenantId,
    patient: PatientId,
    item: PatientKeyItem,
    { wrapKeys, destruction }: { readonly wrapKeys: WrapKeys; readonly destruction: Destruction | undefined },
    from: number,
    tenantUntil: number,
  ): PatientKeyHandle {
    const name = nameOf(tenant, patient)
    const cached = this.#patients.get(name)
    if (cached?.isOf(item)) return cached
    const handle = new PatientKeyHandle(tenant, patient, item, wrapKeys, from, destruction)
    // a tombstone that was not proven authentic is verified again at the next request
    const settled = destruction === undefined || handle.erased
    const complete = settled && item.versions.every(({ tenantKeyVersion }) => !(wrapKeys.get(tenantKeyVersion) instanceof Error))
    // an entry never outlives the tenant key that unwrapped it, and a failure of KMS is not cached
    if (complete) this.#patients.set(name, handle, from, Math.min(from + this.#limits.patientAge, tenantUntil))
    return handle
  }

  /** Loads the patient items, and in the same load the tenant item if its keys are not cached. */
  async #loadPatients(
    tenant: TenantId,
    patients: readonly PatientId[],
    from: number,
  ): Promise<{ keys: TenantKeys; items: ReadonlyMap<PatientId, PatientKeyItem> }> {
    const ready = this.#tenants.get(tenant) ?? this.#tenantFlights.get(tenant)
    const loading = this.#load(tenant, { tenantItem: !ready, patients })
    const unlocking = ready ?? this.#unlock(tenant, loading, from)
    const [keys, { patients: items }] = await Promise.all([unlocking, loading])
    const isCurrent = [...items.values()].every(({ versions }) =>
      versions.every(({ tenantKeyVersion }) => keys.hasVersion(tenantKeyVersion)),
    )
    if (isCurrent) return { keys, items }
    // a patient key is wrapped under a newer tenant key than the cached item has
    return { keys: await this.#reloaded(tenant, keys), items }
  }

  /** @param outdated the keys of an older item: KMS is not asked again for the versions that they have opened */
  async #tenantKeys(tenant: TenantId, outdated?: TenantKeys): Promise<TenantKeys> {
    const ready = this.#tenants.get(tenant) ?? this.#tenantFlights.get(tenant)
    if (ready) return ready
    return this.#unlock(tenant, this.#load(tenant, { tenantItem: true, patients: [] }), this.#now(), outdated)
  }

  /** Single flight: concurrent requests for a tenant key wait for the same answer. */
  #unlock(tenant: TenantId, loading: Promise<LoadedKeys>, from: number, outdated?: TenantKeys): Promise<TenantKeys> {
    const flight = loading.then(async ({ tenant: item }) => {
      if (!item) throw new KeyUnavailable()
      const keys = this.#keysOf(tenant, item, from, outdated)
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

  #keysOf(tenant: TenantId, item: TenantKeyItem, from: number, outdated?: TenantKeys): TenantKeys {
    const allowed = this.#kmsKeysFor(tenant)
    const open = (wrapped: WrappedTenantKey) => openTenantKey(this.#kms, tenant, allowed, wrapped)
    const until = from + this.#limits.tenantAge
    // keys that were opened earlier expire earlier
    if (outdated !== undefined && outdated.until > from)
      return new TenantKeys(tenant, item, Math.min(until, outdated.until), open, outdated)
    return new TenantKeys(tenant, item, until, open)
  }

  #load(tenant: TenantId, wanted: WantedKeys): Promise<LoadedKeys> {
    this.#tableLoads++
    return this.#table.load(tenant, wanted)
  }
}

// tenant names contain no `#`
const nameOf = (tenant: TenantId, patient: PatientId): string => `${tenant}#${patient}`
