import * as z from 'zod'
import type { CredentialFault } from '../model/credential-fault.ts'
import { type Instant, type TenantId, tenantId, type UserId } from '../model/ids.ts'
import { claimAt, own, singleOf, textsOf } from './claim-value.ts'
import { fhirBase, localReference } from './local-reference.ts'
import { PurposeNames, purposesOf } from './purpose-claim.ts'
import { ScopeGrants, type ScopeLimits, scopeLimits } from './scope-limits.ts'

const wellFormed = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed())
/** The text of a claim that identifies the caller. Tables and the audit log contain it. */
const id = wellFormed.max(128)
/** The path of a claim, or a value to compare a claim with. A URL or a distinguished name of a directory can be long. */
const name = wellFormed.max(1_024)
const Mark = z.strictObject({ claim: name, is: name })
const FhirBase = name.transform((text, context) => {
  const base = fhirBase(text)
  if (base === undefined) context.addIssue({ code: 'custom', message: 'Use the base URL of a FHIR server.' })
  return base ?? z.NEVER
})

/**
 * The claims of an issuer's access tokens, as paths: `tenant`, `realm_access.roles`, `https://clinic.example/roles`. `claimAt`
 * defines their meaning. `ClaimMap.parse({})` has the defaults.
 */
export const ClaimMap = z
  .strictObject({
    /** The id of the person. */
    subject: name.default('sub'),
    tenant: name.default('tenant'),
    /** Maps values of the tenant claim to tenants. Without the map, the claim is the name of the tenant. */
    tenants: z.record(name, id).optional(),
    /** A list of roles, or one role as a text. */
    roles: name.default('roles'),
    /** Maps values of the roles claim to roles. Values that are not in the map are dropped. */
    roleNames: z.record(name, id).optional(),
    fhirUser: name.default('fhirUser'),
    /** The FHIR servers of each tenant, by base URL. A `fhirUser` below such a base is the local reference. */
    fhirBases: z.record(id, z.array(FhirBase).min(1)).default({}),
    organization: name.default('organization'),
    client: name.default('client_id'),
    /** A claim that is constant during a sign-in, refreshed tokens included. */
    session: name.default('sid'),
    purpose: name.default('purpose_of_use'),
    /** Maps values of the purpose claim to purposes of use. Values that are not in the map are dropped. */
    purposeNames: PurposeNames.optional(),
    /** A list of scopes, or a text of scopes with spaces between them. Without this path, scopes are not read. */
    scope: name.optional(),
    /** The roles and purposes that need a SMART scope. Needed with `scope`. */
    scopes: ScopeGrants.optional(),
    authTime: name.default('auth_time'),
    /** The audience of the token. Cognito uses `client_id`. */
    audience: name.default('aud'),
    /**
     * A claim, or a claim with a value, that access tokens have and id tokens do not. Needed if neither the type nor `token_use`
     * distinguishes the two.
     */
    accessToken: z.union([name, Mark]).optional(),
    /** The claim and value that identify a machine client, if its subject differs from its client id. */
    machine: Mark.optional(),
    /** The claims with the authentication methods (RFC 8176) and the context classes. */
    amr: name.default('amr'),
    acr: name.default('acr'),
    /** The authentication methods and the context classes that prove a second factor. */
    mfaMethods: z.array(name).default(['mfa']),
    mfaClasses: z.array(name).default([]),
  })
  // one without the other would limit nothing, without a sign of it
  .refine(({ scope, scopes }) => (scope === undefined) === (scopes === undefined), 'Set both scope and scopes.')

export type ClaimMap = z.infer<typeof ClaimMap>

/** The claims of a token do not identify a valid caller. */
export class ClaimsUnfit extends Error {
  override readonly name = 'ClaimsUnfit'
  readonly fault: CredentialFault
  /** The path of the claim at fault, as the claim map names it. */
  readonly claim: string | undefined
  constructor(fault: CredentialFault = 'CLAIMS', claim?: string, options?: ErrorOptions) {
    super(undefined, options)
    this.fault = fault
    this.claim = claim
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
  /** Absent if the session or the sign-in is known. */
  readonly tokenId: string | undefined
  /** The purposes of use that the token names, as far as they are known. Undefined if it names none. */
  readonly purposes: readonly string[] | undefined
  /** The limits that the scopes of the token set on roles and purposes. Undefined if scopes are not read. */
  readonly scopeLimits: ScopeLimits | undefined
}

const toInstant = (seconds: number): Instant => Math.floor(seconds * 1000) as Instant
const seconds = z.number().min(0).max(1e11).transform(toInstant)
/** A NumericDate (RFC 7519), a NumericDate as a text, or the ISO time of AD FS. */
const time = z.union([
  seconds,
  z
    .string()
    .regex(/^\d{1,11}$/)
    .transform((text) => toInstant(Number(text))),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text) as Instant),
])
const Payload = z.record(z.string(), z.unknown())
/** A relative reference is as long as any id. A URL may be longer. */
const Reference = z.union([id, wellFormed.max(1_024).refine((text) => URL.canParse(text))])
const MACHINE_LIFETIME_MS = 3_600_000
/** The time by which an issuer may date a token back for receivers with slow clocks. Entra dates tokens five minutes back. */
const BACKDATING_MS = 300_000

/**
 * Reads the claims of a verified token with the claim map of its issuer. Values are mapped first. Only values that remain have
 * limits: a token may have any number of groups without a role, of any length.
 *
 * @throws ClaimsUnfit, ZodError if a claim is missing, too long, not well-formed or of the wrong type, or the token has another
 *   audience
 */
export function readClaims(payload: unknown, map: ClaimMap, audience: string): TokenClaims {
  const claims = Payload.parse(payload)
  const required = <T>(path: string, form: z.ZodType<T>): T => {
    const read = form.safeParse(singleOf(claimAt(claims, path)))
    if (!read.success) throw new ClaimsUnfit('CLAIMS', path, { cause: read.error })
    return read.data
  }
  const optional = <T>(path: string, form: z.ZodType<T>): T | undefined =>
    claimAt(claims, path) === undefined ? undefined : required(path, form)
  const texts = (path: string): readonly string[] => textsOf(claimAt(claims, path))

  if (!texts(map.audience).includes(audience)) throw new ClaimsUnfit('AUDIENCE', map.audience)
  const subject = required(map.subject, id)
  const client = optional(map.client, id)
  const isMachine = subject === client || (map.machine !== undefined && claimAt(claims, map.machine.claim) === map.machine.is)
  const expiresAt = required('exp', seconds)
  const issuedAt = optional('iat', seconds)
  if (isMachine && (client === undefined || livesTooLong(expiresAt, issuedAt, optional('nbf', seconds))))
    throw new ClaimsUnfit('CLAIMS', 'exp')
  const tenant = tenantFrom(required(map.tenant, name), map)
  const bases = own(map.fhirBases, tenant) ?? []
  const fhirUser = optional(map.fhirUser, Reference)
  const organization = optional(map.organization, name)
  const session = optional(map.session, id)
  const authTime = optional(map.authTime, time)
  return {
    tenant,
    user: (isMachine ? client : subject) as UserId,
    isMachine,
    roles: texts(map.roles).flatMap((role) => (map.roleNames === undefined ? role : (own(map.roleNames, role) ?? []))),
    hasSecondFactor:
      texts(map.amr).some((method) => map.mfaMethods.includes(method)) ||
      texts(map.acr).some((context) => map.mfaClasses.includes(context)),
    expiresAt,
    issuedAt,
    authTime,
    fhirUser: fhirUser === undefined ? undefined : localReference(fhirUser, bases),
    organization: organization === undefined ? undefined : id.parse(localReference(organization, bases)),
    client,
    session,
    // an id of a token has no limits unless it identifies the session
    tokenId: isMachine || session !== undefined || authTime !== undefined ? undefined : optional('jti', id),
    purposes: purposesOf(claimAt(claims, map.purpose), map.purposeNames),
    scopeLimits:
      map.scope === undefined || map.scopes === undefined ? undefined : scopeLimits(map.scopes, claimAt(claims, map.scope)),
  }
}

/**
 * A token of a machine client is valid for at most an hour after its issue. If it names its start and the start is not after the
 * issue, it may be dated back, so it may have five more minutes.
 */
function livesTooLong(expiresAt: Instant, issuedAt: Instant | undefined, notBefore: Instant | undefined): boolean {
  if (issuedAt === undefined) return true
  const backdating = notBefore !== undefined && notBefore <= issuedAt ? BACKDATING_MS : 0
  return expiresAt - issuedAt > MACHINE_LIFETIME_MS + backdating
}

function tenantFrom(claim: string, { tenants, tenant: path }: ClaimMap): TenantId {
  const tenant = tenantId((tenants === undefined ? claim : own(tenants, claim)) ?? '')
  if (tenant === undefined) throw new ClaimsUnfit('CLAIMS', path)
  return tenant
}
