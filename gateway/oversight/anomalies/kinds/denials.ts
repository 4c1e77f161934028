import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { countedDays } from './counted-days.ts'

/**
 * Runs of denials: patients to whom the user has no relationship, or requests that another rule refuses. Denials by consent are left
 * out, because the caller does not cause them, and ids that lead to nothing are a kind of their own.
 */
export const denials: KindOfAnomaly = {
  kind: 'DENIALS',
  find: (aggregates, settings) => {
    const rows = aggregates.denials
    const ofStrangers = countedDays(aggregates, rows, ({ strangers }) => strangers, settings.denials, settings)
    const ofRefused = countedDays(aggregates, rows, ({ refused }) => refused, settings.denials, settings)
    return rows.flatMap((row): Finding[] => {
      if (row.day < aggregates.span.firstDay) return []
      const [patients, requests] = [ofStrangers(row), ofRefused(row)]
      const most = patients.measure >= requests.measure ? patients : requests
      if (!isFinding(most.measure)) return []
      const { user_id: user, day, strangers, refused, first_at: from, last_at: to } = row
      const what =
        most === patients
          ? `access to ${counted(strangers, 'patient')} without a relationship`
          : `${counted(refused, 'request')} for values that its roles do not open`
      return [
        {
          kind: 'DENIALS',
          score: scoreOf(most.measure),
          user,
          from,
          to,
          explanation: `${user} was refused ${what} on ${day}; the median of own days is ${shown(most.ownMedian)}.`,
          evidence: { strangers, refused, ...most.evidence },
          patients: [],
          filter: { user, from, to, outcomes: new Set(['DENIED']) },
        },
      ]
    })
  },
}
