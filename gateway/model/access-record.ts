import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from './ids.ts'
import type { Refusal } from './decision.ts'
import type { Action, View } from '../../directives/policy.ts'

/** The outcome of an access: six distinct answers to a caller (P9), and WRITTEN for a write. */
type Outcome = 'DISCLOSED' | 'MASKED' | 'DENIED' | 'ABSENT' | 'ERASED' | 'UNAVAILABLE' | 'WRITTEN'

/** The reason for an outcome other than disclosure. `NOT_FOUND`: the patient does not exist, or the caller may not know of it. */
export type OutcomeReason = Refusal | 'NOT_FOUND' | 'INTEGRITY' | 'KEY' | 'STORE' | 'VERSION'

/** The record of one field access, edge or write. It holds no field value (P8). */
export interface AccessRecord {
  /** The patient, or a keyed hash of the requested id after `NOT_FOUND`. Absent if the access is to no single patient. */
  readonly patient?: PatientId | string
  readonly recordType?: TypeName
  /** The record, or the session, user or client that was ended. */
  readonly recordId?: RecordId | string
  readonly recordVersion?: number
  /** `Patient.birthDate`; `Query.patient` for a root that was blocked. */
  readonly path: SchemaPath
  /** The paths written, if one item covers a whole record. */
  readonly paths?: readonly SchemaPath[]
  readonly action: Action
  readonly view?: View
  readonly outcome: Outcome
  readonly reason?: OutcomeReason
  /** The grant behind the outcome: `Patient.ssn#2`. */
  readonly rule?: string
  readonly basis?: string
  /** For an edge: the number of records that it returned. */
  readonly count?: number
}
