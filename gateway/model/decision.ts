import type { Consent, ConsentSubject } from './consent.ts'
import type { Instant, TenantId, UserId } from './ids.ts'
import type { RelationshipScope } from './record.ts'
import type { ConsentPolicy, PurposeOfUse, Relationship, Role, Sensitivity, View } from '../../directives/policy.ts'

/** The caller of a request, parsed once from a verified token. */
export interface Caller {
  readonly tenant: TenantId
  readonly user: UserId
  readonly roles: ReadonlySet<Role>
  readonly purpose: PurposeOfUse
  /** The union of what the roles may claim. */
  readonly mayClaim: readonly PurposeOfUse[]
  /** The person's FHIR identity, the key of memberships: `Practitioner/123`, `Patient/456`. */
  readonly fhirUser?: string
  readonly organization?: string
  readonly client?: string
  /** The id of the session, constant from sign-in to sign-out. Absent for a machine client. */
  readonly session?: string
  /** When the token was issued. */
  readonly issuedAt?: Instant
  /** When the person signed in. */
  readonly authTime?: Instant
  readonly sessionExpiresAt?: Instant
  /** Only for callers that act for research: the protocol of their study. Null: there is no study, and nothing is open. */
  readonly study?: string | null
  /** Whether any of the roles may learn that a patient exists. */
  readonly seesExistence: boolean
}

/** A break-glass grant for one caller and one patient. */
export interface BreakGlassGrantRef {
  /** The id of the grant. */
  readonly grant: string
  readonly until: Instant
}

/** The facts about one caller and one patient for a decision. They are loaded in batches, before any leaf. */
export interface Facts {
  readonly relationships: ReadonlySet<Relationship>
  /** The relationships that hold only within limits. If any of the scopes opens a field, the field is open. */
  readonly limits?: RelationshipLimits
  /** The relationships that could not be checked. */
  readonly unknown?: ReadonlySet<Relationship>
  readonly breakGlass?: BreakGlassGrantRef
  readonly consent: ConsentFacts
}

export type RelationshipLimits = ReadonlyMap<Relationship, readonly RelationshipScope[]>

export interface ConsentFacts {
  readonly rules: ReadonlyMap<Sensitivity, ConsentPolicy>
  /** The patient's consents; undefined if they could not be read. */
  readonly given: readonly Consent[] | undefined
  /** The record to decide about; undefined before a record is known. */
  readonly record?: ConsentSubject
}

export type Refusal = 'ROLE' | 'PURPOSE' | 'RELATIONSHIP' | 'CONSENT' | 'MFA' | 'STEP_UP' | 'UNKNOWN_FIELD' | 'BUDGET'

export interface Permit {
  readonly outcome: 'GRANTED' | 'MASKED'
  readonly view: View
  readonly basis: Relationship | 'BREAK_GLASS' | 'CONSENT'
  /** The id of the break-glass grant or consent behind the basis. */
  readonly basisId?: string
  readonly rule: string
}

export interface Denial {
  readonly outcome: 'DENIED'
  readonly reason: Refusal
  /** The rule that came closest to applying. */
  readonly rule?: string
  /** Whether break-glass would open it. */
  readonly breakGlass: boolean
}

/** Neither yes nor no: a service failed to provide a fact that the decision needs. */
export interface Indeterminate {
  readonly outcome: 'INDETERMINATE'
  readonly rule: string
}

export type Decision = Permit | Denial | Indeterminate
