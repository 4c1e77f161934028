import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from './ids.ts'
import type { Refusal } from './decision.ts'
import type { Action, View } from '../../directives/policy.ts'

/** Six different answers for the one who asked (P9), and WRITTEN for a write. */
type Outcome = 'DISCLOSED' | 'MASKED' | 'DENIED' | 'ABSENT' | 'ERASED' | 'UNAVAILABLE' | 'WRITTEN'

/** Why an outcome is not a disclosure; `NOT_FOUND` stands for a patient that this caller may not know to exist. */
export type OutcomeReason = Refusal | 'NOT_FOUND' | 'INTEGRITY' | 'KEY' | 'STORE' | 'VERSION'

/** What one field access, edge or write leaves behind. Holds no value of any field (P8). */
export interface AccessRecord {
  /** The patient, or a keyed hash of the requested id where there is none that the caller may know of; none for a blocked list. */
  readonly patient?: PatientId | string
  readonly recordType?: TypeName
  /** A session, a user or a client where one of these was ended. */
  readonly recordId?: RecordId | string
  readonly recordVersion?: number
  /** `Patient.birthDate`; `Query.patient` for a root that was blocked. */
  readonly path: SchemaPath
  /** The paths written, where one item stands for a whole record. */
  readonly paths?: readonly SchemaPath[]
  readonly action: Action
  readonly view?: View
  readonly outcome: Outcome
  readonly reason?: OutcomeReason
  readonly rule?: string
  readonly basis?: string
  /** For an edge: how many records it gave. */
  readonly count?: number
}
