import * as z from 'zod'
import type { CredentialFault } from '../model/credential-fault.ts'
import { type Instant, type TenantId, tenantId, type UserId } from '../model/ids.ts'

/** The text of a claim, such as a name or an id. */
const text = z.string().min(1).max(128)
/** An issuer may put groups of all kinds into a token. Groups without a role are dropped. */
const MAX_ROLES = 64

/**
 * The claim names of an issuer's access tokens. Each name is a top-level claim. If the issuer prefixes its claims with a URL, use
 * the full name.
 */
export const ClaimMap = z.strictObject({
  tenant: text.default('tenant'),
  /** Maps values of the tenant claim to tenants. Without the map, the claim is the name of the tenant. */
  tenants: z.record(text, text).optional(),
  roles: text.default('roles'),
  /** Maps values of the roles claim to roles. Values that are not in the map are dropped. */
  roleNames: z.record(text, text).optional(),
  fhirUser: text.default('fhirUser'),
  organization: text.default('organization'),
  client: text.default('client_id'),
  /** A claim that is constant during a sign-in, refreshed tokens included. */
  session: text.default('sid'),
  purpose: text.default('purpose_of_use'),
  authTime: text.default('auth_time'),
  /** The audience of the token. Cognito uses `client_id`. */
  audience: text.default('aud'),
  /** A claim that access tokens have and id tokens do not. Needed if neither the type nor `token_use` distinguishes the two. */
  accessToken: text.optional(),
  /** The claim and value that identify a machine client, if its subject differs from its client id. */
  machine: z.strictObject({ claim: text, is: text }).optional(),
  /** The authentication methods (RFC 8176) and the context classes that prove a second factor. */
  mfaMethods: z.array(text).default(['mfa']),
  mfaClasses: z.array(text).default([]),
})

export type ClaimMap = z.infer<typeof ClaimMap>

/** The claims of a token do not identify a valid caller. */
export class ClaimsUnfit extends Error {
  override readonly name = 'ClaimsUnfit'
  readonly fault: CredentialFault
  constructor(fault: CredentialFault = 'CLAIMS') {
    super()
    this.fault = fault
  }
}

/** The claims of a token, independent of the claim names of its issuer. */
export interface TokenClaims {
  readonly tenant: TenantId
  /** For a machine client, the id of the client. */
  readonly user: UserId
  /** Whether the caller is a machine client, without a person. */
  readonly isMachine: boolean
  /** Role names. The schema need not define each of them. */
  readonly roles: readonly string[]
  readonly hasSecondFactor: boolean
  readonly expiresAt: Instant
  readonly issuedAt: Instant | undefined
  readonly authTime: Instant | undefined
  readonly fhirUser: string | undefined
  readonly organization: string | undefined
  readonly client: string | undefined
  readonly session: string | undefined
  readonly tokenId: string | undefined
  readonly purpose: string | undefined
}

const seconds = z
  .number()
  .min(0)
  .max(1e11)
  .transform((time) => Math.floor(time * 1000) as Instant)
const Payload = z.record(z.string(), z.unknown())
const Roles = z.array(text).min(1).max(MAX_ROLES)
const Methods = z.array(text).max(16)
const Audience = z.union([text, z.array(text).max(16)])
const MACHINE_LIFETIME_MS = 3_600_000

/**
 * Reads the claims of a verified token with the claim map of its issuer.
 *
 * @throws ZodError, ClaimsUnfit if a claim is missing, too long or of the wrong type, or the token has another audience
 */
export function readClaims(payload: unknown, map: ClaimMap, audience: string): TokenClaims {
  const claims = Payload.parse(payload)
  const optional = <T>(name: string, form: z.ZodType<T>): T | undefined =>
    Object.hasOwn(claims, name) ? form.parse(claims[name]) : undefined
  const required = <T>(name: string, form: z.ZodType<T>): T => form.parse(Object.hasOwn(claims, name) ? claims[name] : undefined)

  if (![required(map.audience, Audience)].flat().includes(audience)) throw new ClaimsUnfit('AUDIENCE')
  const subject = required('sub', text)
  const client = optional(map.client, text)
  const isMachine = subject === client || (map.machine !== undefined && claims[map.machine.claim] === map.machine.is)
  const expiresAt = required('exp', seconds)
  const issuedAt = optional('iat', seconds)
  if (isMachine && (client === undefined || issuedAt === undefined || expiresAt - issuedAt > MACHINE_LIFETIME_MS))
    throw new ClaimsUnfit()
  const methods = optional('amr', Methods) ?? []
  const context = optional('acr', text)
  return {
    tenant: tenantFrom(required(map.tenant, text), map),
    user: (isMachine ? client : subject) as UserId,
    isMachine,
    roles: required(map.roles, Roles).flatMap((role) => (map.roleNames === undefined ? role : (own(map.roleNames, role) ?? []))),
    hasSecondFactor:
      methods.some((method) => map.mfaMethods.includes(method)) || (context !== undefined && map.mfaClasses.includes(context)),
    expiresAt,
    issuedAt,
    authTime: optional(map.authTime, seconds),
    fhirUser: optional(map.fhirUser, text),
    organization: optional(map.organization, text),
    client,
    session: optional(map.session, text),
    tokenId: optional('jti', text),
    purpose: optional(map.purpose, text),
  }
}

function tenantFrom(claim: string, { tenants }: ClaimMap): TenantId {
  const tenant = tenantId((tenants === undefined ? claim : own(tenants, claim)) ?? '')
  if (tenant === undefined) throw new ClaimsUnfit()
  return tenant
}

/** Looks up only configured names, never those of the object's prototype. */
const own = (record: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined
