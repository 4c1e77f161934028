import { JwtVerifier } from 'aws-jwt-verify'
import type { Caller } from '../model/decision.ts'
import { BadRequest, MfaRequired, Unauthenticated } from '../model/failures.ts'
import type { PolicyTable, PurposeOfUse, Role, RolePolicy } from '../../directives/policy.ts'
import type { Clock } from '../model/record.ts'
import { ClaimMap, readClaims, type TokenClaims } from './claims.ts'
import type { KeySetKeeper } from './issuer-key-sets.ts'
import { KeptKeys } from './jwks.ts'
import { tokenFault } from './token-fault.ts'
import { tokenOf } from './token-text.ts'

/** Headers with lower-case names. */
export type Headers = Readonly<Record<string, string | undefined>>

/** Establishes who asks. */
export interface Identity {
  /** @throws Unauthenticated, MfaRequired, BadRequest for a purpose that the caller may not claim */
  callerOf(headers: Headers): Promise<Caller>
}

export interface TokenIssuer {
  readonly issuer: string
  readonly audience: string
  /** https; http on the loopback interface alone. */
  readonly jwksUri: string
  /** Where this issuer's tokens say what; the names that `docs/identity.md` begins with, when left out. */
  readonly claims?: ClaimMap
  /** Where the last good keys outlive a process. Left out: one that starts while the issuer is away knows none. */
  readonly keeper?: KeySetKeeper
  /** The machine's clock when left out. */
  readonly now?: Clock
}

const CLOCK_TOLERANCE_MS = 60_000
/** The header's type of an access token (RFC 9068 section 2.1). */
const ACCESS_TOKEN = /^(?:application\/)?at\+jwt$/i

/**
 * Callers by the access tokens of an OpenID Connect issuer. Every fault of a token gives the same error.
 *
 * @source RFC 9068, RFC 8725, 45 CFR 164.312(d)
 */
export function tokenIdentity(options: TokenIssuer, policy: PolicyTable): Identity {
  const { issuer, audience, jwksUri, claims: map = ClaimMap.parse({}), keeper, now = Date.now } = options
  const create = () =>
    JwtVerifier.create(
      {
        issuer,
        // whom it is for stands in another claim with some issuers: `readClaims` asks, of every token
        audience: null,
        jwksUri,
        graceSeconds: CLOCK_TOLERANCE_MS / 1000,
        customJwtCheck: ({ header, payload }) => {
          if (!isAccessToken(header, payload, map.accessToken)) throw new Unauthenticated({ fault: 'TYPE' })
        },
      },
      { jwksCache: keys },
    )
  // a verifier keeps the keys that it has used by their id: of another set, it must not
  const changed = (): void => {
    verifier = create()
  }
  const keys: KeptKeys = new KeptKeys(jwksUri, now, changed, keeper)
  let verifier = create()
  const verified = async (token: string): Promise<unknown> => {
    const used = verifier
    const payload: unknown = await used.verify(token).catch((error: unknown) => {
      if (used === verifier) throw error
    })
    // the set changed meanwhile: what the former key of this id signed, or did not, may be otherwise by the present one
    return used === verifier ? payload : await verified(token)
  }
  return {
    async callerOf(headers) {
      const token = tokenOf(headers['authorization'])
      let claims: TokenClaims
      try {
        claims = readClaims(await verified(token), map, audience)
      } catch (cause) {
        throw new Unauthenticated({ cause, fault: tokenFault(cause) })
      }
      // the issuer's clock may be a minute ahead of this one, and no more
      const latest = now() + CLOCK_TOLERANCE_MS
      if ((claims.issuedAt ?? 0) > latest || (claims.authTime ?? 0) > latest) throw new Unauthenticated({ fault: 'NOT_YET_VALID' })
      return callerFrom(claims, headers, policy)
    },
  }
}

/** An id token is no access token: RFC 9068 names the type, Cognito says it in a claim, of others one claim tells. */
function isAccessToken(
  { typ }: Readonly<Record<string, unknown>>,
  payload: Readonly<Record<string, unknown>>,
  telling: string | undefined,
): boolean {
  if (payload['token_use'] !== undefined) return payload['token_use'] === 'access'
  if (typeof typ === 'string' && ACCESS_TOKEN.test(typ)) return true
  const isPlain = typ === undefined || (typeof typ === 'string' && /^jwt$/i.test(typ))
  return isPlain && telling !== undefined && Object.hasOwn(payload, telling)
}

function callerFrom(claims: TokenClaims, headers: Headers, policy: PolicyTable): Caller {
  // a role that the schema does not know grants nothing and must not be mistaken for one that does
  const roles = claims.roles.flatMap((role) => policy.roles.get(role as Role) ?? [])
  if (roles.length === 0) throw new Unauthenticated({ fault: 'CLAIMS' })
  if (roles.some(({ mfa }) => mfa) && !claims.hasSecondFactor) throw new MfaRequired()
  const mayClaim = [...new Set(roles.flatMap((role) => role.mayClaim))]
  const { tenant, user, expiresAt, issuedAt, authTime, fhirUser, organization, client } = claims
  const session = sessionOf(claims)
  return {
    tenant,
    user,
    roles: new Set(roles.map(({ role }) => role)),
    purpose: purposeFrom(headers['x-purpose-of-use'] ?? claims.purpose, mayClaim, roles),
    mayClaim,
    seesExistence: roles.some(({ seesExistence }) => seesExistence),
    sessionExpiresAt: expiresAt,
    ...(issuedAt !== undefined && { issuedAt }),
    ...(authTime !== undefined && { authTime }),
    ...(fhirUser !== undefined && { fhirUser }),
    ...(organization !== undefined && { organization }),
    ...(client !== undefined && { client }),
    ...(session !== undefined && { session }),
  }
}

/**
 * What stays the same while somebody is signed in: the issuer's own session, else the moment of the sign-in, which refreshed
 * tokens keep. Where there is neither, each token is a session. A client acting by itself has none.
 */
function sessionOf({ isMachine, session, authTime, tokenId, issuedAt }: TokenClaims): string | undefined {
  if (isMachine) return undefined
  if (session !== undefined) return session
  if (authTime !== undefined) return `auth_time:${authTime}`
  if (tokenId !== undefined) return `jti:${tokenId}`
  if (issuedAt !== undefined) return `iat:${issuedAt}`
  // nothing would tell a session of this token from one that was ended
  throw new Unauthenticated({ fault: 'CLAIMS' })
}

function purposeFrom(claimed: string | undefined, mayClaim: readonly PurposeOfUse[], roles: readonly RolePolicy[]): PurposeOfUse {
  const purpose = claimed === undefined ? roles[0]?.mayClaim[0] : mayClaim.find((name) => name === claimed)
  if (purpose === undefined) throw new BadRequest()
  return purpose
}
