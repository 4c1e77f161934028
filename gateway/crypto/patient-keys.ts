import type { KeyObject } from 'node:crypto'
import { Erased, type Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { deriveKey } from './derive.ts'
import { type PatientKeyItem, sealingVersion, type WrappedPatientKey } from './key-table.ts'
import { isVersion } from './parts.ts'
import { unwrapKey } from './wrap.ts'

/** One version of a patient's key: the two keys that are derived from it. */
export interface PatientKey {
  readonly version: number
  readonly seal: KeyObject
  readonly manifest: KeyObject
}

/** The keys of one patient. */
export interface PatientKeys {
  /** Returns the newest version that seals. @throws KeyUnavailable, IntegrityFailure, Erased */
  current(): PatientKey
  /**
   * Returns the version that a sealed value names; undefined if it does not exist.
   *
   * @throws KeyUnavailable, IntegrityFailure, Erased
   */
  byVersion(version: number): PatientKey | undefined
}

/**
 * Derives both keys, `docs/sealed-field.md` section 1.
 *
 * @param raw the patient key, 32 bytes; this function wipes it
 */
export function patientKeyFrom(version: number, raw: Uint8Array): PatientKey {
  const key = {
    version,
    seal: deriveKey(raw, 'phi-gateway/seal/v1'),
    manifest: deriveKey(raw, 'phi-gateway/manifest/v1'),
  }
  raw.fill(0)
  return key
}

/** Wrap keys by tenant key version; a failure in place of each key that could not be loaded. */
export type WrapKeys = ReadonlyMap<number, KeyObject | Failure>

/** The result of verifying a tombstone: `Erased` if it is authentic, otherwise the failure that leaves this open. */
export type Destruction = Erased | IntegrityFailure | KeyUnavailable

/**
 * The keys of one patient from the keyring. A key is unwrapped at its first use, so a loaded key without a granted field
 * costs nothing.
 *
 * A handle belongs to the request that fetched it. Do not keep it longer.
 */
export class PatientKeyHandle implements PatientKeys {
  readonly #tenant: TenantId
  readonly #patient: PatientId
  readonly #item: PatientKeyItem
  readonly #wrapKeys: WrapKeys
  readonly #sealsWith: number
  readonly #destruction: Destruction | undefined
  readonly #unwrapped = new Map<number, PatientKey>()

  /**
   * @param now when the keys were requested, in milliseconds since the epoch; decides which version seals
   * @param destruction the result of verifying the item's tombstone; undefined without a tombstone
   */
  constructor(
    tenant: TenantId,
    patient: PatientId,
    item: PatientKeyItem,
    wrapKeys: WrapKeys,
    now: number,
    destruction?: Destruction,
  ) {
    this.#tenant = tenant
    this.#patient = patient
    this.#item = item
    this.#wrapKeys = wrapKeys
    this.#sealsWith = sealingVersion(item.versions, now)
    this.#destruction = destruction
  }

  /** Whether an authentic tombstone replaced the keys. */
  get erased(): boolean {
    return this.#destruction instanceof Erased
  }

  /**
   * @throws KeyUnavailable if the patient has no key or the tenant key is unavailable
   * @throws IntegrityFailure if the key is damaged
   * @throws Erased
   */
  current(): PatientKey {
    const key = this.byVersion(this.#sealsWith)
    if (!key) throw new KeyUnavailable()
    return key
  }

  /** @throws KeyUnavailable if the tenant key is unavailable; IntegrityFailure if the key is damaged; Erased */
  byVersion(version: number): PatientKey | undefined {
    if (this.#destruction !== undefined) throw this.#destruction
    const ready = this.#unwrapped.get(version)
    if (ready) return ready
    const wrapped = this.#item.versions.find((candidate) => candidate.version === version)
    if (!wrapped) return undefined
    const key = this.#unwrap(wrapped)
    this.#unwrapped.set(version, key)
    return key
  }

  /** Whether the handle was made from the same wrapped keys, so that its unwrapped keys can be used again. */
  isOf(item: PatientKeyItem): boolean {
    const own = this.#item.versions
    if (Buffer.compare(this.#item.tombstone ?? NONE, item.tombstone ?? NONE) !== 0) return false
    return own.length === item.versions.length && item.versions.every((version, i) => own[i] !== undefined && same(own[i], version))
  }

  #unwrap({ version, tenantKeyVersion, wrapped }: WrappedPatientKey): PatientKey {
    const wrapKey = this.#wrapKeys.get(tenantKeyVersion)
    if (!wrapKey || !isVersion(version)) throw new IntegrityFailure()
    if (wrapKey instanceof Error) throw wrapKey
    const holder = { use: 'patient-key', patient: this.#patient } as const
    return patientKeyFrom(version, unwrapKey(wrapKey, { tenant: this.#tenant, holder, tenantKeyVersion, version }, wrapped))
  }
}

const NONE = new Uint8Array()
const same = (a: WrappedPatientKey, b: WrappedPatientKey): boolean =>
  a.version === b.version && a.tenantKeyVersion === b.tenantKeyVersion && Buffer.compare(a.wrapped, b.wrapped) === 0
