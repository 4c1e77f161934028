import type { LogPosition, PatientAccess } from '../audit/patient-accesses.ts'
import type { Deadline } from '../model/deadline.ts'
import type { PatientId, RequestId, TenantId } from '../model/ids.ts'

/** One question: the accesses of one patient's record in a span, latest first. */
export interface PatientAccessQuestion {
  readonly tenant: TenantId
  readonly patient: PatientId
  /** Milliseconds since the epoch, both inclusive. */
  readonly from: number
  readonly to: number
  readonly requestId: RequestId
  readonly limit: number
  readonly after?: LogPosition
}

/** Field-level records of one patient, in the order of the log. `next` is absent at the end of the span. */
export interface PatientAccessPage {
  readonly accesses: readonly PatientAccess[]
  readonly next?: LogPosition
}

/** Answers who accessed one patient's record. The clinical function itself has no right to read the log. */
export interface PatientAccessSource {
  /** @throws StoreUnavailable: an answer that is missing, malformed or about another patient is no empty list */
  accesses(question: PatientAccessQuestion, deadline: Deadline): Promise<PatientAccessPage>
}

/** The names of a tenant's workforce. */
export interface WorkforceDirectory {
  /** Display names by user. A user without a name is absent. @throws StoreUnavailable */
  namesOf(tenant: TenantId, users: readonly string[], deadline: Deadline): Promise<ReadonlyMap<string, string>>
}
