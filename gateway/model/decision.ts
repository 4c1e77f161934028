import type { Consent, ConsentSubject } from './consent.ts'
import type { Contract } from './contract.ts'
import type { Instant, TenantId, UserId } from './ids.ts'
import type { RelationshipScope } from './record.ts'
import type { ConsentPolicy, PurposeOfUse, RecordLabel, Relationship, Role, View } from '../../directives/policy.ts'

/** The caller of a request, parsed once from a verified token. */
export interface Caller {
  readonly tenant: TenantId
  readonly user: UserId
  readonly roles: ReadonlySet<Role>
  readonly purpose: PurposeOfUse
  /** All purposes that the roles may claim with this token. */
  readonly mayClaim: readonly PurposeOfUse[]
  /** The person's FHIR identity, by which memberships are found: `Practitioner/123`, `Patient/456`. */
  readonly fhirUser?: string
  readonly organization?: string
  readonly client?: string
  /** The id of the session, constant from sign-in to sign-out. Absent for a machine client. */
  readonly session?: string
  /** When the token was issued. */
  readonly issuedAt?: Instant
  /** When the person signed in. */
  readonly authTime?: Instant
  /** Whether the sign-in used more than one factor. */
  readonly mfa?: boolean
  readonly sessionExpiresAt?: Instant
  /** For callers that act for research: the protocol of their study. If null, they have no study and no access. */
  readonly study?: string | null
  /** Whether any of the roles may learn that a patient exists. */
  readonly seesExistence: boolean
  /** Whether the token has a role of the kind PARTNER, also if its scopes exclude the role. */
  readonly isPartner?: true
  /** The contract of the client. It only narrows. */
  readonly contract?: Contract
}

/** A break-glass grant for one caller and one patient. */
export interface BreakGlassGrantRef {
  /** The id of the grant. */
  readonly grant: string
  readonly until: Instant
}

/** The facts about one caller and one patient for a decision. They are loaded in batches, before any leaf resolves. */
export interface Facts {
  readonly relationships: ReadonlySet<Relationship>
  /** The limited relationships, each with its scopes. A field is open if any scope of the relationship opens it. */
  readonly limits?: RelationshipLimits
  readonly grounds?: RelationshipGrounds
  /** The relationships that could not be checked. */
  readonly unknown?: ReadonlySet<Relationship>
  readonly breakGlass?: BreakGlassGrantRef
  readonly consent: ConsentFacts
}

/** The membership behind a relationship, for the audit. */
export interface RelationshipGround {
  /** Identifies the membership of the patient. */
  readonly id?: string
  /** The start of the membership. */
  readonly since?: Instant
}

export type RelationshipGrounds = ReadonlyMap<Relationship, RelationshipGround>
export type RelationshipLimits = ReadonlyMap<Relationship, readonly RelationshipScope[]>

export interface ConsentFacts {
  readonly rules: ReadonlyMap<RecordLabel, ConsentPolicy>
  /** The patient's consents; undefined if they could not be read. */
  readonly given: readonly Consent[] | undefined
  /** The record to decide about; undefined before a record is known. */
  readonly record?: ConsentSubject
}

/** The reason for a denial: `reason` in the extensions of an error. */
export type Refusal =
  | 'ROLE'
  | 'PURPOSE'
  | 'RELATIONSHIP'
  | 'CONSENT'
  | 'MFA'
  | 'STEP_UP'
  | 'UNKNOWN_FIELD'
  | 'BUDGET'
  | 'SIZE'
  /** The contract of the client does not admit it, or the operation is not registered for the client. */
  | 'CONTRACT'

export interface Permit {
  readonly outcome: 'GRANTED' | 'MASKED'
  readonly view: View
  /** STUDY for callers that act for research, whichever relationship the grant requires. */
  readonly basis: Relationship | 'BREAK_GLASS' | 'CONSENT' | 'STUDY'
  /** The id of the membership, break-glass grant or consent behind the basis, or the protocol of the study. */
  readonly basisId?: string
  /** The start of the relationship that is the basis. */
  readonly since?: Instant
  /** The limits of the relationship that is the basis. */
  readonly limits?: readonly RelationshipScope[]
  /** The grant that permits it: `Patient.ssn#2`. */
  readonly rule: string
}

export interface Denial {
  readonly outcome: 'DENIED'
  readonly reason: Refusal
  /** The grant that came closest to applying: `Patient.ssn#2`. */
  readonly rule?: string
  /** Whether break-glass would open the field. */
  readonly breakGlass: boolean
}

/** No decision is possible: a service failed to provide a fact that the decision needs. */
export interface Indeterminate {
  readonly outcome: 'INDETERMINATE'
  /** The grant that needs the missing fact. */
  readonly rule: string
}

export type Decision = Permit | Denial | Indeterminate
