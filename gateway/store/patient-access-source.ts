import type { LogPosition, PatientAccess } from '../audit/patient-accesses.ts'
import type { PatientDisclosuresAnswer } from '../audit/patient-disclosures.ts'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, RequestId, TenantId } from '../model/ids.ts'

/** A question about one patient in a span. */
interface AboutPatient {
  readonly tenant: TenantId
  readonly patient: PatientId
  /** Milliseconds since the epoch, both inclusive. */
  readonly from: number
  readonly to: number
  readonly requestId: RequestId
  /** The answer begins after this position, which the answer before had as `next`. */
  readonly after?: LogPosition
}

/** One question: the accesses of one patient's record in a span, latest first. */
export interface PatientAccessQuestion extends AboutPatient {
  readonly limit: number
}

/** One question: the disclosures of one patient's information in a span. */
export interface PatientDisclosureQuestion extends AboutPatient {
  /** Whether disclosures without a record are asked for: entered ones, and the protocols of every patient. */
  readonly entered: boolean
}

/** Disclosures of one patient, with their values. `next` is absent at the end of the span. */
export type PatientDisclosurePage = Extract<PatientDisclosuresAnswer, { readonly kind: 'PATIENT_DISCLOSURES' }>

/** Field-level records of one patient, in the order of the log. `next` is absent at the end of the span. */
export interface PatientAccessPage {
  readonly accesses: readonly PatientAccess[]
  readonly next?: LogPosition
}

/**
 * Answers who accessed one patient's record, and to whom it was disclosed. The clinical function itself has no right to read the log, nor
 * the accounting.
 */
export interface PatientAccessSource {
  /** @throws StoreUnavailable: an answer that is missing, malformed or about another patient is no empty list */
  accesses(question: PatientAccessQuestion, deadline: Deadline): Promise<PatientAccessPage>
  /** @throws StoreUnavailable, as `accesses`; FilterTooBroad if the span has more than an answer can have */
  disclosures(question: PatientDisclosureQuestion, deadline: Deadline): Promise<PatientDisclosurePage>
}

/** The names of a tenant's workforce. */
export interface WorkforceDirectory {
  /** Display names by user. A user without a name is absent. @throws StoreUnavailable */
  namesOf(tenant: TenantId, users: readonly string[], deadline: Deadline): Promise<ReadonlyMap<string, string>>
}
