import type { Caller } from '../model/decision.ts'
import { BadRequest, MfaRequired, Unauthenticated } from '../model/failures.ts'
import type { PolicyTable, PurposeOfUse, Role } from '../../directives/policy.ts'
import type { Clock } from '../model/record.ts'
import { claimAt } from './claim-value.ts'
import { ClaimMap, readClaims, type TokenClaims } from './claims.ts'
import type { KeySetKeeper } from './issuer-key-sets.ts'
import { IssuerKeyCache } from './jwks.ts'
import { claimDetail, NO_SESSION, purposeDetail, roleDetail } from './token-detail.ts'
import { tokenFault } from './token-fault.ts'
import { tokenOf } from './token-text.ts'
import { TokenVerifier } from './token-verifier.ts'

/** Headers with lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>

/** Identifies the caller of a request. */
export interface Identity {
  /** @throws Unauthenticated, MfaRequired, BadRequest for a purpose that the caller may not claim */
  callerOf(headers: Headers): Promise<Caller>
  /** Fetches what every request needs, before the first one. Does not throw: after a failure, the first request fetches it. */
  prefetch?(): Promise<void>
}

export interface TokenIssuer {
  readonly issuer: string
  readonly audience: string
  /** Must be https. http is allowed only on the loopback interface. */
  readonly jwksUri: string
  /** The claim names of this issuer's tokens. Defaults to the names in `docs/identity.md`. */
  readonly claims?: ClaimMap
  /** Stores the last valid keys. Without it, a process that starts during an outage of the issuer has no keys. */
  readonly keeper?: KeySetKeeper
  /** Defaults to the machine's clock. */
  readonly now?: Clock
}

const CLOCK_TOLERANCE_MS = 60_000
/** The header type of an access token (RFC 9068 section 2.1). */
const ACCESS_TOKEN = /^(?:application\/)?at\+jwt$/i

/**
 * Identifies callers by the access tokens of an OpenID Connect issuer. Every fault of a token gives the same error.
 *
 * @source RFC 9068, RFC 8725, 45 CFR 164.312(d)
 */
export function tokenIdentity(options: TokenIssuer, policy: PolicyTable): Identity {
  const { issuer, audience, jwksUri, claims: map = ClaimMap.parse({}), keeper, now = Date.now } = options
  const create = () =>
    TokenVerifier.create(
      {
        issuer,
        // some issuers have the audience in another claim: `readClaims` checks the audience of every token
        audience: null,
        jwksUri,
        graceSeconds: CLOCK_TOLERANCE_MS / 1000,
        customJwtCheck: ({ header, payload }) => {
          if (!isAccessToken(header, payload, map.accessToken)) throw new Unauthenticated({ fault: 'TYPE' })
        },
      },
      { jwksCache: keys },
    )
  // a verifier caches keys by their id, so a changed key set needs a new verifier
  const changed = (): void => {
    verifier = create()
  }
  const keys: IssuerKeyCache = new IssuerKeyCache(jwksUri, now, changed, keeper)
  let verifier = create()
  const verified = async (token: string): Promise<unknown> => {
    const used = verifier
    const payload: unknown = await used.verify(token).catch((error: unknown) => {
      if (used === verifier) throw error
    })
    // the key set changed during the verification: the current key with this id may give another result
    return used === verifier ? payload : await verified(token)
  }
  return {
    prefetch: () => keys.prefetch(),
    async callerOf(headers) {
      const token = tokenOf(headers['authorization'], issuer)
      let claims: TokenClaims
      try {
        claims = readClaims(await verified(token), map, audience)
      } catch (cause) {
        throw new Unauthenticated({ cause, fault: tokenFault(cause), detail: claimDetail(cause) })
      }
      // the issuer's clock may be at most one minute ahead
      const latest = now() + CLOCK_TOLERANCE_MS
      if ((claims.issuedAt ?? 0) > latest || (claims.authTime ?? 0) > latest) throw new Unauthenticated({ fault: 'NOT_YET_VALID' })
      return callerFrom(claims, headers, policy)
    },
  }
}

/** Rejects id tokens. RFC 9068 sets the header type, Cognito has the claim `token_use`, other issuers have the claim `mark`. */
function isAccessToken(
  { typ }: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  mark: ClaimMap['accessToken'],
): boolean {
  if (payload['token_use'] !== undefined) return payload['token_use'] === 'access'
  if (typeof typ === 'string' && ACCESS_TOKEN.test(typ)) return true
  const isPlain = typ === undefined || (typeof typ === 'string' && /^jwt$/i.test(typ))
  if (!isPlain || mark === undefined) return false
  return typeof mark === 'string' ? claimAt(payload, mark) !== undefined : claimAt(payload, mark.claim) === mark.is
}

function callerFrom(claims: TokenClaims, headers: Headers, policy: PolicyTable): Caller {
  const { roles: scopedRoles, purposes: scopedPurposes } = claims.scopeLimits ?? {}
  // a role that the schema does not define grants nothing, so it is dropped here
  const named = claims.roles.flatMap((role) => policy.roles.get(role as Role) ?? [])
  const roles = named.filter(({ role }) => scopedRoles?.has(role) ?? true)
  if (roles.length === 0) throw new Unauthenticated({ fault: 'CLAIMS', detail: () => roleDetail(policy, named.length > 0) })
  // scopes only narrow: a token that needs a second factor without them needs it with them
  if (named.some(({ mfa }) => mfa) && !claims.hasSecondFactor) throw new MfaRequired()
  const mayClaim = [...new Set(roles.flatMap((role) => role.mayClaim))].filter(
    (purpose) => permits(claims.purposes, purpose) && (scopedPurposes?.has(purpose) ?? true),
  )
  const { tenant, user, expiresAt, issuedAt, authTime, fhirUser, organization, client } = claims
  const session = sessionOf(claims)
  return {
    tenant,
    user,
    roles: new Set(roles.map(({ role }) => role)),
    purpose: purposeFrom(headers['x-purpose-of-use'], claims.purposes, mayClaim),
    mayClaim,
    seesExistence: roles.some(({ seesExistence }) => seesExistence),
    // a scope without the role of the partner must not lift its restrictions
    ...(named.some(({ kind }) => kind === 'PARTNER') && { isPartner: true }),
    sessionExpiresAt: expiresAt,
    mfa: claims.hasSecondFactor,
    ...(issuedAt !== undefined && { issuedAt }),
    ...(authTime !== undefined && { authTime }),
    ...(fhirUser !== undefined && { fhirUser }),
    ...(organization !== undefined && { organization }),
    ...(client !== undefined && { client }),
    ...(session !== undefined && { session }),
  }
}

/**
 * Returns an id that is constant during a sign-in: the session of the issuer, else the time of the sign-in, which refreshed
 * tokens keep. Without both, each token is a session. A machine client has no session.
 */
function sessionOf({ isMachine, session, authTime, tokenId, issuedAt }: TokenClaims): string | undefined {
  if (isMachine) return undefined
  if (session !== undefined) return session
  if (authTime !== undefined) return `auth_time:${authTime}`
  if (tokenId !== undefined) return `jti:${tokenId}`
  if (issuedAt !== undefined) return `iat:${issuedAt}`
  // without any of these, a session of this token could not be distinguished from an ended one
  throw new Unauthenticated({ fault: 'CLAIMS', detail: NO_SESSION })
}

/**
 * Whether a request may have the purpose, if the token names these purposes. A token without a purpose permits all.
 *
 * A token for treatment permits emergency treatment and break-glass too. An emergency must not wait for a new token, and both
 * purposes leave an audit trail of their own.
 */
function permits(named: readonly string[] | undefined, purpose: PurposeOfUse): boolean {
  if (named === undefined || named.includes(purpose)) return true
  return named.includes('TREAT') && (purpose === 'ETREAT' || purpose === 'BTG')
}

/** @throws BadRequest if the caller may not claim the purpose, or the token names none that the caller may claim */
function purposeFrom(
  claimed: string | undefined,
  named: readonly string[] | undefined,
  mayClaim: readonly PurposeOfUse[],
): PurposeOfUse {
  const purpose = mayClaim.find((name) => (claimed === undefined ? (named?.includes(name) ?? true) : name === claimed))
  if (purpose === undefined) throw new BadRequest({ detail: () => purposeDetail(claimed !== undefined, mayClaim) })
  return purpose
}
