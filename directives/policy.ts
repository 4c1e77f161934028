import type { Branded, Coordinate, SchemaPath, TypeName } from './coordinates.ts'

/** A value of the schema's enum `Role`. A deployment adds its own; code knows kinds, never a role's name. */
export type Role = Branded<string, 'Role'>
/** A value of the schema's enum `Relationship`; each has one registered function. */
export type Relationship = Branded<string, 'Relationship'>
/** A value of the schema's enum `Sensitivity`, HL7 v3 ActCode. */
export type Sensitivity = Branded<string, 'Sensitivity'>
/** HL7 v3 ActReason. */
export type PurposeOfUse = 'TREAT' | 'ETREAT' | 'BTG' | 'HPAYMT' | 'HOPERAT' | 'HRESCH' | 'PATRQT' | 'PUBHLTH'
export type Action = 'READ' | 'SEARCH' | 'CREATE' | 'UPDATE' | 'DELETE' | 'EXPORT'
export type View = 'FULL' | 'LAST4' | 'YEAR' | 'ZIP3' | 'PSEUDONYM' | 'PRESENCE'
export type RoleKind = 'CLINICIAN' | 'STAFF' | 'RESEARCH' | 'PATIENT' | 'PARTNER' | 'OVERSIGHT'
/** How a text is made comparable before it is indexed: `gateway/crypto/normalization.ts`. */
export type Normalization = 'CASE_AND_SPACE' | 'DIGITS'
export type ConsentRule = 'REQUIRED' | 'HONOR_DENIAL'
export type Category =
  | 'IDENTITY'
  | 'DEMOGRAPHIC'
  | 'CONTACT'
  | 'CLINICAL'
  | 'MEDICATION'
  | 'LABORATORY'
  | 'NOTE'
  | 'COVERAGE'
  | 'FINANCIAL'
  | 'CARE_TEAM'
/** The classes (A) to (R) of 45 CFR 164.514(b)(2)(i), in order. */
export type Identifier =
  | 'NAME'
  | 'GEOGRAPHIC'
  | 'DATE'
  | 'PHONE'
  | 'FAX'
  | 'EMAIL'
  | 'SSN'
  | 'MRN'
  | 'PLAN_ID'
  | 'ACCOUNT'
  | 'LICENSE'
  | 'VEHICLE'
  | 'DEVICE'
  | 'URL'
  | 'IP'
  | 'BIOMETRIC'
  | 'PHOTO'
  | 'OTHER'

/** One `@minimumNecessary` line as it applies to one path. */
export interface Grant {
  readonly roles: ReadonlySet<Role>
  readonly purposes: ReadonlySet<PurposeOfUse>
  readonly relationship: Relationship
  readonly actions: ReadonlySet<Action>
  readonly view: View
  /** Whether an emergency may stand in for a missing relationship. */
  readonly breakGlass: boolean
  /** Where the line stands, for people who ask why: `Patient.ssn#2`, or `Patient#1` for a default of the type. */
  readonly rule: string
}

/** What the schema says of one PHI path: a value that is sealed, or an edge that is decided and audited only. */
export interface PhiPolicy {
  readonly path: SchemaPath
  /** Where it is written: `Address.city` for the path `Patient.address.city`. */
  readonly coordinate: Coordinate
  readonly class: 'VALUE' | 'EDGE'
  readonly category: Category
  readonly identifier?: Identifier
  readonly sensitivity: ReadonlySet<Sensitivity>
  readonly grants: readonly Grant[]
}

/**
 * What a coordinate is when a request reaches it. ROOT and EDGE are held by a rule, VALUE by a guard, EMBEDDED is an
 * object of the record whose leaves are VALUEs, NOT_PHI is given as it is, STRUCTURE is the inside of something decided.
 */
export type CoordinateClass = 'ROOT' | 'EDGE' | 'VALUE' | 'EMBEDDED' | 'NOT_PHI' | 'STRUCTURE'

export interface RolePolicy {
  readonly role: Role
  readonly kind: RoleKind
  /** In the order of the schema; the first is the default. */
  readonly mayClaim: readonly PurposeOfUse[]
  readonly mfa: boolean
  /** Whether it may learn, within its tenant, that a patient exists. */
  readonly seesExistence: boolean
}

/** What a sensitivity asks of the patient's consent. */
export interface ConsentPolicy {
  readonly rule: ConsentRule
  /** Whether an emergency opens what the patient's consent allows; where not, break-glass never does. */
  readonly breakGlass: boolean
  /** Whether the patient, and who acts for the patient, read it whatever the consents say. */
  readonly ownAccess: boolean
  /** What goes along with each disclosure of it: the notice of 42 CFR 2.32. */
  readonly notice?: string
}

/** Who may call a root that does something. */
export interface CallPolicy {
  readonly roles: ReadonlySet<Role>
  /** Whether the caller must have signed in a moment ago. */
  readonly stepUp: boolean
}

export interface RecordPolicy {
  readonly type: TypeName
  /** The attribute with the patient's id; `id` when the record is the patient. */
  readonly patient: string
  readonly source: string
}

/** A value that can be searched by, alone or together with others of the same record. */
export interface SearchIndex {
  readonly path: SchemaPath
  /** The others of the compound, in order; none where the value is indexed alone. */
  readonly with: readonly SchemaPath[]
  /** Of `path`; the others are compared by CASE_AND_SPACE. */
  readonly normalize: Normalization
}

/** Of a composite: its members that are free text, and those that hold some. A type may hold itself. */
export interface FreeTextInside {
  readonly texts: ReadonlySet<string>
  readonly holders: ReadonlyMap<string, FreeTextInside>
}

/** The compiled schema: what `schema/policy.lock` prints, and all that a decision needs. */
export interface PolicyTable {
  readonly phi: ReadonlyMap<SchemaPath, PhiPolicy>
  /** Fields considered and not PHI, with the reason. */
  readonly notPhi: ReadonlyMap<Coordinate, string>
  readonly records: ReadonlyMap<TypeName, RecordPolicy>
  readonly classes: ReadonlyMap<Coordinate, CoordinateClass>
  /** What a value with `@computed` is derived from: other values, each of which must be readable in full. */
  readonly computed: ReadonlyMap<SchemaPath, readonly SchemaPath[]>
  /** By the path of a value: where free text stands inside it. */
  readonly freeText: ReadonlyMap<SchemaPath, FreeTextInside>
  /** The field that an argument reads when it is given, by `Patient.observations(since:)`. */
  readonly reads: ReadonlyMap<string, SchemaPath>
  /** The blind indexes, by the path that `@searchable` stands on. */
  readonly searchable: ReadonlyMap<SchemaPath, SearchIndex>
  /** Roots with `@mayCall`; every mutation is one. */
  readonly calls: ReadonlyMap<Coordinate, CallPolicy>
  readonly roles: ReadonlyMap<Role, RolePolicy>
  readonly consent: ReadonlyMap<Sensitivity, ConsentPolicy>
  /** SHA-256 of the lock's text, 64 hex digits; stamped on every audit record. */
  readonly digest: string
}
