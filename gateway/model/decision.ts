import type { Consent, ConsentSubject } from './consent.ts'
import type { Instant, TenantId, UserId } from './ids.ts'
import type { RelationshipScope } from './record.ts'
import type { ConsentPolicy, PurposeOfUse, Relationship, Role, Sensitivity, View } from '../../directives/policy.ts'

/** Who asks, as parsed once from a verified token. */
export interface Caller {
  readonly tenant: TenantId
  readonly user: UserId
  readonly roles: ReadonlySet<Role>
  readonly purpose: PurposeOfUse
  /** The union of what the roles may claim. */
  readonly mayClaim: readonly PurposeOfUse[]
  /** `Practitioner/123`, `Patient/456`: the person's FHIR identity, which memberships are keyed by. */
  readonly fhirUser?: string
  readonly organization?: string
  readonly client?: string
  /** What stays the same while somebody is signed in; a client that acts by itself has none. */
  readonly session?: string
  /** When the token was issued, and when the person signed in. */
  readonly issuedAt?: Instant
  readonly authTime?: Instant
  readonly sessionExpiresAt?: Instant
  /** Of who acts for research alone: the protocol of the study that they act under, null where there is none, and nothing is open. */
  readonly study?: string | null
  /** Whether any of the roles may learn that a patient exists. */
  readonly seesExistence: boolean
}

/** A glass that was broken: for one caller and one patient, until a moment. */
export interface BreakGlassGrantRef {
  /** The id of its grant. */
  readonly grant: string
  readonly until: Instant
}

/** What is known of one caller and one patient when the decision is taken. Loaded in batches, before any leaf. */
export interface Facts {
  readonly relationships: ReadonlySet<Relationship>
  /** Those of them that hold within limits alone: what any one of the scopes opens is open. */
  readonly limits?: RelationshipLimits
  /** Those of which it could not be found out whether they hold. */
  readonly unknown?: ReadonlySet<Relationship>
  readonly breakGlass?: BreakGlassGrantRef
  readonly consent: ConsentFacts
}

export type RelationshipLimits = ReadonlyMap<Relationship, readonly RelationshipScope[]>

export interface ConsentFacts {
  readonly rules: ReadonlyMap<Sensitivity, ConsentPolicy>
  /** The patient's consents; undefined where they could not be read. */
  readonly given: readonly Consent[] | undefined
  /** The record that is decided about; undefined before one is known. */
  readonly record?: ConsentSubject
}

export type Refusal = 'ROLE' | 'PURPOSE' | 'RELATIONSHIP' | 'CONSENT' | 'MFA' | 'STEP_UP' | 'UNKNOWN_FIELD' | 'BUDGET'

export interface Permit {
  readonly outcome: 'GRANTED' | 'MASKED'
  readonly view: View
  readonly basis: Relationship | 'BREAK_GLASS' | 'CONSENT'
  /** The break-glass or consent that the basis stands on. */
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

/** A service did not tell what the decision needs: neither yes nor no. */
export interface Indeterminate {
  readonly outcome: 'INDETERMINATE'
  readonly rule: string
}

export type Decision = Permit | Denial | Indeterminate
