import type { BreakGlassWrite } from '../store/break-glass.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import type { Instant, PatientId } from '../model/ids.ts'

/** A break-glass grant, as its holder sees it. */
export interface BreakGlassGrant {
  /** 16 bytes as 22 base64url characters. The audit contains it as `BREAK_GLASS id`. */
  readonly id: string
  readonly patient: PatientId
  readonly since: Instant
  /** Exclusive. */
  readonly until: Instant
  /** How often the holder renewed the grant. */
  readonly renewalCount: number
  /** When the grant was ended early. */
  readonly ended?: Instant
}

interface BreakGlassRequest {
  readonly patient: PatientId
  /** In the clinician's words. It may contain PHI and is stored sealed. */
  readonly reason: string
  readonly minutes: number
  /** The patients that the caller may open within an hour. A patient that the caller opened in this hour does not count again. */
  readonly maxPatients: number
}

/** BROKEN: a new grant. RENEWED: a later end of an open grant. ENDED: an early end. REVIEWED: a finding. */
export type GrantChange = 'BROKEN' | 'RENEWED' | 'ENDED' | 'REVIEWED'

/** A grant after a change, and the writes of the change. Commit them in one transaction with the audit record. */
export interface PreparedGrant {
  readonly change: GrantChange
  readonly grant: BreakGlassGrant
  /** Empty if the stored grant already has this state. */
  readonly items: readonly BreakGlassWrite[]
}

/** Prepares the writes of new and ended break-glass grants. It writes nothing itself: the writes commit with the audit record. */
export interface BreakGlassPort {
  /** The maximum duration of a grant with all its renewals, in minutes. */
  readonly maxMinutes: number
  /**
   * Prepares a grant of one patient to the caller, from now on. If the caller has an open grant for the patient, it prepares a renewal of
   * that grant: the end moves to `minutes` from now if that is later, and never beyond the maximum, counted from the beginning.
   *
   * @returns undefined if the tenant has no such patient; TOO_MANY if the caller opened the maximum number of patients in this hour, or
   *   began or renewed grants the maximum number of times
   * @throws VersionConflict if the patient's grants changed between the reads; StoreUnavailable, KeyUnavailable
   */
  prepareGrant(
    caller: Caller,
    request: BreakGlassRequest,
    now: Instant,
    deadline: Deadline,
  ): Promise<PreparedGrant | 'TOO_MANY' | undefined>
  /**
   * Prepares the end of the caller's own grant.
   *
   * @returns undefined if the caller has no grant with this id
   * @throws VersionConflict if the patient's grants changed between the reads; StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepareEnd(caller: Caller, patient: PatientId, id: string, now: Instant, deadline: Deadline): Promise<PreparedGrant | undefined>
}

export type Finding = 'APPROPRIATE' | 'INAPPROPRIATE' | 'FOLLOW_UP'

/** The renewals to read: at most `first`, after the first `skip`. */
export interface RenewalPage {
  readonly first: number
  readonly skip: number
}

/** A renewal of a grant. */
export interface Renewal {
  /** Counts from 1. */
  readonly number: number
  readonly at: Instant
  /** The end of the grant after the renewal. */
  readonly until: Instant
  /** @throws IntegrityFailure, KeyUnavailable */
  readonly reason: () => string
}

/** A grant as its reviewers see it. Reasons and note open only when they are called. */
export interface ReviewedGrant extends BreakGlassGrant {
  /** The holder of the grant. */
  readonly user: string
  /** @throws IntegrityFailure, KeyUnavailable */
  readonly reason: () => string
  /** Reads a page of the renewals, oldest first. @throws StoreUnavailable, KeyUnavailable, IntegrityFailure */
  readonly renewals: (page: RenewalPage, deadline: Deadline) => Promise<readonly Renewal[]>
  readonly review?: {
    readonly finding: Finding
    readonly by: string
    readonly at: Instant
    /** @throws IntegrityFailure, KeyUnavailable */
    readonly note?: () => string
  }
}

/** A position in a queue with its grant. DAMAGED: the grant was altered or removed. */
export interface QueuedGrant {
  /** The position in the queue. Text order is time order. */
  readonly position: string
  readonly grant: ReviewedGrant | 'DAMAGED'
}

/** Prepares reviews of break-glass grants (45 CFR 164.308(a)(1)(ii)(D)). It writes nothing itself. */
export interface BreakGlassReviewPort {
  /**
   * Returns up to `limit` grants of the tenant, oldest first: those with a final finding if `isReviewed`, otherwise the others.
   *
   * @throws StoreUnavailable, KeyUnavailable
   */
  page(
    tenant: Caller['tenant'],
    page: { readonly isReviewed: boolean; readonly after: string | undefined; readonly limit: number },
    deadline: Deadline,
  ): Promise<{ readonly items: readonly QueuedGrant[]; readonly more: boolean }>
  /**
   * Prepares a finding about an ended grant. FOLLOW_UP keeps the grant in its queue; any other finding is final. The same
   * finding again changes nothing.
   *
   * @returns undefined if the tenant has no grant with this id; OWN for the caller's own grant; OPEN for a grant that has not ended;
   *   FINAL for a grant that already has another final finding
   * @throws VersionConflict if the patient's grants changed between the reads; StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepareReview(
    caller: Caller,
    patient: PatientId,
    id: string,
    finding: { readonly finding: Finding; readonly note: string | undefined },
    now: Instant,
    deadline: Deadline,
  ): Promise<PreparedReview | 'OWN' | 'OPEN' | 'FINAL' | undefined>
  /**
   * Prepares the end of any grant of the tenant.
   *
   * @returns undefined if the tenant has no grant with this id
   * @throws VersionConflict if the patient's grants changed between the reads; StoreUnavailable, KeyUnavailable, IntegrityFailure
   */
  prepareEnd(
    tenant: Caller['tenant'],
    patient: PatientId,
    id: string,
    now: Instant,
    deadline: Deadline,
  ): Promise<PreparedReview | undefined>
}

/** A grant after a review or its end, for reviewers, and the writes of the change. */
export interface PreparedReview extends PreparedGrant {
  readonly grant: ReviewedGrant
}
