import type { Jwks, JwksCache, JwkWithKid } from 'aws-jwt-verify/jwk'
import * as z from 'zod'
import { Unauthenticated } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'
import type { StoredKeySet } from '../store/issuer-keys.ts'
import type { KeySet, KeySetKeeper } from './issuer-key-sets.ts'
import { MAX_KEY_SET, requestKeySet } from './key-set-request.ts'
import { fitsAlgorithm, type VerificationKey, verificationKeys } from './verification-key.ts'

/** The key set is requested again after this time, so that a key that the issuer withdrew stops working. */
const REFRESH_MS = 10 * 60_000
/** The last valid key set is used for this time if the issuer does not answer: its outage must not stop care. */
const MAX_AGE_MS = 24 * 60 * 60_000
/** Minimum time between requests to the issuer, whatever key ids the tokens have. It is shorter before the first key set. */
const PAUSE_MS = 30_000
const FIRST_PAUSE_MS = 1_000

const KeySetText = z.object({ keys: z.array(z.unknown()) })

type Decomposed = Parameters<JwksCache['getJwk']>[1]

/**
 * Caches the keys of one issuer.
 * - Requests the key set again after ten minutes, or for an unknown key id, at most twice a minute.
 * - If the issuer does not answer, uses the keys for up to a day.
 * - If another process stored a newer key set, uses that one during an outage.
 */
export class IssuerKeyCache implements JwksCache {
  readonly #uri: string
  readonly #now: Clock
  readonly #onChange: () => void
  readonly #keeper: KeySetKeeper | undefined
  #cached: (KeySet & { readonly keys: readonly VerificationKey[] }) | undefined
  #askedAt: number | undefined
  #asking: Promise<Jwks> | undefined

  /**
   * @param onChange called when the key set changes: drop everything derived from the former keys
   * @param keeper stores the last valid key set for all processes; undefined to keep it only in this process
   */
  constructor(uri: string, now: Clock, onChange: () => void, keeper: KeySetKeeper | undefined) {
    this.#uri = uri
    this.#keeper = keeper
    this.#now = now
    this.#onChange = onChange
  }

  /** @throws Unauthenticated if the key does not exist, or does not fit the algorithm */
  async getJwk(_uri: string, token: Decomposed): Promise<JwkWithKid> {
    const keys = this.#age() < REFRESH_MS ? this.#named(token) : []
    if (keys.length > 0) return fitting(keys, token)
    // a failed request leaves the key set at its age, which `getCachedJwk` checks
    if (this.#mayAsk() || this.#asking !== undefined) await this.getJwks().catch(() => undefined)
    return this.getCachedJwk(this.#uri, token)
  }

  /** @throws Unauthenticated */
  getCachedJwk(_uri: string, token: Decomposed): JwkWithKid {
    if (this.#age() >= MAX_AGE_MS) throw new Unauthenticated({ fault: 'KEYS_UNAVAILABLE' })
    const keys = this.#named(token)
    if (keys.length === 0) throw new Unauthenticated({ fault: 'UNKNOWN_KEY' })
    return fitting(keys, token)
  }

  /** Requests the key set before the first token. After a failure, the first token requests it again without a pause. */
  async prefetch(): Promise<void> {
    await this.getJwks().catch(() => {
      this.#askedAt = undefined
    })
  }

  /** Requests the key set. Concurrent calls share one request. */
  async getJwks(): Promise<Jwks> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  /** Not supported, because the key set must come from the issuer. @throws Unauthenticated */
  addJwks(): never {
    throw new Unauthenticated()
  }

  async #ask(): Promise<Jwks> {
    this.#askedAt = this.#now()
    // read during the request to the issuer: after its timeout there is no time left to read
    const last = this.#keeper?.last()
    let text: string
    let jwks: Jwks
    try {
      text = await requestKeySet(this.#uri)
      jwks = this.#adopt({ text, at: this.#now() })
    } catch (error) {
      return await this.#fallBack(await last, error)
    }
    await this.#keeper?.keep({ text, at: this.#now() }, await last)
    return jwks
  }

  /** Uses the stored key set of another process if it is newer than the cached one. @throws `error` otherwise */
  async #fallBack(last: StoredKeySet | undefined, error: unknown): Promise<Jwks> {
    if (last === undefined || last.text.length > MAX_KEY_SET) throw error
    if (last.at <= (this.#cached?.at ?? 0) || this.#now() - last.at >= MAX_AGE_MS) throw error
    const set = await this.#keeper?.verified(last)
    if (set === undefined) throw error
    return this.#adopt(set)
  }

  /** @throws SyntaxError, ZodError */
  #adopt({ text, at }: KeySet): Jwks {
    const keys = verificationKeys(KeySetText.parse(JSON.parse(text)).keys)
    const changed = this.#cached !== undefined && this.#cached.text !== text
    this.#cached = { keys, text, at }
    if (changed) this.#onChange()
    return { keys: keys.map(({ jwk }) => jwk) }
  }

  #mayAsk(): boolean {
    if (this.#askedAt === undefined) return true
    const since = this.#now() - this.#askedAt
    // after the clock was set back, the time since the last request is unknown, so ask again
    return since < 0 || since >= (this.#cached === undefined ? FIRST_PAUSE_MS : PAUSE_MS)
  }

  #age(): number {
    const age = this.#cached === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#cached.at
    return age < 0 ? Number.POSITIVE_INFINITY : age
  }

  #named({ header: { kid } }: Decomposed): readonly VerificationKey[] {
    return kid === undefined ? [] : (this.#cached?.keys.filter(({ jwk }) => jwk.kid === kid) ?? [])
  }
}

/**
 * Returns the key of the algorithm. Two different keys of one id are ambiguous, so neither verifies.
 *
 * @throws Unauthenticated
 */
function fitting(keys: readonly VerificationKey[], { header: { alg } }: Decomposed): JwkWithKid {
  const [first, ...others] = keys.filter((key) => fitsAlgorithm(key, alg))
  if (first === undefined) throw new Unauthenticated({ fault: 'ALGORITHM' })
  if (others.some(({ key }) => !key.equals(first.key))) throw new Unauthenticated({ fault: 'UNKNOWN_KEY' })
  return first.jwk
}
