import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { countedDays } from './counted-days.ts'

/** Many requested ids that lead to nothing: somebody tries ids. */
export const enumeration: KindOfAnomaly = {
  kind: 'ENUMERATION',
  find: (aggregates, settings) => {
    const measured = countedDays(aggregates, aggregates.denials, ({ missing }) => missing, settings.enumeration, settings)
    return aggregates.denials.flatMap((row): Finding[] => {
      if (row.day < aggregates.span.firstDay) return []
      const { measure, evidence, ownMedian } = measured(row)
      if (!isFinding(measure)) return []
      const { user_id: user, day, missing, first_at: from, last_at: to } = row
      return [
        {
          kind: 'ENUMERATION',
          score: scoreOf(measure),
          user,
          from,
          to,
          explanation: `${user} requested ${counted(missing, 'id')} on ${day} that lead to no patient; the median of own days is ${shown(ownMedian)}.`,
          evidence: { missing, ...evidence },
          patients: [],
          filter: { user, from, to, outcomes: new Set(['DENIED']), reason: 'NOT_FOUND' },
        },
      ]
    })
  },
}
