import type { Branded, Coordinate, SchemaPath, TypeName } from './coordinates.ts'
import type { Confidentiality, Refrain, UNKNOWN_LABEL } from './record-labels.ts'
import type { View } from './view-rules.ts'

export type { View }

/** A value of the schema's enum `Role`. A deployment adds its own; code knows kinds, never a role's name. */
export type Role = Branded<string, 'Role'>
/** A value of the schema's enum `Relationship`. Each has one registered function. */
export type Relationship = Branded<string, 'Relationship'>
/** A value of the schema's enum `Sensitivity`, HL7 v3 ActCode. */
export type Sensitivity = Branded<string, 'Sensitivity'>
/** A label of a record: a sensitivity, or a mark that the source of the record gave it. */
export type RecordLabel = Sensitivity | Confidentiality | Refrain | typeof UNKNOWN_LABEL
/** The values of the closed enum `PurposeOfUse`, HL7 v3 ActReason, in the order of the schema. */
export const PURPOSES_OF_USE = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH'] as const
export type PurposeOfUse = (typeof PURPOSES_OF_USE)[number]
export type Action = 'READ' | 'SEARCH' | 'CREATE' | 'UPDATE' | 'DELETE' | 'EXPORT'
export type RoleKind = 'CLINICIAN' | 'STAFF' | 'RESEARCH' | 'PATIENT' | 'PARTNER' | 'OVERSIGHT'
/** The form in which a text is indexed and compared: `gateway/crypto/normalization.ts`. */
export type Normalization = 'CASE_AND_SPACE' | 'NAME' | 'DIGITS'
/** What a field of a patient's own record is compared as with the workforce. */
export const COMPARISON_PARTS = ['PATIENT_NUMBER', 'FAMILY_NAME', 'STREET_ADDRESS', 'POSTAL_CODE', 'PHONE'] as const
export type ComparisonPart = (typeof COMPARISON_PARTS)[number]
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
  /** Whether break-glass replaces a missing place on the care team. */
  readonly breakGlass: boolean
  /** The line in the schema, for explanations: `Patient.ssn#2`, or `Patient#1` for a default of the type. */
  readonly rule: string
}

/** The rules for one PHI path: a VALUE is sealed, an EDGE is only decided and audited. */
export interface PhiPolicy {
  readonly path: SchemaPath
  /** The field in the schema: `Address.city` for the path `Patient.address.city`. */
  readonly coordinate: Coordinate
  readonly class: 'VALUE' | 'EDGE'
  readonly category: Category
  readonly identifier?: Identifier
  readonly sensitivity: ReadonlySet<Sensitivity>
  readonly grants: readonly Grant[]
}

/**
 * The protection of a coordinate:
 * - ROOT and EDGE: a graphql-shield rule.
 * - VALUE: a guard on the leaf.
 * - EMBEDDED: an object of the record; its leaves are VALUEs.
 * - NOT_PHI: none.
 * - STRUCTURE: the inside of a field that is already decided.
 */
export type CoordinateClass = 'ROOT' | 'EDGE' | 'VALUE' | 'EMBEDDED' | 'NOT_PHI' | 'STRUCTURE'

export interface RolePolicy {
  readonly role: Role
  readonly kind: RoleKind
  /** In the order of the schema. The first is the default. */
  readonly mayClaim: readonly PurposeOfUse[]
  readonly mfa: boolean
  /** Whether the role may learn that a patient of its tenant exists. */
  readonly seesExistence: boolean
}

/** How a label of a record, and the patient's consent, control access to the record. */
export interface ConsentPolicy {
  readonly rule: ConsentRule
  /** The relationships that open a record with a confidentiality. A sensitivity excludes no relationship: `ANY`. */
  readonly opensTo: ReadonlySet<Relationship> | 'ANY'
  /** Whether break-glass can open it within the patient's consent. If false, break-glass never opens it. */
  readonly breakGlass: boolean
  /** Whether the patient and the patient's proxies can read it whatever the consents permit or deny. */
  readonly ownAccess: boolean
  /** Text that accompanies each disclosure: the notice of 42 CFR 2.32. */
  readonly notice?: string
}

/** The callers of a root field that has an effect. */
export interface CallPolicy {
  readonly roles: ReadonlySet<Role>
  /** Whether the caller needs a recent sign-in. */
  readonly stepUp: boolean
}

export interface RecordPolicy {
  readonly type: TypeName
  /** The attribute that holds the patient id; `id` if the record is the patient. */
  readonly patient: string
  readonly source: string
}

/** The changes that the grants of a record type allow. */
export interface WritePolicy {
  readonly type: TypeName
  /** The root fields that write the type, such as `Mutation.createObservation`. Undefined if no grant allows the change. */
  readonly create?: Coordinate
  readonly update?: Coordinate
  readonly retract?: Coordinate
  /** The stored PHI values of the type, whether or not a grant allows to change them. */
  readonly paths: readonly SchemaPath[]
  /** The to-one edges, by the member of the input: `encounterId` to the edge `encounter` and the type `Encounter`. */
  readonly references: ReadonlyMap<string, { readonly edge: string; readonly type: TypeName }>
}

/** A blind index over one value, or over a compound of values of one record. */
export interface SearchIndex {
  readonly path: SchemaPath
  /** The other paths of the compound, in order. Empty for an index over one value. */
  readonly with: readonly SchemaPath[]
  /** The normalization of `path`. The other paths use CASE_AND_SPACE. */
  readonly normalize: Normalization
  /** Whether a search may give the indexed values without a further value. */
  readonly alone: boolean
}

/** The free text of a composite: its own text members, and the members that contain free text. A type can contain itself. */
export interface FreeTextInside {
  readonly texts: ReadonlySet<string>
  readonly holders: ReadonlyMap<string, FreeTextInside>
}

/** The compiled schema: the content of `schema/policy.lock`, and the complete input of a decision about the schema. */
export interface PolicyTable {
  readonly phi: ReadonlyMap<SchemaPath, PhiPolicy>
  /** Fields that were reviewed and are not PHI, with the reason. */
  readonly notPhi: ReadonlyMap<Coordinate, string>
  readonly records: ReadonlyMap<TypeName, RecordPolicy>
  readonly classes: ReadonlyMap<Coordinate, CoordinateClass>
  /** The inputs of a value with `@computed`. The caller needs FULL on each of them. */
  readonly computed: ReadonlyMap<SchemaPath, readonly SchemaPath[]>
  /** The free text inside a value, by the path of the value. */
  readonly freeText: ReadonlyMap<SchemaPath, FreeTextInside>
  /** The field that an argument reads, by argument: `Patient.observations(since:)`. */
  readonly reads: ReadonlyMap<string, SchemaPath>
  /** The blind indexes, by the path with `@searchable`. */
  readonly searchable: ReadonlyMap<SchemaPath, SearchIndex>
  /** The record types that a caller can change, with their generated root fields. */
  readonly writes: ReadonlyMap<TypeName, WritePolicy>
  /** The fields with `@workforceComparison`, with what they are compared as. */
  readonly comparisons: ReadonlyMap<SchemaPath, ComparisonPart>
  /** The root fields with `@mayCall`, which includes every mutation. */
  readonly calls: ReadonlyMap<Coordinate, CallPolicy>
  readonly roles: ReadonlyMap<Role, RolePolicy>
  /** By sensitivity and by confidentiality. A label without an entry has no rule, and closes its records. */
  readonly consent: ReadonlyMap<RecordLabel, ConsentPolicy>
  /** SHA-256 of the lock's text, 64 hex digits. Every audit record carries it. */
  readonly digest: string
}
