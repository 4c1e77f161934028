import type { KeyObject } from 'node:crypto'
import { Failure, IntegrityFailure, KeyUnavailable } from '../model/failures.ts'
import type { TenantId } from '../model/ids.ts'
import { keyFrom } from './derive.ts'
import {
  type KeyUse,
  newestVersion,
  sealingVersion,
  type TenantKeyItem,
  type WrappedTenantKey,
  type WrappedPurposeKey,
} from './key-table.ts'
import { isVersion } from './parts.ts'
import type { WrapKeys } from './patient-keys.ts'
import { unwrapKey, wrapKeyFrom } from './wrap.ts'

/** A tenant's key for one use: the newest version that seals, and the way to the others. */
export interface PurposeKey<Use extends KeyUse = KeyUse> {
  readonly use: Use
  readonly version: number
  readonly key: KeyObject
  /** Any version, undefined when there is none. @throws KeyUnavailable, IntegrityFailure */
  byVersion(version: number): KeyObject | undefined
}

/** Asks KMS for one version of a tenant key. */
export type OpenTenantKey = (wrapped: WrappedTenantKey) => Promise<Uint8Array>

/**
 * The keys of one tenant in memory. Each version of the tenant key is asked of KMS once, when first needed; of the
 * tenant key itself only the wrap key derived from it is kept.
 */
export class TenantKeys {
  /** Milliseconds since the epoch: nothing of it is used from then on. */
  readonly until: number
  readonly #tenant: TenantId
  readonly #item: TenantKeyItem
  readonly #open: OpenTenantKey
  readonly #wrapKeys = new Map<number, Promise<KeyObject>>()
  readonly #uses = new Map<string, KeyObject>()

  constructor(tenant: TenantId, item: TenantKeyItem, until: number, open: OpenTenantKey) {
    this.#tenant = tenant
    this.#item = item
    this.until = until
    this.#open = open
  }

  /** The version of the tenant key that new keys are wrapped under. @throws KeyUnavailable when there is none */
  get currentVersion(): number {
    const newest = newestVersion(this.#item.versions)
    if (!isVersion(newest)) throw new KeyUnavailable()
    return newest
  }

  knows(version: number): boolean {
    return this.#item.versions.some((known) => known.version === version)
  }

  /** @throws KeyUnavailable, IntegrityFailure */
  wrapKey(version: number): Promise<KeyObject> {
    const ready = this.#wrapKeys.get(version)
    if (ready) return ready
    const opening = this.#openVersion(version)
    this.#wrapKeys.set(version, opening)
    // a failure is not kept: the next request asks again
    opening.catch(() => this.#wrapKeys.delete(version))
    return opening
  }

  /** The wrap keys of these versions; one that fails closes only what it wraps. */
  async wrapKeys(versions: ReadonlySet<number>): Promise<WrapKeys> {
    const answers = [...versions].map(async (version): Promise<[number, KeyObject | Failure]> => {
      try {
        return [version, await this.wrapKey(version)]
      } catch (error) {
        if (error instanceof Failure) return [version, error]
        throw error
      }
    })
    return new Map(await Promise.all(answers))
  }

  /**
   * @param now milliseconds since the epoch: it says which version seals
   * @throws KeyUnavailable when the tenant has no key for this use, or its tenant key cannot be had; IntegrityFailure
   */
  async useKey<Use extends KeyUse>(use: Use, now: number): Promise<PurposeKey<Use>> {
    const versions = this.#item.uses.filter((candidate) => candidate.use === use)
    const wrapKeys = await this.wrapKeys(new Set(versions.map(({ tenantKeyVersion }) => tenantKeyVersion)))
    const byVersion = (version: number): KeyObject | undefined => {
      const wrapped = versions.find((candidate) => candidate.version === version)
      return wrapped && this.#unwrapUse(wrapped, wrapKeys)
    }
    const version = sealingVersion(versions, now)
    const key = byVersion(version)
    if (!key) throw new KeyUnavailable()
    return { use, version, key, byVersion }
  }

  #unwrapUse({ use, version, tenantKeyVersion, wrapped }: WrappedPurposeKey, wrapKeys: WrapKeys): KeyObject {
    const name = `${use}#${version}`
    const ready = this.#uses.get(name)
    if (ready) return ready
    const wrapKey = wrapKeys.get(tenantKeyVersion)
    if (!wrapKey || !isVersion(version)) throw new IntegrityFailure()
    if (wrapKey instanceof Error) throw wrapKey
    const key = keyFrom(unwrapKey(wrapKey, { tenant: this.#tenant, holder: { use }, tenantKeyVersion, version }, wrapped))
    this.#uses.set(name, key)
    return key
  }

  async #openVersion(version: number): Promise<KeyObject> {
    const wrapped = this.#item.versions.find((candidate) => candidate.version === version)
    if (!wrapped) throw new IntegrityFailure()
    const raw = await this.#open(wrapped)
    try {
      return wrapKeyFrom(raw)
    } finally {
      raw.fill(0)
    }
  }
}
