import type { AccessAggregates } from './aggregates.ts'

/** Users with their role and their peers: the users of the same role. Partners are no workforce. */
export interface Workforce {
  /** The role of most of the user's records; undefined without one, and for a partner. */
  roleOf(user: string): string | undefined
  /** The users of a role. */
  usersOf(role: string): ReadonlySet<string>
  /** The number of days of the baseline on which the user worked. */
  baselineDays(user: string): number
}

export function workforceOf({ roles, days, span }: Pick<AccessAggregates, 'roles' | 'days' | 'span'>): Workforce {
  const most = new Map<string, { readonly role: string; readonly records: number }>()
  for (const { user_id, role, records, is_partner } of roles) {
    if (is_partner > 0) continue
    const known = most.get(user_id)
    // of two roles with as many records, the first by name: the order of rows is undefined
    if (known === undefined || records > known.records || (records === known.records && role < known.role))
      most.set(user_id, { role, records })
  }
  const users = new Map<string, Set<string>>()
  for (const [user, { role }] of most) users.set(role, (users.get(role) ?? new Set()).add(user))
  const worked = new Map<string, number>()
  for (const { user_id, day } of days) if (day < span.firstDay) worked.set(user_id, (worked.get(user_id) ?? 0) + 1)
  return {
    roleOf: (user) => most.get(user)?.role,
    usersOf: (role) => users.get(role) ?? new Set(),
    baselineDays: (user) => worked.get(user) ?? 0,
  }
}
