import type { AccessAggregates, UserDay } from '../aggregates.ts'
import type { AnomalySettings } from '../anomaly-settings.ts'
import { type Baselines, dayBaselines, evidenceOf, measureOf } from '../deviation.ts'
import { type AnomalyKind, type Finding, isFinding, scoreOf } from '../finding.ts'
import { workforceOf } from '../workforce.ts'

/** Counts of a fifth around the median are usual, whatever the sample. Peers differ more than the days of one user. */
const LEAST = { share: 0.2, absolute: 3 }

/** Days on which a user read more than on own days and than peers. */
export function dayPeaks(
  kind: AnomalyKind,
  aggregates: AccessAggregates,
  settings: AnomalySettings,
  {
    valueOf,
    thresholds,
    sentence,
  }: {
    readonly valueOf: (day: UserDay) => number
    readonly thresholds: AnomalySettings['volume']
    readonly sentence: (day: UserDay, baselines: Baselines) => string
  },
): Finding[] {
  const { days, span } = aggregates
  const workforce = workforceOf(aggregates)
  const before = days.filter(({ day }) => day < span.firstDay)
  const baselines = dayBaselines(
    before.map((row) => ({ user: row.user_id, day: row.day, value: valueOf(row) })),
    workforce,
    LEAST,
  )
  return days.flatMap((row): Finding[] => {
    if (row.day < span.firstDay) return []
    const value = valueOf(row)
    const around = baselines.of(row.user_id)
    const measure = measureOf(value, around, thresholds, settings.habitDays)
    const isBeyond = around.own.size < settings.habitDays || value > settings.beyondPeak * around.own.peak
    if (!isFinding(measure) || !isBeyond) return []
    const { user_id: user, first_at: from, last_at: to, records, patients } = row
    return [
      {
        kind,
        score: scoreOf(measure),
        user,
        from,
        to,
        explanation: sentence(row, around),
        evidence: { records, patientCount: patients, ...evidenceOf(value, around) },
        patients: [],
        filter: { user, from, to },
      },
    ]
  })
}
