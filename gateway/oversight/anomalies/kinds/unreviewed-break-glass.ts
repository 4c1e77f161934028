import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, rounded, scoreOf } from '../finding.ts'
import { DAY_MS } from '../local-day.ts'

/** A break-glass grant that was used, and has no review within the days that are allowed for one. */
export const unreviewedBreakGlass: KindOfAnomaly = {
  kind: 'UNREVIEWED_BREAK_GLASS',
  find: ({ grantUses, span }, { reviewDays }) => {
    const grants = Map.groupBy(grantUses, ({ grant_id, user_id, patient }) => `${grant_id}\n${user_id}\n${patient ?? ''}`)
    return [...grants.values()].flatMap((uses): Finding[] => {
      const [first] = uses
      if (first === undefined) return []
      const { user_id: user, patient, reviewed_at } = first
      const [from, to] = [Math.min(...uses.map(({ first_at }) => first_at)), Math.max(...uses.map(({ last_at }) => last_at))]
      const due = to + reviewDays * DAY_MS
      const reviewed = reviewed_at ?? undefined
      // a grant belongs to the span in which its review became due
      if (due < span.from || due > span.to || (reviewed !== undefined && reviewed <= due)) return []
      const lateDays = ((reviewed ?? span.to) - due) / DAY_MS
      const measure = 1 + lateDays / reviewDays
      if (!isFinding(measure)) return []
      const records = uses.reduce((sum, use) => sum + use.records, 0)
      const state = reviewed === undefined ? `has no review` : `was reviewed ${counted(rounded(lateDays), 'day')} late`
      return [
        {
          kind: 'UNREVIEWED_BREAK_GLASS',
          score: scoreOf(measure),
          user,
          from,
          to,
          explanation: `${user} read ${counted(records, 'value')} of one patient by break-glass, and the grant ${state}; a review is due within ${counted(rounded(reviewDays), 'day')}.`,
          evidence: { records, lateDays, isReviewed: reviewed === undefined ? 0 : 1 },
          patients: patient === null ? [] : [patient],
          filter: { user, from, to, basis: 'BREAK_GLASS', ...(patient !== null && { patient }) },
        },
      ]
    })
  },
}
