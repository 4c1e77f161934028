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
import { type TokenVersions, tokenVersions } from './token-versions.ts'
import type { WrapKeys } from './patient-keys.ts'
import { unwrapKey, wrapKeyFrom } from './wrap.ts'

/** A tenant's key for one use: the newest version that seals, and access to the other versions. */
export interface PurposeKey<Use extends KeyUse = KeyUse> {
  readonly use: Use
  readonly version: number
  readonly key: KeyObject
  /** For a key of tokens: the versions of tokens that a lookup asks for, and those that a write leaves. Oldest first. */
  readonly tokenVersions: TokenVersions
  /** Returns any version; undefined if it does not exist. @throws KeyUnavailable, IntegrityFailure */
  byVersion(version: number): KeyObject | undefined
}

/** Decrypts one version of a tenant key with KMS. */
export type OpenTenantKey = (wrapped: WrappedTenantKey) => Promise<Uint8Array>

/**
 * The keys of one tenant in memory. KMS decrypts each version of the tenant key once, at its first use. Only the derived
 * wrap key stays in memory, not the tenant key itself.
 */
export class TenantKeys {
  /** When these keys expire, in milliseconds since the epoch. */
  readonly until: number
  readonly #tenant: TenantId
  readonly #item: TenantKeyItem
  readonly #open: OpenTenantKey
  readonly #wrapKeys = new Map<number, Promise<KeyObject>>()
  readonly #purposeKeys = new Map<string, KeyObject>()

  /** @param former the keys of an older item of the tenant: KMS is not asked again for the versions that they have opened */
  constructor(tenant: TenantId, item: TenantKeyItem, until: number, open: OpenTenantKey, former?: TenantKeys) {
    this.#tenant = tenant
    this.#item = item
    this.until = until
    this.#open = open
    if (former !== undefined) this.#adopt(former)
  }

  #adopt(former: TenantKeys): void {
    for (const [version, wrapKey] of former.#wrapKeys) {
      const [own, theirs] = [this.#item, former.#item].map(({ versions }) => versions.find((one) => one.version === version))
      const isSame = own !== undefined && theirs?.kmsKey === own.kmsKey && Buffer.compare(own.wrapped, theirs.wrapped) === 0
      if (isSame) this.#hold(version, wrapKey)
    }
  }

  /** The version of the tenant key that wraps new keys. @throws KeyUnavailable if the tenant has none */
  get currentVersion(): number {
    const newest = newestVersion(this.#item.versions)
    if (!isVersion(newest)) throw new KeyUnavailable()
    return newest
  }

  hasVersion(version: number): boolean {
    return this.#item.versions.some((candidate) => candidate.version === version)
  }

  /** @throws KeyUnavailable, IntegrityFailure */
  wrapKey(version: number): Promise<KeyObject> {
    const ready = this.#wrapKeys.get(version)
    if (ready) return ready
    const opening = this.#openVersion(version)
    this.#hold(version, opening)
    return opening
  }

  #hold(version: number, opening: Promise<KeyObject>): void {
    this.#wrapKeys.set(version, opening)
    // a failure is not cached: the next request calls KMS again
    opening.catch(() => this.#wrapKeys.delete(version))
  }

  /** Returns the wrap keys of these versions. A version that fails affects only the keys that it wraps. */
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
   * @param now milliseconds since the epoch; decides which version seals
   * @throws KeyUnavailable if the tenant has no key for this use, or the tenant key is unavailable; IntegrityFailure
   */
  async purposeKey<Use extends KeyUse>(use: Use, now: number): Promise<PurposeKey<Use>> {
    const versions = this.#item.uses.filter((candidate) => candidate.use === use)
    const wrapKeys = await this.wrapKeys(new Set(versions.map(({ tenantKeyVersion }) => tenantKeyVersion)))
    const byVersion = (version: number): KeyObject | undefined => {
      const wrapped = versions.find((candidate) => candidate.version === version)
      return wrapped && this.#unwrapPurposeKey(wrapped, wrapKeys)
    }
    const version = sealingVersion(versions, now)
    const key = byVersion(version)
    if (!key) throw new KeyUnavailable()
    return { use, version, key, tokenVersions: tokenVersions(versions, now), byVersion }
  }

  #unwrapPurposeKey({ use, version, tenantKeyVersion, wrapped }: WrappedPurposeKey, wrapKeys: WrapKeys): KeyObject {
    const name = `${use}#${version}`
    const ready = this.#purposeKeys.get(name)
    if (ready) return ready
    const wrapKey = wrapKeys.get(tenantKeyVersion)
    if (!wrapKey || !isVersion(version)) throw new IntegrityFailure()
    if (wrapKey instanceof Error) throw wrapKey
    const key = keyFrom(unwrapKey(wrapKey, { tenant: this.#tenant, holder: { use }, tenantKeyVersion, version }, wrapped))
    this.#purposeKeys.set(name, key)
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
