import type { AccessAggregates } from '../aggregates.ts'
import type { AnomalySettings } from '../anomaly-settings.ts'
import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { workforceOf } from '../workforce.ts'

/** An access long after the membership that is its basis, or before it, or without a membership if peers have one. */
export const membership: KindOfAnomaly = {
  kind: 'MEMBERSHIP',
  find: (aggregates, settings) => [...oldMemberships(aggregates, settings), ...withoutMembership(aggregates, settings)],
}

/** The score of an access before its membership: the gateway decides none, so the record or the clock is wrong. */
const BEFORE = 9

type Read = AccessAggregates['memberships'][number]

/** One finding for the patients of a user and day: a user who reads many old patients is one reason to look, and not many. */
function oldMemberships({ memberships, span }: AccessAggregates, settings: AnomalySettings): Finding[] {
  const reads = memberships.flatMap((read) => {
    const measure = measured(read, settings)
    return read.day < span.firstDay || !isFinding(measure) ? [] : [{ ...read, measure }]
  })
  return [...Map.groupBy(reads, ({ user_id, day }) => `${user_id}\n${day}`).values()].flatMap((ofDay): Finding[] => {
    const most = ofDay.toSorted((one, other) => other.measure - one.measure || (one.patient < other.patient ? -1 : 1))[0]
    if (most === undefined) return []
    const { user_id: user, patient, day, since, last_at, age, pause, measure } = most
    const [from, to] = [Math.min(...ofDay.map(({ first_at }) => first_at)), Math.max(...ofDay.map((read) => read.last_at))]
    const patients = ofDay.map((read) => read.patient).toSorted()
    const who = patients.length === 1 ? 'a patient' : counted(patients.length, 'patient')
    const explanation =
      since > last_at
        ? `${user} read ${who} on ${day} by a membership that begins later.`
        : `${user} read ${who} on ${day} by a membership that began ${counted(age, 'day')} before, after ${counted(pause ?? settings.baselineDays, 'day')} without an access and while no colleague read the patient.`
    return [
      {
        kind: 'MEMBERSHIP',
        score: scoreOf(measure),
        user,
        from,
        to,
        explanation,
        evidence: {
          records: ofDay.reduce((sum, read) => sum + read.records, 0),
          membershipAgeDays: age,
          pauseDays: pause ?? settings.baselineDays,
          patientCount: patients.length,
        },
        patients,
        // a filter has one patient at most
        filter: { user, from, to, ...(patients.length === 1 && { patient }) },
      },
    ]
  })
}

function measured({ since, last_at, age, pause }: Read, { membership, baselineDays }: AnomalySettings): number {
  if (since > last_at) return BEFORE
  // without an access in the baseline, the pause is at least as long
  return Math.min(age / membership.age, (pause ?? baselineDays) / membership.gap)
}

function withoutMembership(aggregates: AccessAggregates, settings: AnomalySettings): Finding[] {
  const { bases, span } = aggregates
  const { records: least, peers } = settings.membership
  const workforce = workforceOf(aggregates)
  const usersOfBasis = Map.groupBy(
    bases.filter(({ day }) => day < span.firstDay),
    ({ basis }) => basis,
  )
  return bases.flatMap((row): Finding[] => {
    const { user_id: user, day, basis, records, patients, first_at: from, last_at: to } = row
    const role = workforce.roleOf(user)
    if (day < span.firstDay || role === undefined) return []
    const others = [...workforce.usersOf(role)].filter((one) => one !== user && workforce.baselineDays(one) >= settings.habitDays)
    const using = new Set((usersOfBasis.get(basis) ?? []).map(({ user_id }) => user_id))
    // a habit of the user's own, or no peers that show what is usual
    if (using.has(user) || others.length === 0) return []
    const share = others.filter((one) => using.has(one)).length / others.length
    const measure = share > peers ? 0 : records / least
    if (!isFinding(measure)) return []
    return [
      {
        kind: 'MEMBERSHIP',
        score: scoreOf(measure),
        user,
        from,
        to,
        explanation: `${user} read ${counted(records, 'value')} of ${counted(patients, 'patient')} on ${day} by ${basis} without a membership, on which ${shown(100 * share)} percent of the role rely.`,
        evidence: { records, patientCount: patients, shareOfPeers: share },
        patients: [],
        filter: { user, basis, from, to },
      },
    ]
  })
}
