import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { Action, View } from '../../directives/policy.ts'
import type { Refusal } from './decision.ts'
import type { Instant, PatientId, RecordId } from './ids.ts'
import type { RelationshipScope } from './record.ts'

/**
 * The outcome of an access: six distinct answers to a caller (P9), WRITTEN for a write, and REVIEWED for a query of the audit log, which
 * discloses no field.
 */
export const OUTCOMES = ['DISCLOSED', 'MASKED', 'DENIED', 'ABSENT', 'ERASED', 'UNAVAILABLE', 'WRITTEN', 'REVIEWED'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** The action of an access. REVIEW is a query of the audit log itself. */
type AuditedAction = Action | 'REVIEW'

/** The type that the paths of the auditor's API begin with: `AuditLog.fieldAccesses`. No schema of records has it. */
export const REVIEWED_TYPE = 'AuditLog'

/**
 * The reason for an outcome other than disclosure. `NOT_FOUND`: the patient does not exist, or the caller may not know of it.
 * `SIZE`: the answer would be too large, so nothing of it left.
 */
export type OutcomeReason = Refusal | 'NOT_FOUND' | 'INTEGRITY' | 'KEY' | 'STORE' | 'VERSION'

/** The record of one field access, edge or write. It holds no field value (P8). */
export interface AccessRecord {
  /** The patient, or a keyed hash of the requested id after `NOT_FOUND`. Absent if the access is to no single patient. */
  readonly patient?: PatientId | string
  readonly recordType?: TypeName
  /** The record, or the session, user or client that was ended. */
  readonly recordId?: RecordId | string
  readonly recordVersion?: number
  /** Whether a list led to the record; otherwise it was requested by its id. */
  readonly listed?: boolean
  /** The source of the record, if it is not the gateway's own store. */
  readonly origin?: string
  /** `Patient.birthDate`; `Query.patient` for a root that was blocked. */
  readonly path: SchemaPath
  /** The paths written, if one record covers a whole FHIR record. */
  readonly paths?: readonly SchemaPath[]
  readonly action: AuditedAction
  readonly view?: View
  readonly outcome: Outcome
  readonly reason?: OutcomeReason
  /** The grant behind the outcome: `Patient.ssn#2`. */
  readonly rule?: string
  readonly basis?: string
  /** The membership, consent, break-glass grant or study behind the basis. */
  readonly basisId?: string
  /** The start of the relationship that is the basis. */
  readonly since?: Instant
  /** The limits of the relationship that is the basis, such as those of a proxy. */
  readonly limits?: readonly RelationshipScope[]
  /** For an edge: the number of records that it returned. For a search: that of hidden patients. For a spent budget: that of requests. */
  readonly count?: number
  /** For a review of a break-glass grant: APPROPRIATE, INAPPROPRIATE or FOLLOW_UP. */
  readonly finding?: string
  /**
   * For a review of the log: what was asked, as JSON text. For a sign-off of an access review: what was signed. It holds ids, names of the
   * schema and times, and no value of a field.
   */
  readonly filter?: string
}
