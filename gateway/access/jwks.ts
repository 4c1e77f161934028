import { assertIsJwks, findJwkInJwks, type Jwks, type JwksCache, type JwkWithKid } from 'aws-jwt-verify/jwk'
import { Unauthenticated } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'
import type { StoredKeySet } from '../store/issuer-keys.ts'
import type { KeySet, KeySetKeeper } from './issuer-key-sets.ts'

/** After this long the set is asked for again, so that a key that the issuer withdrew stops working. */
const REFRESH_MS = 10 * 60_000
/** How long the last good set stands in for an issuer that does not answer: an outage there must not stop care here. */
const KEPT_MS = 24 * 60 * 60_000
/** The issuer is asked no more often than this, whatever key ids tokens bear; before there is any set, sooner. */
const PAUSE_MS = 30_000
const FIRST_PAUSE_MS = 1_000
const TIMEOUT_MS = 1_500
/** A set of keys is a few kilobytes. */
const MAX_SET = 256 * 1024
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])

/** Which key an algorithm is used with. Each is asymmetric: a public key never serves as a secret (RFC 8725 section 2.1). */
const KEY_OF_ALGORITHM: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
}

type Decomposed = Parameters<JwksCache['getJwk']>[1]

/**
 * The keys of one issuer, kept: asked for again after ten minutes or for a key id that is not among them, at most twice a minute;
 * used for a day when the issuer does not answer. A process that has none yet, or an older one, takes what another one kept.
 */
export class KeptKeys implements JwksCache {
  readonly #uri: string
  readonly #now: Clock
  readonly #onChange: () => void
  readonly #keeper: KeySetKeeper | undefined
  #kept: (KeySet & { readonly jwks: Jwks }) | undefined
  #askedAt: number | undefined
  #asking: Promise<Jwks> | undefined

  /**
   * @param onChange called when the issuer's set is another than before: what was derived from its keys must go
   * @param keeper where the last good set outlives the process; undefined: it does not
   */
  constructor(uri: string, now: Clock, onChange: () => void, keeper: KeySetKeeper | undefined) {
    this.#uri = uri
    this.#keeper = keeper
    this.#now = now
    this.#onChange = onChange
  }

  /** @throws Unauthenticated when there is no such key, or none that fits the algorithm */
  async getJwk(_uri: string, token: Decomposed): Promise<JwkWithKid> {
    const known = this.#age() < REFRESH_MS ? this.#find(token) : undefined
    if (known !== undefined) return fitting(known, token)
    // an issuer that is away is told by the age of what is kept of it
    if (this.#mayAsk() || this.#asking !== undefined) await this.getJwks().catch(() => undefined)
    return this.getCachedJwk(this.#uri, token)
  }

  /** @throws Unauthenticated */
  getCachedJwk(_uri: string, token: Decomposed): JwkWithKid {
    const known = this.#age() < KEPT_MS ? this.#find(token) : undefined
    if (known === undefined) throw new Unauthenticated({ fault: this.#age() < KEPT_MS ? 'UNKNOWN_KEY' : 'KEYS_UNAVAILABLE' })
    return fitting(known, token)
  }

  /** Asks the issuer; who asks meanwhile waits for the same answer. */
  async getJwks(): Promise<Jwks> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  /** A set that is handed over is not the issuer's. @throws Unauthenticated */
  addJwks(): never {
    throw new Unauthenticated()
  }

  async #ask(): Promise<Jwks> {
    this.#askedAt = this.#now()
    // beside the issuer's answer: when there is none, there is no time left to begin
    const last = this.#keeper?.last()
    let text: string
    let jwks: Jwks
    try {
      text = await fetchText(this.#uri)
      jwks = this.#adopt({ text, at: this.#now() })
    } catch (error) {
      return await this.#fallBack(await last, error)
    }
    await this.#keeper?.keep({ text, at: this.#now() }, await last)
    return jwks
  }

  /** Takes the set that another process kept, where it is newer than what there is here. @throws what the issuer's answer was */
  async #fallBack(last: StoredKeySet | undefined, error: unknown): Promise<Jwks> {
    if (last === undefined || last.text.length > MAX_SET) throw error
    if (last.at <= (this.#kept?.at ?? 0) || this.#now() - last.at >= KEPT_MS) throw error
    const set = await this.#keeper?.verified(last)
    if (set === undefined) throw error
    return this.#adopt(set)
  }

  /** @throws SyntaxError, JwksValidationError */
  #adopt({ text, at }: KeySet): Jwks {
    const jwks = JSON.parse(text) as unknown
    assertIsJwks(jwks as Parameters<typeof assertIsJwks>[0])
    const changed = this.#kept !== undefined && this.#kept.text !== text
    this.#kept = { jwks: jwks as Jwks, text, at }
    if (changed) this.#onChange()
    return jwks as Jwks
  }

  #mayAsk(): boolean {
    if (this.#askedAt === undefined) return true
    const since = this.#now() - this.#askedAt
    // a clock that was set back says nothing of how long ago it was
    return since < 0 || since >= (this.#kept === undefined ? FIRST_PAUSE_MS : PAUSE_MS)
  }

  #age(): number {
    const age = this.#kept === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#kept.at
    return age < 0 ? Number.POSITIVE_INFINITY : age
  }

  #find({ header }: Decomposed): JwkWithKid | undefined {
    return this.#kept && header.kid !== undefined ? findJwkInJwks(this.#kept.jwks, header.kid) : undefined
  }
}

/** The algorithm is the key's and not the token's choice. */
function fitting(jwk: JwkWithKid, { header: { alg } }: Decomposed): JwkWithKid {
  const wanted = alg !== undefined && Object.hasOwn(KEY_OF_ALGORITHM, alg) ? KEY_OF_ALGORITHM[alg] : undefined
  const fits =
    wanted?.kty === jwk.kty &&
    (wanted.crv === undefined || wanted.crv === jwk.crv) &&
    (jwk.alg === undefined || jwk.alg === alg) &&
    (jwk.use === undefined || jwk.use === 'sig')
  if (!fits) throw new Unauthenticated({ fault: 'ALGORITHM' })
  return jwk
}

/** Over TLS; on the loopback interface there is nothing between the two that TLS would protect from. */
async function fetchText(uri: string): Promise<string> {
  const { protocol, hostname } = new URL(uri)
  if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.has(hostname))) throw new Unauthenticated()
  const response = await fetch(uri, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Unauthenticated()
  const text = await response.text()
  if (text.length > MAX_SET) throw new Unauthenticated()
  return text
}
