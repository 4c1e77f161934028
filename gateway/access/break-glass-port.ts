import type { BreakGlassWrite } from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant, PatientId } from '../model/ids.ts'

/** A glass that was broken, as its holder knows it. */
export interface BreakGlassGrant {
  /** 16 random bytes as 22 base64url characters; stands in the audit as `BREAK_GLASS id`. */
  readonly id: string
  readonly patient: PatientId
  readonly since: Instant
  /** Exclusive. */
  readonly until: Instant
  /** When it was ended before its time. */
  readonly ended?: Instant
}

interface BreakGlassRequest {
  readonly patient: PatientId
  /** In the clinician's words: it may hold PHI, and is kept sealed. */
  readonly reason: string
  readonly minutes: number
}

/** A grant as it will be, and what has to be written for it, in one transaction with its audit record. */
export interface PreparedGrant {
  readonly grant: BreakGlassGrant
  /** None: it is so already. */
  readonly items: readonly BreakGlassWrite[]
}

/** How the glass is broken and put back. Nothing is written here: the writing commits with its audit record. */
export interface BreakGlassPort {
  /** The longest that a glass stays broken. */
  readonly maxMinutes: number
  /**
   * One patient to one caller from now on; a grant that the caller has for the patient already ends with it.
   * @returns undefined where the tenant has no such patient
   * @throws StoreUnavailable, KeyUnavailable
   */
  prepareGrant(caller: Caller, request: BreakGlassRequest, now: Instant, deadline: Deadline): Promise<PreparedGrant | undefined>
  /**
   * The end of the caller's own grant.
   * @returns undefined where the caller has none of this id
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepareEnd(caller: Caller, patient: PatientId, id: string, now: Instant, deadline: Deadline): Promise<PreparedGrant | undefined>
}

export type Finding = 'APPROPRIATE' | 'INAPPROPRIATE' | 'FOLLOW_UP'

/** A grant as who reviews it knows it. What somebody wrote is opened when it is asked for, and not before. */
export interface ReviewedGrant extends BreakGlassGrant {
  /** Who broke the glass. */
  readonly user: string
  /** @throws IntegrityFailure, KeyUnavailable */
  readonly reason: () => string
  readonly review?: {
    readonly finding: Finding
    readonly by: string
    readonly at: Instant
    /** @throws IntegrityFailure, KeyUnavailable */
    readonly note?: () => string
  }
}

/** A place in a queue: a grant, or that something was altered or taken away there. */
export interface QueuedGrant {
  /** Where it stands in the queue; text order is the order of time. */
  readonly position: string
  readonly grant: ReviewedGrant | 'DAMAGED'
}

/** How a use of break-glass is reviewed (45 CFR 164.308(a)(1)(ii)(D)). Nothing is written here. */
export interface BreakGlassReviewPort {
  /**
   * Up to `limit` grants of the tenant, oldest first: those with a final finding, or all others.
   * @throws StoreUnavailable, KeyUnavailable
   */
  page(
    tenant: Caller['tenant'],
    page: { readonly isReviewed: boolean; readonly after: string | undefined; readonly limit: number },
    deadline: Deadline,
  ): Promise<{ readonly items: readonly QueuedGrant[]; readonly more: boolean }>
  /**
   * A finding about a grant that is over. FOLLOW_UP leaves it where it is; each other one is final, and the same one again changes nothing.
   * @returns undefined where the tenant has none of this id; OWN for the caller's own; OPEN while it is not over
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure; VersionConflict where there is a final finding already
   */
  prepareReview(
    caller: Caller,
    patient: PatientId,
    id: string,
    finding: { readonly finding: Finding; readonly note: string | undefined },
    now: Instant,
    deadline: Deadline,
  ): Promise<PreparedReview | 'OWN' | 'OPEN' | undefined>
  /**
   * The end of anybody's grant.
   * @returns undefined where the tenant has none of this id
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepareEnd(
    tenant: Caller['tenant'],
    patient: PatientId,
    id: string,
    now: Instant,
    deadline: Deadline,
  ): Promise<PreparedReview | undefined>
}

/** A grant as it will be for who reviews it, and what has to be written for it. */
export interface PreparedReview extends PreparedGrant {
  readonly grant: ReviewedGrant
}
