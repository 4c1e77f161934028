import type { AccessAggregates } from '../aggregates.ts'
import type { AnomalySettings } from '../anomaly-settings.ts'
import { dayBaselines, type DayValue, evidenceOf, measureOf } from '../deviation.ts'
import { workforceOf } from '../workforce.ts'

/** A number of rare events of a user on a day. */
export interface CountedDay {
  readonly user_id: string
  readonly day: string
}

/** Events that are rare on a usual day: two around the median, or half of it, are usual. */
const LEAST = { share: 0.5, absolute: 2 }

interface Measured {
  readonly measure: number
  readonly evidence: Readonly<Record<string, number>>
  readonly ownMedian: number
}

/**
 * Measures counts of rare events, such as denials. A day of work without any is a day with 0.
 *
 * @returns the measure of one judged row
 */
export function countedDays<Row extends CountedDay>(
  aggregates: AccessAggregates,
  rows: readonly Row[],
  valueOf: (row: Row) => number,
  thresholds: { readonly own: number; readonly peers: number; readonly least: number },
  { habitDays }: Pick<AnomalySettings, 'habitDays'>,
): (row: Row) => Measured {
  const { span, days } = aggregates
  const counted = new Map(rows.map((row) => [`${row.user_id}\n${row.day}`, valueOf(row)]))
  const worked = new Set(
    [...days, ...rows].filter(({ day }) => day < span.firstDay).map(({ user_id, day }) => `${user_id}\n${day}`),
  )
  const values = [...worked].map((key): DayValue => {
    const [user = '', day = ''] = key.split('\n')
    return { user, day, value: counted.get(key) ?? 0 }
  })
  const baselines = dayBaselines(values, workforceOf(aggregates), LEAST)
  return (row) => {
    const value = valueOf(row)
    const around = baselines.of(row.user_id)
    return {
      measure: measureOf(value, around, thresholds, habitDays),
      evidence: evidenceOf(value, around),
      ownMedian: around.own.median,
    }
  }
}
