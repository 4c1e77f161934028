import type { SchemaPath } from '../../directives/coordinates.ts'
import type { DatePrecision } from './date-span.ts'
import type { PatientId, RecordId, RecordRef, TenantId, UserId } from './ids.ts'
import type { Category, RecordLabel } from '../../directives/policy.ts'
import type { RecordSignature } from './signature.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/**
 * The properties of a record that are known without opening its fields. They are sealed under the record's manifest, opened
 * before the decision, and counted separately from fields.
 */
export interface RecordMetadata {
  /** Fields that are not PHI by themselves, by field name. They are sealed too, because their link to the patient is PHI. */
  readonly open: { readonly [field: string]: Json }
  /** Other records of the same patient, by field name: `encounter`. */
  readonly references: { readonly [field: string]: RecordId }
  /** The clinically relevant time, ISO 8601 in UTC with milliseconds. Lists are ordered by it. */
  readonly date?: string
  /** The unit of a partial date: `date` is then its first moment. Absent for a time. Filters compare the whole year, month or day. */
  readonly datePrecision?: DatePrecision
  /** Every code of the record's main concept, for filters: `4548-4`. */
  readonly codes?: readonly string[]
  /** Every category of the record, for filters: `laboratory`. */
  readonly categories?: readonly string[]
  /** Sensitivities that follow from the record's codes, and the marks of its source that close it. */
  readonly labels?: readonly RecordLabel[]
  /** The FHIR identity of the author. */
  readonly author?: string
  /** Of a patient's own record: the patient whose record replaced it. New records of the person are written there. */
  readonly replacedBy?: PatientId
  /** Of a patient's own record: the patients whose records it replaced. Records of the person can remain with them. */
  readonly replaces?: readonly PatientId[]
  /** SHA-256 (base64url) of the source it was imported from, so that a second import can detect a change. */
  readonly source?: string
  /** When an import wrote the record last: ISO 8601 in UTC with milliseconds. Absent for an import of an earlier release. */
  readonly written?: string
  /** The change that made this version. Absent for a version that an import wrote. */
  readonly change?: RecordedChange
  /** The last signature of the record. It stays when the record changes, and is then broken. */
  readonly signature?: RecordSignature
}

/** A change of a record by a user. It is sealed with the version that it made. */
export type RecordedChange = {
  readonly user: UserId
  /** ISO 8601 in UTC with milliseconds. */
  readonly at: string
  /** The user's reason for the retraction of a record. The record then has no values. */
  readonly retracted?: string
  /** The user's reason for the end of a membership. */
  readonly ended?: string
}

/** A record to write, with its values in plaintext. */
export interface NewRecord {
  readonly ref: RecordRef
  /** The present PHI values by path. A composite or a list is one value. */
  readonly values: ReadonlyMap<SchemaPath, Json>
  readonly metadata: RecordMetadata
}

/** The record that a sealed value is bound to. The value opens only under this binding (P6). */
export interface RecordBinding extends RecordRef {
  readonly tenant: TenantId
}

/**
 * The part of a patient's record that a limited relationship opens: the categories of values, and whether records and fields with
 * a sensitivity are included.
 */
export interface RelationshipScope {
  readonly categories: readonly Category[]
  readonly labeled: boolean
}

/**
 * A period of a membership. Times are ISO 8601 in UTC with milliseconds; `until` is exclusive. If a time is missing, the period has
 * no limit on that side. A period without a scope has no limits on fields.
 */
export interface MembershipPeriod {
  readonly since?: string
  readonly until?: string
  readonly scope?: RelationshipScope
}

/** The link of a user or a study to a patient. The user is a care team member, the patient, or a proxy. */
export interface Membership {
  readonly patient: RecordRef['patient']
  readonly relationship: 'CARE_TEAM' | 'SELF' | 'PROXY' | 'STUDY'
  /** `Practitioner/123`, `Patient/456`; for a study, `ResearchStudy/` and its protocol. */
  readonly fhirUser: string
  /** Several periods if the membership ended and began again. */
  readonly periods: readonly MembershipPeriod[]
}

/** Returns milliseconds since the epoch. Time is passed in, so that no decision reads a clock. */
export type Clock = () => number
