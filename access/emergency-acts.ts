import type { GlassWrite } from '../store/break-glass.ts'
import type { Deadline } from '../vocabulary/deadline.ts'
import type { Caller } from '../vocabulary/decision.ts'
import type { Instant, PatientId } from '../vocabulary/ids.ts'

/** A glass that was broken, as its holder knows it. */
export interface EmergencyGrant {
  /** 16 random bytes as 22 base64url characters; stands in the audit as `BREAK_GLASS id`. */
  readonly id: string
  readonly patient: PatientId
  readonly since: Instant
  /** Exclusive. */
  readonly until: Instant
  /** When it was ended before its time. */
  readonly ended?: Instant
}

interface EmergencyRequest {
  readonly patient: PatientId
  /** In the clinician's words: it may hold PHI, and is kept sealed. */
  readonly reason: string
  readonly minutes: number
}

/** A grant as it will be, and what has to be written for it, in one transaction with its audit record. */
export interface PreparedGrant {
  readonly grant: EmergencyGrant
  /** None: it is so already. */
  readonly items: readonly GlassWrite[]
}

/** How the glass is broken and put back. Nothing is written here: the writing commits with its audit record. */
export interface EmergencyActs {
  /** The longest that a glass stays broken. */
  readonly mostMinutes: number
  /**
   * One patient to one caller from now on; a grant that the caller has for the patient already ends with it.
   * @returns undefined where the tenant has no such patient
   * @throws StoreUnavailable, KeyUnavailable
   */
  breaking(caller: Caller, request: EmergencyRequest, now: Instant, deadline: Deadline): Promise<PreparedGrant | undefined>
  /**
   * The end of the caller's own grant.
   * @returns undefined where the caller has none of this id
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  ending(caller: Caller, patient: PatientId, id: string, now: Instant, deadline: Deadline): Promise<PreparedGrant | undefined>
}
