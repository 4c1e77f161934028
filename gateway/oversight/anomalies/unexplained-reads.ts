import type { AccessAggregates } from './aggregates.ts'
import type { AnomalySettings } from './anomaly-settings.ts'
import { dayNumber } from './local-day.ts'
import { pairOf, type PatientRead } from './related-reads.ts'
import { usualHandling } from './usual-handling.ts'

/** The reads of one patient by one user, on one basis that names no membership. */
export interface UnexplainedRead {
  readonly user: string
  readonly patient: string
  readonly basis: string
  readonly reads: readonly PatientRead[]
  /** In the order of time. */
  readonly days: readonly string[]
  readonly records: number
  readonly from: number
  readonly to: number
  /** As a multiple of the threshold. */
  readonly measure: number
  /** For a role that works without memberships: values that it reads of a patient on a usual day. */
  readonly usual?: number
  /** The days on which a care team read the patient, around these reads. Each explains the work of one day. */
  readonly careDays: number
}

/** Whether a read has a reason of its own: a named membership, consent or study, or a record that the user wrote. */
const isExplained = ({ basis, is_named, grant_id }: PatientRead, reviewed: ReadonlySet<string>): boolean =>
  basis === 'BREAK_GLASS' ? grant_id !== null && reviewed.has(grant_id) : is_named > 0 || basis === 'AUTHOR'

/**
 * Reads of patients without a named membership, measured by what the role usually reads of a patient.
 *
 * A role that works by memberships has no reason to read without one: `values` count. A role that does not, such as a front desk, handles
 * each patient without one. It must exceed `times` its usual day, after one usual day for each day of care is taken off. Break-glass is a
 * statement of the user's own, and explains a read when it was reviewed.
 */
export function unexplainedReads(
  aggregates: AccessAggregates,
  settings: AnomalySettings,
  times: number,
  isWanted: (user: string, patient: string) => boolean,
): UnexplainedRead[] {
  const { related, grantUses } = aggregates
  const reviewed = new Set(grantUses.flatMap(({ grant_id, reviewed_at }) => (reviewed_at === null ? [] : [grant_id])))
  const usualOf = usualHandling(aggregates, settings)
  const careDays = Map.groupBy(related.careDays, ({ patient }) => patient)
  const wanted = related.reads.filter((read) => !isExplained(read, reviewed) && isWanted(read.user_id, read.patient))
  const groups = Map.groupBy(wanted, ({ user_id, patient, basis }) => `${pairOf(user_id, patient)}\n${basis}`)
  return [...groups.values()].flatMap((unordered): UnexplainedRead[] => {
    const reads = unordered.toSorted((one, other) => one.first_at - other.first_at)
    const [first] = reads
    if (first === undefined) return []
    const { user_id: user, patient, basis } = first
    const days = [...new Set(reads.map(({ day }) => day))]
    const records = reads.reduce((sum, read) => sum + read.records, 0)
    const numbers = days.map(dayNumber)
    const around = (careDays.get(patient) ?? []).filter(({ day }) =>
      numbers.some((one) => Math.abs(one - dayNumber(day)) <= settings.related.careDays),
    ).length
    const usual = basis === 'BREAK_GLASS' ? undefined : usualOf(user)
    const measure =
      usual === undefined
        ? records / settings.related.values
        : Math.max(0, records - usual * Math.min(days.length, around)) / (times * usual)
    return [
      {
        user,
        patient,
        basis,
        reads,
        days,
        records,
        from: first.first_at,
        to: Math.max(...reads.map(({ last_at }) => last_at)),
        measure,
        ...(usual !== undefined && { usual }),
        careDays: around,
      },
    ]
  })
}
