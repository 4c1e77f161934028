import { JwtVerifier } from 'aws-jwt-verify'
import { SimpleJwksCache } from 'aws-jwt-verify/jwk'
import * as z from 'zod'
import type { Caller } from '../vocabulary/decision.ts'
import { BadRequest, MfaRequired, Unauthenticated } from '../vocabulary/failures.ts'
import { type Instant, tenantId, type UserId } from '../vocabulary/ids.ts'
import type { PolicyTable, PurposeOfUse, Role, RolePolicy } from '../vocabulary/policy.ts'

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
}

const CLOCK_TOLERANCE_SECONDS = 60
const short = z.string().min(1).max(128)
const Claims = z.object({
  sub: short,
  tenant: short,
  roles: z.array(short).min(1).max(16),
  exp: z.number(),
  fhirUser: short.optional(),
  organization: short.optional(),
  client_id: short.optional(),
  sid: short.optional(),
  amr: z.array(short).max(16).optional(),
  purpose_of_use: short.optional(),
})

/**
 * Callers by the access tokens of an OpenID Connect issuer. Every fault of a token gives the same error.
 *
 * @source RFC 9068, 45 CFR 164.312(d)
 */
export function tokenIdentity({ issuer, audience, jwksUri }: TokenIssuer, policy: PolicyTable): Identity {
  const verifier = JwtVerifier.create(
    {
      issuer,
      audience,
      jwksUri,
      graceSeconds: CLOCK_TOLERANCE_SECONDS,
      // an id token is no access token: RFC 9068 names the type, Cognito says it in a claim
      customJwtCheck: ({ header, payload }) => {
        const type = header['typ']
        const named = typeof type === 'string' && /^(?:application\/)?at\+jwt$/i.test(type)
        if (!named && payload['token_use'] !== 'access') throw new Unauthenticated()
      },
    },
    { jwksCache: new SimpleJwksCache({ fetcher: { fetch: fetchKeys } }) },
  )
  return {
    async callerOf(headers) {
      const [, token] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(headers['authorization'] ?? '') ?? []
      if (token === undefined) throw new Unauthenticated()
      let claims: z.infer<typeof Claims>
      try {
        claims = Claims.parse(await verifier.verify(token))
      } catch (cause) {
        throw new Unauthenticated({ cause })
      }
      return callerFrom(claims, headers, policy)
    },
  }
}

function callerFrom(claims: z.infer<typeof Claims>, headers: Headers, policy: PolicyTable): Caller {
  const tenant = tenantId(claims.tenant)
  // a role that the schema does not know grants nothing and must not be mistaken for one that does
  const roles = claims.roles.flatMap((role) => policy.roles.get(role as Role) ?? [])
  if (tenant === undefined || roles.length === 0) throw new Unauthenticated()
  if (roles.some(({ mfa }) => mfa) && claims.amr?.includes('mfa') !== true) throw new MfaRequired()
  const mayClaim = [...new Set(roles.flatMap((role) => role.mayClaim))]
  return {
    tenant,
    user: claims.sub as UserId,
    roles: new Set(roles.map(({ role }) => role)),
    purpose: purposeFrom(headers['x-purpose-of-use'] ?? claims.purpose_of_use, mayClaim, roles),
    mayClaim,
    seesExistence: roles.some(({ seesExistence }) => seesExistence),
    sessionExpiresAt: (claims.exp * 1000) as Instant,
    ...(claims.fhirUser !== undefined && { fhirUser: claims.fhirUser }),
    ...(claims.organization !== undefined && { organization: claims.organization }),
    ...(claims.client_id !== undefined && { client: claims.client_id }),
    ...(claims.sid !== undefined && { session: claims.sid }),
  }
}

function purposeFrom(claimed: string | undefined, mayClaim: readonly PurposeOfUse[], roles: readonly RolePolicy[]): PurposeOfUse {
  const purpose = claimed === undefined ? roles[0]?.mayClaim[0] : mayClaim.find((name) => name === claimed)
  if (purpose === undefined) throw new BadRequest()
  return purpose
}

const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost'])
const KEYS_TIMEOUT_MS = 1_500

/** The issuer's keys, over TLS; on the loopback interface there is nothing between the two that TLS would protect from. */
async function fetchKeys(uri: string): Promise<ArrayBuffer> {
  const { protocol, hostname } = new URL(uri)
  if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.has(hostname))) throw new Unauthenticated()
  const response = await fetch(uri, { redirect: 'error', signal: AbortSignal.timeout(KEYS_TIMEOUT_MS) })
  if (!response.ok) throw new Unauthenticated()
  return await response.arrayBuffer()
}
