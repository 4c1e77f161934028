import type { SchemaPath } from '../../directives/coordinates.ts'
import type { RecordId, RecordRef, TenantId } from './ids.ts'
import type { Category, Sensitivity } from '../../directives/policy.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/**
 * What is known of a record without opening any of its fields. Sealed under the record's manifest and opened before the
 * decision; counted apart from fields.
 */
export interface RecordMetadata {
  /** Fields that are not PHI in themselves, by field name: stored sealed too, since that they stand at this patient is PHI. */
  readonly open: { readonly [field: string]: Json }
  /** Other records of the same patient, by field name: `encounter`. */
  readonly references: { readonly [field: string]: RecordId }
  /** The clinically relevant time, ISO 8601 in UTC with milliseconds: what lists are ordered by. */
  readonly date?: string
  /** The codes of the record's main concept, for filters: `4548-4`. */
  readonly codes?: readonly string[]
  readonly category?: string
  /** Sensitivities that follow from the record's codes. */
  readonly labels?: readonly Sensitivity[]
  /** The FHIR identity of who wrote it. */
  readonly author?: string
  /** SHA-256 (base64url) of the source it was imported from, so that a second import can tell a change. */
  readonly source?: string
}

/** A record on its way in, its values still in plain text. */
export interface NewRecord {
  readonly ref: RecordRef
  /** Present PHI values by path; a composite or a list is one value. */
  readonly values: ReadonlyMap<SchemaPath, Json>
  readonly metadata: RecordMetadata
}

/** Where a sealed value belongs, and the only place where it opens (P6). */
export interface RecordBinding extends RecordRef {
  readonly tenant: TenantId
}

/**
 * How much of a patient's record a relationship opens while it is limited: the categories of values, and whether records and fields
 * that bear a sensitivity are among them.
 */
export interface RelationshipScope {
  readonly categories: readonly Category[]
  readonly labeled: boolean
}

/** ISO 8601 in UTC with milliseconds, `until` exclusive; open where left out. Without a scope it opens all that its grants open. */
export interface MembershipPeriod {
  readonly since?: string
  readonly until?: string
  readonly scope?: RelationshipScope
}

/** A person's place on the care team of a patient, a person's own record, that of whom a person acts for, or a patient's place in a study. */
export interface Membership {
  readonly patient: RecordRef['patient']
  readonly relationship: 'CARE_TEAM' | 'SELF' | 'PROXY' | 'STUDY'
  /** `Practitioner/123`, `Patient/456`; of a study `ResearchStudy/` and its protocol. */
  readonly fhirUser: string
  /** Several stays of one person are several periods. */
  readonly periods: readonly MembershipPeriod[]
}

/** Time is passed in: inside a decision there is no clock. Milliseconds since the epoch. */
export type Clock = () => number
