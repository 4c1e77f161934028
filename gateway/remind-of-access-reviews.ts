import type { AuditApiParts } from './create-audit-api.ts'
import { Deadline } from './model/deadline.ts'
import { AuditLogUnavailable, StoreUnavailable } from './model/failures.ts'
import { type TenantId, tenantId } from './model/ids.ts'
import { readReviewStatus } from './oversight/reviews/review-status.ts'
import { causeName, originName } from './telemetry/events.ts'

/** The form of the daily event of the schedule. No event of API Gateway has the member `kind`. */
const REVIEW_REMINDER = 'REVIEW_REMINDER'
/** The tenants that are read at one time. Each takes a session of its own. */
const PARALLEL = 8

type ReminderParts = Pick<AuditApiParts, 'events' | 'now' | 'openReader' | 'policy' | 'reviewSettings'> & {
  /** The names of all tenants with an audit log. */
  readonly tenants: () => Promise<readonly string[]>
}

/** Reports the tenants with an overdue access review as events. Never throws: the next day's call does the same. */
export type RemindOfAccessReviews = (at: number) => Promise<void>

/**
 * Looks at the access reviews of all tenants, each with the session of its own. A tenant that cannot be read is an event too, because
 * nobody knows then whether a review is overdue. The reading discloses nothing, so it leaves no record in the log.
 *
 * @returns a function with the time at which it ends, in milliseconds since the epoch
 */
export function remindOfAccessReviews(parts: ReminderParts): RemindOfAccessReviews {
  const { events, now, policy, openReader, reviewSettings: settings, tenants } = parts
  const roles = [...policy.roles.keys()]
  const remind = async (tenant: TenantId, deadline: Deadline): Promise<void> => {
    try {
      const reader = await openReader(tenant)
      const status = await readReviewStatus({ reader, settings, roles, now: now(), deadline })
      const count = status.filter(({ state }) => state === 'OVERDUE').length
      if (count > 0) events({ event: 'ACCESS_REVIEW_OVERDUE', tenant, count })
    } catch (error) {
      const isOutage = error instanceof StoreUnavailable || error instanceof AuditLogUnavailable
      events({ event: 'ACCESS_REVIEWS_UNREAD', tenant, cause: isOutage ? originName(error) : causeName(error) })
    }
  }
  return async (at) => {
    const deadline = new Deadline(at, { now, monotonic: () => performance.now() })
    try {
      const known = (await tenants()).flatMap((name) => tenantId(name) ?? [])
      for (let first = 0; first < known.length; first += PARALLEL)
        await Promise.all(known.slice(first, first + PARALLEL).map(async (tenant) => await remind(tenant, deadline)))
    } catch (error) {
      events({ event: 'ACCESS_REVIEWS_UNREAD', cause: originName(error) })
    }
  }
}

/** Whether an event of the function is that of the schedule. */
export const isReviewReminder = (event: unknown): boolean =>
  typeof event === 'object' &&
  event !== null &&
  Object.hasOwn(event, 'kind') &&
  (event as { kind: unknown }).kind === REVIEW_REMINDER
