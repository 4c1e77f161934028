import { createPublicKey, type KeyObject } from 'node:crypto'
import { isJwk, type JwkWithKid } from 'aws-jwt-verify/jwk'
import { isObject } from './claim-value.ts'

/** A key that may verify signatures of tokens. */
export interface VerificationKey {
  readonly jwk: JwkWithKid
  readonly key: KeyObject
}

/** The key type of each algorithm. All are asymmetric, so that a public key never serves as a secret (RFC 8725 section 2.1). */
const KEY_OF_ALGORITHM: Readonly<Record<string, { readonly kty: string; readonly crv?: string }>> = {
  RS256: { kty: 'RSA' },
  RS384: { kty: 'RSA' },
  RS512: { kty: 'RSA' },
  ES256: { kty: 'EC', crv: 'P-256' },
  ES384: { kty: 'EC', crv: 'P-384' },
  ES512: { kty: 'EC', crv: 'P-521' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
}

/** The secret members of a key (RFC 7518 section 6). A published secret is known to everybody. */
const SECRETS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const MIN_MODULUS_BITS = 2_048
const MIN_EXPONENT = 65_537n

/**
 * Returns the keys of a set that may verify signatures. Other keys of the set are ignored, so that a key for encryption or of an
 * unknown type does not stop the others.
 *
 * @source RFC 7517 sections 4.2 (`use`), 4.3 (`key_ops`) and 5 (unusable keys)
 */
export function verificationKeys(set: readonly unknown[]): VerificationKey[] {
  return set.flatMap((candidate) => {
    if (!isObject(candidate) || !isForSignatures(candidate)) return []
    const jwk: unknown = candidate
    if (!isJwk(jwk as Parameters<typeof isJwk>[0]) || !hasKeyId(jwk)) return []
    const key = publicKey(jwk)
    return key === undefined || !isStrong(key, jwk) ? [] : [{ jwk, key }]
  })
}

/** Whether the key verifies signatures of the algorithm. The key decides, not the token. */
export function fitsAlgorithm({ jwk: { kty, crv, alg: own } }: VerificationKey, algorithm: string | undefined): boolean {
  if (algorithm === undefined || !Object.hasOwn(KEY_OF_ALGORITHM, algorithm)) return false
  const wanted = KEY_OF_ALGORITHM[algorithm]
  return wanted?.kty === kty && (wanted.crv === undefined || wanted.crv === crv) && (own === undefined || own === algorithm)
}

/** A key without a stated use serves for everything. */
function isForSignatures({ use, key_ops: operations, ...members }: Readonly<Record<string, unknown>>): boolean {
  if (SECRETS.some((name) => Object.hasOwn(members, name))) return false
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false
  return use === undefined || use === 'sig'
}

function hasKeyId(jwk: unknown): jwk is JwkWithKid {
  return isObject(jwk) && typeof jwk['kid'] === 'string'
}

/** Undefined if the members are no key, for example a point that is not on the curve. */
function publicKey(jwk: JwkWithKid): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** @source NIST SP 800-131A (modulus), FIPS 186-5 section 5.4 (exponent) */
function isStrong({ asymmetricKeyDetails: { modulusLength, publicExponent } = {} }: KeyObject, { kty, n }: JwkWithKid): boolean {
  if (kty !== 'RSA') return true
  if (modulusLength === undefined || publicExponent === undefined || n === undefined) return false
  if (modulusLength < MIN_MODULUS_BITS || publicExponent < MIN_EXPONENT || publicExponent % 2n === 0n) return false
  return !hasWeakPrimes(BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`))
}

const SMALL_PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157]

/**
 * Whether a faulty smart card library created the modulus (ROCA, CVE-2017-15361). Modulo small primes, such a modulus is a power
 * of 65537. Of sound keys, fewer than one in a hundred million is.
 *
 * @source Nemec et al., The Return of Coppersmith's Attack, CCS 2017, section 3.2
 */
function hasWeakPrimes(modulus: bigint): boolean {
  return SMALL_PRIMES.every((prime) => {
    const rest = Number(modulus % BigInt(prime))
    let power = 1
    do {
      if (power === rest) return true
      power = (power * 65_537) % prime
    } while (power !== 1)
    return false
  })
}
