import type { AccessAggregates } from './aggregates.ts'
import type { AnomalySettings } from './anomaly-settings.ts'
import { workforceOf } from './workforce.ts'

/**
 * The values of one patient that a user's role reads on a usual day without a membership; undefined if the role works by memberships.
 *
 * The number is a quantile over patients and days of the baseline, of the users of the role. A role without a habit is compared with the
 * whole workforce: nobody can say what is usual for it.
 */
export function usualHandling(
  aggregates: AccessAggregates,
  { related: { peers: share, usual }, habitDays }: Pick<AnomalySettings, 'related' | 'habitDays'>,
): (user: string) => number | undefined {
  const workforce = workforceOf(aggregates)
  const byUser = Map.groupBy(aggregates.related.handlings, ({ user_id }) => user_id)
  const hasHabit = (user: string): boolean => (byUser.get(user) ?? []).reduce((sum, { days }) => sum + days, 0) >= habitDays
  const quantileOf = (users: Iterable<string>): number | undefined =>
    quantile(
      [...users].flatMap((user) => byUser.get(user) ?? []),
      usual,
    )
  const everybody = quantileOf(byUser.keys())
  const known = new Map<string, number | undefined>()
  const find = (user: string): number | undefined => {
    const role = workforce.roleOf(user)
    const users = role === undefined ? [user] : [...workforce.usersOf(role)]
    if (hasHabit(user)) return quantileOf(users)
    const others = users.filter((one) => one !== user && workforce.baselineDays(one) >= habitDays)
    if (others.length === 0) return everybody
    return others.filter(hasHabit).length / others.length > share ? quantileOf(users) : undefined
  }
  return (user) => {
    if (!known.has(user)) known.set(user, find(user))
    return known.get(user)
  }
}

/** The smallest number of values that this share of days stays within; undefined without any day. */
function quantile(rows: readonly { readonly records: number; readonly days: number }[], share: number): number | undefined {
  const total = rows.reduce((sum, { days }) => sum + days, 0)
  let counted = 0
  for (const { records, days } of rows.toSorted((one, other) => one.records - other.records)) {
    counted += days
    if (counted >= share * total) return records
  }
  return undefined
}
