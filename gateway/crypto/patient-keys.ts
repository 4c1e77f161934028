import type { KeyObject } from 'node:crypto'
import { Erased, type Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { PatientId, TenantId } from '../model/ids.ts'
import { deriveKey } from './derive.ts'
import { type PatientKeyItem, sealingVersion, type WrappedPatientKey } from './key-table.ts'
import { isVersion } from './parts.ts'
import { unwrapKey } from './wrap.ts'

/** One version of a patient's key, as the two keys derived from it. */
export interface PatientKey {
  readonly version: number
  readonly seal: KeyObject
  readonly manifest: KeyObject
}

/** The keys of one patient. */
export interface PatientKeys {
  /** The newest that seals. @throws KeyUnavailable, IntegrityFailure, Erased */
  current(): PatientKey
  /** The one that a sealed value names, or undefined when there is none. @throws KeyUnavailable, IntegrityFailure, Erased */
  byVersion(version: number): PatientKey | undefined
}

/**
 * Derives both keys, `docs/sealed-field.md` section 1.
 *
 * @param raw the patient key, 32 bytes, wiped here
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

/** The wrap keys at hand by tenant key version; a failure where one could not be had. */
export type WrapKeys = ReadonlyMap<number, KeyObject | Failure>

/** What became of keys for which there is a tombstone: destroyed, or nobody knows. */
export type Destroyed = Erased | IntegrityFailure | KeyUnavailable

/**
 * A patient's keys out of the keyring, unwrapped when first used: what is loaded and not granted costs nothing.
 *
 * It belongs to the request that asked for it and is not kept beyond.
 */
export class PatientKeyHandle implements PatientKeys {
  readonly #tenant: TenantId
  readonly #patient: PatientId
  readonly #item: PatientKeyItem
  readonly #wrapKeys: WrapKeys
  readonly #sealsWith: number
  readonly #destroyed: Destroyed | undefined
  readonly #unwrapped = new Map<number, PatientKey>()

  /**
   * @param now when the keys were asked for, milliseconds since the epoch: it says which version seals
   * @param destroyed what the item's tombstone says; undefined where it has none
   */
  constructor(tenant: TenantId, patient: PatientId, item: PatientKeyItem, wrapKeys: WrapKeys, now: number, destroyed?: Destroyed) {
    this.#tenant = tenant
    this.#patient = patient
    this.#item = item
    this.#wrapKeys = wrapKeys
    this.#sealsWith = sealingVersion(item.versions, now)
    this.#destroyed = destroyed
  }

  /** Whether an authentic tombstone stands in the place of the keys. */
  get erased(): boolean {
    return this.#destroyed instanceof Erased
  }

  /** @throws KeyUnavailable when the patient has no key or the tenant key cannot be had, IntegrityFailure for a damaged one, Erased */
  current(): PatientKey {
    const key = this.byVersion(this.#sealsWith)
    if (!key) throw new KeyUnavailable()
    return key
  }

  /** @throws KeyUnavailable when the tenant key cannot be had, IntegrityFailure for a damaged key, Erased */
  byVersion(version: number): PatientKey | undefined {
    if (this.#destroyed !== undefined) throw this.#destroyed
    const ready = this.#unwrapped.get(version)
    if (ready) return ready
    const wrapped = this.#item.versions.find((candidate) => candidate.version === version)
    if (!wrapped) return undefined
    const key = this.#unwrap(wrapped)
    this.#unwrapped.set(version, key)
    return key
  }

  /** Whether it was made from the same wrapped keys, so that what is unwrapped already can be used again. */
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
