import { randomBytes } from 'node:crypto'
import { IntegrityFailure, KeyUnavailable, VersionConflict } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import type { KeyAct, KeyChanger, KeyChanges, PatientKeyChange } from './key-changes.ts'
import { KEY_USES, type KeyTable, type KeyUse, newestVersion, type PatientKeyItem, type TenantKeyItem } from './key-table.ts'
import { contextOf, type KmsKeys, openTenantKey } from './kms-keys.ts'
import type { Kms } from './kms.ts'
import type { RandomBytes } from './parts.ts'
import type { WrapKeys } from './patient-keys.ts'
import { TenantKeys } from './tenant-keys.ts'
import { rewritableFrom } from './token-versions.ts'
import { newWrappedKey, rewrapKey, wrapKeyFrom, type WrapPlace } from './wrap.ts'

export interface RotationParts {
  readonly kms: Kms
  readonly table: KeyTable
  readonly changer: KeyChanger
  readonly now: Clock
  readonly kmsKeysFor: (tenant: TenantId) => KmsKeys
  readonly randomBytes?: RandomBytes
}

/**
 * The uses with a renewable key. Data under `access` and `cursor` names its key version. Rows under `index` follow from records, so they
 * can be written again. Ids and other tokens name no version and cannot change, so their keys stay at version 1.
 */
export type RenewableUse = Extract<KeyUse, 'access' | 'cursor' | 'index'>

/**
 * A new key seals only after every process has loaded it. Processes cache the keys of a tenant for 300 s and those of a
 * patient for 60 s, and clocks may differ by a minute.
 */
const SEALS_AFTER_MS = { use: 360_000, patient: 120_000 } as const
/** A transaction holds 100 actions, and one of them is the audit record. */
const PATIENTS_AT_ONCE = 50
const TRIES = 5

/** Numbers of patients by result. `refused`: a key did not open, or other writers kept changing the item. */
export interface RewrapCounts {
  readonly rewrapped: number
  readonly already: number
  readonly refused: number
}

/**
 * Changes the keys of a tenant while the gateway reads and writes. It changes no sealed value: it wraps keys again, or adds a
 * version beside the existing ones. Each write requires that the item is still as read, so one of two concurrent changes
 * starts again.
 */
export class KeyRotation {
  readonly #parts: RotationParts
  readonly #random: RandomBytes

  constructor(parts: RotationParts) {
    this.#parts = parts
    this.#random = parts.randomBytes ?? randomBytes
  }

  /**
   * Adds a version of the tenant key, under the tenant's current KMS key. Wraps the purpose keys under it at once; `rewrap`
   * does so with the patient keys.
   *
   * @param planned if the tenant has this version, nothing changes: for a rotation that started earlier
   * @returns the newest version
   * @throws KeyUnavailable if the tenant has no keys or KMS refuses; VersionConflict if other writers keep changing the item;
   *   IntegrityFailure, StoreUnavailable, AuditUnavailable
   */
  async rotate(tenant: TenantId, planned = Number.POSITIVE_INFINITY): Promise<number> {
    return await this.#changeTenant(tenant, 'ROTATE', async (before) => {
      if (newestVersion(before.versions) >= planned) return { version: newestVersion(before.versions), after: before }
      const version = newestVersion(before.versions) + 1
      const [kmsKey] = this.#parts.kmsKeysFor(tenant)
      const former = await this.#wrapKeysOf(tenant, before, before.uses)
      const { key, wrapped } = await this.#parts.kms.generateDataKey(kmsKey, contextOf(tenant, version))
      const wrapWith = wrapKeyFrom(key)
      key.fill(0)
      const uses = before.uses.map((use) => {
        const place = { tenant, holder: { use: use.use }, tenantKeyVersion: use.tenantKeyVersion, version: use.version }
        const to = { wrapWith, place: { ...place, tenantKeyVersion: version } }
        return { ...use, tenantKeyVersion: version, wrapped: rewrapKey(at(former, place), to, use.wrapped, this.#random) }
      })
      return { version, after: { versions: [...before.versions, { version, wrapped, kmsKey, created: this.#parts.now() }], uses } }
    })
  }

  /**
   * Adds the purpose keys that the tenant lacks, because it is older than their use. A process that has the keys of the tenant in memory
   * finds them within five minutes.
   *
   * @returns the uses that got a key
   * @throws the errors of `rotate`
   */
  async addMissingUses(tenant: TenantId): Promise<readonly KeyUse[]> {
    const { tenant: item } = await this.#parts.table.load(tenant, { tenantItem: true, patients: [] })
    const missing = KEY_USES.filter((use) => item?.uses.every((one) => one.use !== use) === true)
    if (missing.length === 0) return []
    await this.#changeTenant(tenant, 'ADD_USE', async (before) => {
      const tenantKeyVersion = newestVersion(before.versions)
      const wrapWith = wrapKeyIn(await this.#wrapKeysOf(tenant, before, [{ tenantKeyVersion }]), tenantKeyVersion)
      const version = 1
      const added = missing
        .filter((use) => before.uses.every((one) => one.use !== use))
        .map((use) => {
          const wrapped = newWrappedKey(wrapWith, { tenant, holder: { use }, tenantKeyVersion, version }, this.#random)
          return { use, version, tenantKeyVersion, wrapped, sealsFrom: 0 }
        })
      return { version, after: { ...before, uses: [...before.uses, ...added] } }
    })
    return missing
  }

  /**
   * Adds a version of a purpose key, which starts to seal after six minutes. Older versions continue to open.
   *
   * @param planned as for `rotate`
   * @returns the newest version
   * @throws the errors of `rotate`
   */
  async renewUse(tenant: TenantId, use: RenewableUse, planned = Number.POSITIVE_INFINITY): Promise<number> {
    return await this.#changeTenant(tenant, 'RENEW_USE', async (before) => {
      const newest = newestVersion(before.uses.filter((candidate) => candidate.use === use))
      if (newest >= planned) return { version: newest, after: before }
      const version = newest + 1
      const tenantKeyVersion = newestVersion(before.versions)
      const wrapWith = wrapKeyIn(await this.#wrapKeysOf(tenant, before, [{ tenantKeyVersion }]), tenantKeyVersion)
      const wrapped = newWrappedKey(wrapWith, { tenant, holder: { use }, tenantKeyVersion, version }, this.#random)
      const sealsFrom = this.#parts.now() + SEALS_AFTER_MS.use
      return { version, after: { ...before, uses: [...before.uses, { use, version, tenantKeyVersion, wrapped, sealsFrom }] } }
    })
  }

  /**
   * Destroys the former versions of the `index` key. Call it after all rows of the search table were rewritten under the newest one.
   *
   * @returns the version that remains
   * @throws VersionConflict if rows could still be written under a former version; the errors of `rotate`
   */
  async retireFormerIndex(tenant: TenantId): Promise<number> {
    return await this.#changeTenant(tenant, 'RETIRE_USE', (before) => {
      const versions = before.uses.filter(({ use }) => use === 'index')
      const newest = versions.find(({ version }) => version === newestVersion(versions))
      if (newest === undefined || rewritableFrom(newest) > this.#parts.now()) throw new VersionConflict()
      if (versions.length === 1) return { version: newest.version, after: before }
      const uses = before.uses.filter(({ use, version }) => use !== 'index' || version === newest.version)
      return { version: newest.version, after: { ...before, uses } }
    })
  }

  /**
   * Adds a version of a patient's key, which starts to seal after two minutes. Values that are already sealed stay unchanged
   * and open with the version that they name.
   *
   * @returns the version
   * @throws KeyUnavailable if the patient has no key; the errors of `rotate`
   */
  async renewPatient(tenant: TenantId, patient: PatientId): Promise<number> {
    return await this.#withRetries(tenant, 'RENEW_PATIENT', async () => {
      const { tenant: item, patients } = await this.#parts.table.load(tenant, { tenantItem: true, patients: [patient] })
      const before = patients.get(patient)
      if (!item || !before || before.versions.length === 0) throw new KeyUnavailable()
      const version = newestVersion(before.versions) + 1
      const tenantKeyVersion = newestVersion(item.versions)
      const wrapWith = wrapKeyIn(await this.#wrapKeysOf(tenant, item, [{ tenantKeyVersion }]), tenantKeyVersion)
      const place = { tenant, holder: { use: 'patient-key', patient }, tenantKeyVersion, version } as const
      const wrapped = newWrappedKey(wrapWith, place, this.#random)
      const sealsFrom = this.#parts.now() + SEALS_AFTER_MS.patient
      const after = { versions: [...before.versions, { version, tenantKeyVersion, wrapped, sealsFrom }] }
      return { version, changes: { patients: [{ patient, before, after }] } }
    })
  }

  /**
   * Wraps all patient keys of a tenant under its newest tenant key. You can stop a run at any time: the next run skips the
   * keys that are already wrapped and continues with the others.
   *
   * @param onProgress called after each group of patients
   * @throws KeyUnavailable if KMS does not open a version that is needed; StoreUnavailable, AuditUnavailable
   */
  async rewrap(tenant: TenantId, onProgress: (counts: RewrapCounts) => void): Promise<RewrapCounts> {
    const { tenant: item } = await this.#parts.table.load(tenant, { tenantItem: true, patients: [] })
    if (!item) throw new KeyUnavailable()
    const newest = newestVersion(item.versions)
    const keys = this.#keysOf(tenant, item)
    const counts = { rewrapped: 0, already: 0, refused: 0 }
    for await (const page of this.#parts.changer.pages(tenant)) {
      const old = [...page].filter(([, { versions }]) => versions.some(({ tenantKeyVersion }) => tenantKeyVersion < newest))
      counts.already += page.size - old.length
      for (let start = 0; start < old.length; start += PATIENTS_AT_ONCE) {
        const group = new Map(old.slice(start, start + PATIENTS_AT_ONCE))
        await this.#rewrapGroup(tenant, group, keys, newest, counts)
        onProgress({ ...counts })
      }
    }
    return counts
  }

  async #rewrapGroup(
    tenant: TenantId,
    group: ReadonlyMap<PatientId, PatientKeyItem>,
    keys: TenantKeys,
    newest: number,
    counts: { rewrapped: number; already: number; refused: number },
  ): Promise<void> {
    const versions = [...group.values()].flatMap((item) => item.versions.map(({ tenantKeyVersion }) => tenantKeyVersion))
    const wrapKeys = await keys.wrapKeys(new Set([newest, ...versions.filter((version) => keys.hasVersion(version))]))
    const changes = [...group].flatMap(([patient, before]): PatientKeyChange[] => {
      const after = this.#rewrapped(tenant, patient, before, wrapKeys, newest)
      if (after === undefined) counts.refused++
      return after === undefined ? [] : [{ patient, before, after }]
    })
    if (changes.length === 0) return
    if ((await this.#parts.changer.write(tenant, 'REWRAP', { patients: changes })) === 'written') {
      counts.rewrapped += changes.length
      return
    }
    // another writer changed one of the items: each is retried separately, so that the others need not wait
    for (const { patient } of changes) counts[await this.#rewrapOne(tenant, patient, wrapKeys, newest)]++
  }

  async #rewrapOne(tenant: TenantId, patient: PatientId, wrapKeys: WrapKeys, newest: number): Promise<keyof RewrapCounts> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { patients } = await this.#parts.table.load(tenant, { tenantItem: false, patients: [patient] })
      const before = patients.get(patient)
      if (!before || before.versions.every(({ tenantKeyVersion }) => tenantKeyVersion >= newest)) return 'already'
      const after = this.#rewrapped(tenant, patient, before, wrapKeys, newest)
      if (!after) return 'refused'
      const written = await this.#parts.changer.write(tenant, 'REWRAP', { patients: [{ patient, before, after }] })
      if (written === 'written') return 'rewrapped'
    }
    return 'refused'
  }

  /** Undefined if a key does not open at its place: a forged key must not become a valid one. */
  #rewrapped(
    tenant: TenantId,
    patient: PatientId,
    item: PatientKeyItem,
    wrapKeys: WrapKeys,
    newest: number,
  ): PatientKeyItem | undefined {
    const to = wrapKeyIn(wrapKeys, newest)
    try {
      const versions = item.versions.map((key) => {
        if (key.tenantKeyVersion >= newest) return key
        const { version, tenantKeyVersion } = key
        const place = { tenant, holder: { use: 'patient-key', patient }, tenantKeyVersion, version } as const
        const target = { wrapWith: to, place: { ...place, tenantKeyVersion: newest } }
        const wrapped = rewrapKey(at(wrapKeys, place), target, key.wrapped, this.#random)
        return { ...key, tenantKeyVersion: newest, wrapped }
      })
      return { ...item, versions }
    } catch (error) {
      if (error instanceof IntegrityFailure) return undefined
      throw error
    }
  }

  async #changeTenant(
    tenant: TenantId,
    act: KeyAct,
    change: (before: TenantKeyItem) => TenantChange | Promise<TenantChange>,
  ): Promise<number> {
    return await this.#withRetries(tenant, act, async () => {
      const { tenant: before } = await this.#parts.table.load(tenant, { tenantItem: true, patients: [] })
      if (!before) throw new KeyUnavailable()
      const { version, after } = await change(before)
      return { version, changes: after === before ? undefined : { tenant: { before, after }, patients: [] } }
    })
  }

  async #withRetries(
    tenant: TenantId,
    act: KeyAct,
    prepare: () => Promise<{ version: number; changes: KeyChanges | undefined }>,
  ): Promise<number> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { version, changes } = await prepare()
      if (changes === undefined || (await this.#parts.changer.write(tenant, act, changes)) === 'written') return version
    }
    throw new VersionConflict()
  }

  async #wrapKeysOf(
    tenant: TenantId,
    item: TenantKeyItem,
    wrapped: readonly { readonly tenantKeyVersion: number }[],
  ): Promise<WrapKeys> {
    return await this.#keysOf(tenant, item).wrapKeys(new Set(wrapped.map(({ tenantKeyVersion }) => tenantKeyVersion)))
  }

  #keysOf(tenant: TenantId, item: TenantKeyItem): TenantKeys {
    const allowed = this.#parts.kmsKeysFor(tenant)
    return new TenantKeys(tenant, item, this.#parts.now(), (wrapped) => openTenantKey(this.#parts.kms, tenant, allowed, wrapped))
  }
}

/** The same item as before changes nothing. */
interface TenantChange {
  readonly version: number
  readonly after: TenantKeyItem
}

const at = (keys: WrapKeys, place: WrapPlace) => ({ wrapWith: wrapKeyIn(keys, place.tenantKeyVersion), place })

function wrapKeyIn(keys: WrapKeys, version: number) {
  const key = keys.get(version)
  if (key === undefined) throw new IntegrityFailure()
  if (key instanceof Error) throw key
  return key
}
