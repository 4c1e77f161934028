import type { Deadline } from '../../model/deadline.ts'
import type { AuditReader } from '../audit-reader.ts'
import { covers, lastPeriods, type ReviewPeriod } from './review-periods.ts'
import type { AccessReviewSettings } from './review-settings.ts'
import type { SignOff } from './sign-off.ts'

/** OPEN: the period is not over. DUE: it is over, and its review is not signed. OVERDUE: nor is it until the due day. */
type ReviewState = 'OPEN' | 'DUE' | 'OVERDUE' | 'SIGNED'

/** A period and its sign-offs. */
export interface ReviewedPeriod {
  readonly period: ReviewPeriod
  readonly state: ReviewState
  /** The sign-off that completed the roles. */
  readonly completed?: SignOff
  /** The roles without a sign-off. */
  readonly missingRoles: readonly string[]
  /** The first and the last sign-off of each role, in the order of their numbers. */
  readonly signOffs: readonly SignOff[]
}

/** What a status is read from. */
interface StatusParts {
  readonly reader: Pick<AuditReader, 'signOffs' | 'logBegan'>
  readonly settings: AccessReviewSettings
  /** The roles of the policy in force. */
  readonly roles: readonly string[]
  readonly now: number
  readonly deadline: Deadline
}

/**
 * The last periods with their state, the open one first. Only sign-offs that the log has count.
 *
 * @throws AuditLogUnavailable, StoreUnavailable
 */
export async function readReviewStatus({
  reader,
  settings,
  roles,
  now,
  deadline,
}: StatusParts): Promise<readonly ReviewedPeriod[]> {
  const began = settings.begins === undefined ? await reader.logBegan() : undefined
  const stored = await reader.signOffs.stored()
  const status = lastPeriods(settings, { now, began }).map((period) => reviewedPeriod(period, stored, roles, now))
  const counted = new Set(status.flatMap(({ signOffs }) => signOffs))
  await reader.signOffs.verify([...counted], deadline)
  return status
}

/**
 * The state of a period. It is signed if sign-offs cover its whole span for each role. One without a role is for all roles. The roles are
 * those of the policy at the last sign-off, so that a new role opens no period of before.
 *
 * @param stored the sign-offs of the tenant, the earliest first
 * @param current the roles of the policy in force, for a period without a sign-off
 */
export function reviewedPeriod(
  period: ReviewPeriod,
  stored: readonly SignOff[],
  current: readonly string[],
  now: number,
): ReviewedPeriod {
  const covering = stored.filter((one) => covers(one, period))
  const missing = new Set(covering.at(-1)?.roles ?? current)
  let completed: SignOff | undefined
  for (const one of covering) {
    if (one.role === undefined) missing.clear()
    else missing.delete(one.role)
    if (missing.size === 0) completed ??= one
  }
  const state = completed !== undefined ? 'SIGNED' : now < period.end ? 'OPEN' : now < period.dueEnd ? 'DUE' : 'OVERDUE'
  const byRole = Map.groupBy(covering, ({ role }) => role ?? '')
  const signOffs = new Set([...byRole.values()].flatMap((all) => [all[0], all.at(-1)].filter((one) => one !== undefined)))
  return {
    period,
    state,
    ...(completed !== undefined && { completed }),
    missingRoles: [...missing],
    signOffs: [...signOffs].toSorted((one, other) => one.number - other.number),
  }
}
