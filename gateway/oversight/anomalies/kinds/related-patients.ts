import type { AccessAggregates } from '../aggregates.ts'
import type { AnomalySettings } from '../anomaly-settings.ts'
import { counted } from '../../../model/counted.ts'
import { type AnomalyKind, type Finding, isFinding, scoreOf, shown } from '../finding.ts'
import { pairOf } from '../related-reads.ts'
import type { Relation } from '../relations.ts'
import { type UnexplainedRead, unexplainedReads } from '../unexplained-reads.ts'

/** A patient in a sentence, such as "a patient in the same street", and the number of traits in common. */
interface KnownPatient {
  readonly named: string
  readonly sharedTraits: number
}

/**
 * Findings of the patients that a user knows in one way. Reads of one patient by one user on one basis are one finding: a span has one for
 * each person, and not one a day.
 *
 * @param knownAs undefined for a patient that is not known in this way. The relation is undefined for a user and a patient without one
 */
export function relatedPatients(
  kind: AnomalyKind,
  aggregates: AccessAggregates,
  settings: AnomalySettings,
  times: number,
  knownAs: (relation: Relation | undefined, patient: string) => KnownPatient | undefined,
): Finding[] {
  const relations = new Map(aggregates.related.relations.map((one) => [pairOf(one.user, one.patient), one]))
  const known = (user: string, patient: string): KnownPatient | undefined => knownAs(relations.get(pairOf(user, patient)), patient)
  const found = unexplainedReads(aggregates, settings, times, (user, patient) => known(user, patient) !== undefined)
  return found.flatMap((read): Finding[] => {
    const patient = known(read.user, read.patient)
    if (patient === undefined || !isFinding(read.measure)) return []
    const { named, sharedTraits } = patient
    return [findingOf(kind, read, named, { sharedTraits })]
  })
}

/** One finding for the reads of a patient. */
export function findingOf(
  kind: AnomalyKind,
  read: UnexplainedRead,
  patientText: string,
  evidence: Readonly<Record<string, number>> = {},
): Finding {
  const { user, patient, basis, days, records, from, to, measure, usual, careDays } = read
  const reason =
    basis === 'BREAK_GLASS'
      ? 'by break-glass without a review'
      : `without a membership of the care team${usual === undefined ? '' : `; the role reads up to ${shown(usual)} of a patient on a usual day`}`
  return {
    kind,
    score: scoreOf(measure),
    user,
    from,
    to,
    explanation: `${user} read ${counted(records, 'value')} of ${patientText} ${onDays(days)}, ${reason}.`,
    evidence: { records, days: days.length, careDays, ...(usual !== undefined && { usualRecords: usual }), ...evidence },
    patients: [patient],
    filter: filterOf(read),
  }
}

/** Selects the reads on their basis only: the user may also read the patient as a member of the care team. */
export const filterOf = ({ user, patient, basis, from, to }: Omit<UnexplainedRead, 'reads'>): Finding['filter'] => ({
  user,
  patient,
  from,
  to,
  ...(basis !== '' && { basis }),
})

/** `on 2026-03-05`, or `on 3 days from 2026-03-05 on`. */
export const onDays = (days: readonly string[]): string =>
  days.length === 1 ? `on ${days[0] ?? ''}` : `on ${counted(days.length, 'day')} from ${days[0] ?? ''} on`
