import * as z from 'zod'
import type { CredentialFault } from '../model/credential-fault.ts'
import { type Instant, type TenantId, tenantId, type UserId } from '../model/ids.ts'

/** The longest text that a claim may be: a name, an id. */
const text = z.string().min(1).max(128)
/** A deployment's issuer may put groups of all kinds into a token; those that are no role are dropped. */
const MAX_ROLES = 64

/**
 * Where an issuer's access tokens say what. Names are those of claims at the top of the token; an issuer that prefixes them with a
 * URL is told by that name as it is.
 */
export const ClaimMap = z.strictObject({
  tenant: text.default('tenant'),
  /** What the tenant claim says, and which tenant that is; without it the claim is the tenant's name itself. */
  tenants: z.record(text, text).optional(),
  roles: text.default('roles'),
  /** What the roles claim says, and which role that is; what is not named here is dropped. */
  roleNames: z.record(text, text).optional(),
  fhirUser: text.default('fhirUser'),
  organization: text.default('organization'),
  client: text.default('client_id'),
  /** A claim that stays the same while somebody is signed in, refreshed tokens included. */
  session: text.default('sid'),
  purpose: text.default('purpose_of_use'),
  authTime: text.default('auth_time'),
  /** Whom the token is for: Cognito says it in `client_id`. */
  audience: text.default('aud'),
  /** A claim that this issuer's access tokens have and its id tokens have not, where neither type nor `token_use` tell them apart. */
  accessToken: text.optional(),
  /** A claim that tells a client acting by itself, where its subject is another than its client id. */
  machine: z.strictObject({ claim: text, is: text }).optional(),
  /** What stands for a second factor among the methods (RFC 8176) and as the context class. */
  mfaMethods: z.array(text).default(['mfa']),
  mfaClasses: z.array(text).default([]),
})

export type ClaimMap = z.infer<typeof ClaimMap>

/** A token's claims are not such that a caller follows from them. */
export class ClaimsUnfit extends Error {
  override readonly name = 'ClaimsUnfit'
  readonly fault: CredentialFault
  constructor(fault: CredentialFault = 'CLAIMS') {
    super()
    this.fault = fault
  }
}

/** What a token says, whatever its issuer calls it. */
export interface TokenClaims {
  readonly tenant: TenantId
  /** For a client acting by itself, the client's id. */
  readonly user: UserId
  /** Whether a client acts by itself, with no person behind it. */
  readonly isMachine: boolean
  /** As the schema may know them. */
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
 * Reads the claims of a verified token by the map of its issuer.
 *
 * @throws ZodError, ClaimsUnfit: for what is missing, too long, of another type, or meant for somebody else
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

function tenantFrom(said: string, { tenants }: ClaimMap): TenantId {
  const tenant = tenantId((tenants === undefined ? said : own(tenants, said)) ?? '')
  if (tenant === undefined) throw new ClaimsUnfit()
  return tenant
}

/** A name is looked up among what was configured, never on the object's prototype. */
const own = (record: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined
