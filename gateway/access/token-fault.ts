import {
  JwtExpiredError,
  JwtInvalidIssuerError,
  JwtInvalidSignatureAlgorithmError,
  JwtInvalidSignatureError,
  JwtNotBeforeError,
  JwtParseError,
} from 'aws-jwt-verify/error'
import type { CredentialFault } from '../model/credential-fault.ts'
import { Unauthenticated } from '../model/failures.ts'
import { ClaimsUnfit } from './claims.ts'

const FAULTS: readonly (readonly [new (...given: never[]) => Error, CredentialFault])[] = [
  [JwtInvalidSignatureError, 'SIGNATURE'],
  [JwtInvalidSignatureAlgorithmError, 'ALGORITHM'],
  [JwtExpiredError, 'EXPIRED'],
  [JwtNotBeforeError, 'NOT_YET_VALID'],
  [JwtInvalidIssuerError, 'ISSUER'],
  [JwtParseError, 'MALFORMED'],
]

/** Classifies the error of a token verification. Missing claims and claims of another form are CLAIMS. */
export function tokenFault(cause: unknown): CredentialFault {
  if (cause instanceof Unauthenticated || cause instanceof ClaimsUnfit) return cause.fault
  return FAULTS.find(([type]) => cause instanceof type)?.[1] ?? (isOfCrypto(cause) ? 'SIGNATURE' : 'CLAIMS')
}

/** OpenSSL throws for a signature of another length. */
const isOfCrypto = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && typeof cause.code === 'string' && /^ERR_(?:OSSL|CRYPTO)/.test(cause.code)
