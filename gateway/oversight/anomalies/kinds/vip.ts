import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf } from '../finding.ts'
import { dayNumber } from '../local-day.ts'
import { type UnexplainedRead, unexplainedReads } from '../unexplained-reads.ts'
import { filterOf, findingOf, onDays } from './related-patients.ts'

/**
 * Reads of a person of public interest without a reason of the work, and reads by unusually many users without a membership within a few
 * days. Each of these users has a finding: an auditor asks each.
 */
export const vip: KindOfAnomaly = {
  kind: 'VIP',
  find: (aggregates, settings) => {
    const { times, readers, days } = settings.vip
    const { vips } = aggregates.related
    const reads = unexplainedReads(aggregates, settings, times, (_, patient) => vips.has(patient))
    return [...Map.groupBy(reads, ({ patient }) => patient).values()].flatMap((ofPatient) =>
      ofPatient.flatMap((read): Finding[] => {
        const crowds = crowdsAround(read, ofPatient, days).filter(({ users }) => isFinding(users / readers))
        const most = crowds[0]?.users ?? 0
        if (read.measure >= most / readers)
          return isFinding(read.measure) ? [findingOf('VIP', read, 'a person of public interest', { readers: most })] : []
        return crowds.map(({ users, ...crowd }): Finding => {
          const { user, patient } = read
          const { records, days: on, from, to } = crowd
          return {
            kind: 'VIP',
            score: scoreOf(users / readers),
            user,
            from,
            to,
            explanation: `${user} read ${counted(records, 'value')} of a person of public interest ${onDays(on)}, as ${counted(users - 1, 'other user')} without a membership of the care team did within ${counted(days, 'day')}.`,
            evidence: { records, days: on.length, readers: users },
            patients: [patient],
            filter: filterOf({ ...read, from, to }),
          }
        })
      }),
    )
  },
}

/** What one user read of a patient within a few days, and how many users did. */
interface Crowd {
  readonly users: number
  readonly days: readonly string[]
  readonly records: number
  readonly from: number
  readonly to: number
}

/** The spans of a few days in which a user read a patient, those with most users first. Each read is in one of them. */
function crowdsAround({ reads }: UnexplainedRead, ofPatient: readonly UnexplainedRead[], days: number): Crowd[] {
  const all = ofPatient.flatMap((one) => one.reads.map(({ user_id, day }) => ({ user_id, day: dayNumber(day) })))
  const spans = reads
    .flatMap(({ day }) => Array.from({ length: days }, (_, before) => dayNumber(day) - before))
    .map((first) => {
      const isWithin = (day: number): boolean => day >= first && day < first + days
      return { isWithin, users: new Set(all.flatMap(({ user_id, day }) => (isWithin(day) ? [user_id] : []))).size }
    })
    .toSorted((one, other) => other.users - one.users)
  const crowds: Crowd[] = []
  let left = [...reads]
  for (const { isWithin, users } of spans) {
    const own = left.filter(({ day }) => isWithin(dayNumber(day)))
    if (own.length === 0) continue
    left = left.filter((read) => !own.includes(read))
    crowds.push({
      users,
      days: [...new Set(own.map(({ day }) => day))],
      records: own.reduce((sum, { records }) => sum + records, 0),
      from: Math.min(...own.map(({ first_at }) => first_at)),
      to: Math.max(...own.map(({ last_at }) => last_at)),
    })
  }
  return crowds
}
