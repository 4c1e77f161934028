import { counted } from '../../../model/counted.ts'
import { type Finding, type KindOfAnomaly, scoreOf } from '../finding.ts'
import { pairOf } from '../related-reads.ts'
import { onDays } from './related-patients.ts'

/** Four times a threshold, a score of 0.8: one value is enough, because patients have a way of their own to their records. */
const OWN_RECORD = 4

/** Reads of the user's own record in a role of the workforce. A membership of the care team explains none. */
export const self: KindOfAnomaly = {
  kind: 'SELF',
  find: ({ related: { relations, reads } }) => {
    const own = new Set(relations.flatMap(({ kind, user, patient }) => (kind === 'SELF' ? [pairOf(user, patient)] : [])))
    const ofOwn = reads.filter(({ user_id, patient }) => own.has(pairOf(user_id, patient)))
    const groups = Map.groupBy(ofOwn, ({ user_id, patient, basis }) => `${pairOf(user_id, patient)}\n${basis}`)
    return [...groups.values()].flatMap((group): Finding[] => {
      const [first] = group
      if (first === undefined) return []
      const { user_id: user, patient, basis } = first
      const [from, to] = [Math.min(...group.map(({ first_at }) => first_at)), Math.max(...group.map(({ last_at }) => last_at))]
      const days = [...new Set(group.map(({ day }) => day))].toSorted()
      const records = group.reduce((sum, read) => sum + read.records, 0)
      return [
        {
          kind: 'SELF',
          score: scoreOf(OWN_RECORD),
          user,
          from,
          to,
          explanation: `${user} read ${counted(records, 'value')} of the own record ${onDays(days)} in a role of the workforce.`,
          evidence: { records, days: days.length },
          patients: [patient],
          // the basis leaves out what the user reads as a patient
          filter: { user, patient, from, to, ...(basis !== '' && { basis }) },
        },
      ]
    })
  },
}
