import type { RuleUse } from '../aggregates.ts'
import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { localDay } from '../local-day.ts'
import { workforceOf } from '../workforce.ts'

/** The weight of a grant that no user of the role used, against one that few used. */
const BY_NOBODY = 2
/** The measure of a grant that several users of a role begin to use: below the threshold, and visible with a lower `minScore`. */
const ADOPTED = 0.5

/** A grant that a user uses for the first time in the baseline and the judged days, while the role does not use it. */
export const firstUse: KindOfAnomaly = {
  kind: 'FIRST_USE',
  find: (aggregates, { firstUse: { records: least, peers, adopters }, habitDays, baselineDays }) => {
    const { rules, span } = aggregates
    const workforce = workforceOf(aggregates)
    const usersBefore = usersByRule(rules.before)
    const usersNow = usersByRule(rules.judged)
    const fresh = rules.judged.flatMap((use) => {
      const { user_id: user, rule } = use
      const role = workforce.roleOf(user)
      const before = usersBefore.get(rule) ?? new Set()
      if (role === undefined || before.has(user)) return []
      const known = [...workforce.usersOf(role)].filter((one) => workforce.baselineDays(one) >= habitDays)
      const others = known.filter((one) => one !== user)
      const share = others.length === 0 ? 0 : others.filter((one) => before.has(one)).length / others.length
      // a new user has no history, and begins with what the role does. Nobody can say so of a new role
      const hasHistory = share === 0 ? others.length > 0 || known.length > 0 : known.includes(user)
      if (share > peers || !hasHistory) return []
      const beginners = [...(usersNow.get(rule) ?? [])].filter((one) => !before.has(one) && workforce.roleOf(one) === role).length
      const measure = beginners >= adopters ? ADOPTED : share === 0 ? BY_NOBODY : 1
      return [{ ...use, share, measure, day: localDay(use.first_at, span.offset) }]
    })
    const groups = Map.groupBy(fresh, ({ user_id, day }) => `${user_id}\n${day}`)
    return [...groups.values()].flatMap((uses): Finding[] => {
      const most = uses.toSorted((one, other) => other.measure - one.measure || (one.rule < other.rule ? -1 : 1))[0]
      const records = uses.reduce((sum, use) => sum + use.records, 0)
      if (most === undefined || records < least || !isFinding(most.measure)) return []
      const { user_id: user, day, path, rule, share } = most
      const [from, to] = [Math.min(...uses.map(({ first_at }) => first_at)), Math.max(...uses.map(({ last_at }) => last_at))]
      const more = uses.length === 1 ? '' : ` and ${shown(uses.length - 1)} more`
      return [
        {
          kind: 'FIRST_USE',
          score: scoreOf(most.measure),
          user,
          from,
          to,
          explanation: `${user} used the grant ${rule}${more} from ${day} on, for the first time in ${counted(baselineDays, 'day')}; ${shown(100 * share)} percent of the role used it.`,
          evidence: { records, grants: uses.length, shareOfPeers: share },
          patients: [],
          // with several paths, the filter is the first of them: a filter has one
          filter: { user, path, from: most.first_at, to: most.last_at },
        },
      ]
    })
  },
}

function usersByRule(uses: readonly RuleUse[]): ReadonlyMap<string, ReadonlySet<string>> {
  const users = new Map<string, Set<string>>()
  for (const { rule, user_id } of uses) users.set(rule, (users.get(rule) ?? new Set()).add(user_id))
  return users
}
