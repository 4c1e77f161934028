import type { AccessAggregates, PartnerHour } from '../aggregates.ts'
import type { AnomalySettings } from '../anomaly-settings.ts'
import { counted } from '../../../model/counted.ts'
import { type Finding, isFinding, type KindOfAnomaly, scoreOf, shown } from '../finding.ts'
import { HourHabits } from '../hour-habits.ts'
import { robustZ, spreadOf } from '../robust.ts'

/** The records of a partner's jobs vary by the number of its cases. */
const LEAST = { share: 0.25, absolute: 3 }
/** An operation or a path that the partner never used is twice the threshold. */
const NEW = 2

/** A partner that leaves its habits: operations, paths, hours or volume. */
export const partnerHabits: KindOfAnomaly = {
  kind: 'PARTNER_HABITS',
  find: (aggregates, settings) => {
    const { partnerHours, span } = aggregates
    const habits = new HourHabits(aggregates)
    return [...Map.groupBy(partnerHours, ({ user_id }) => user_id).values()].flatMap((hours) => {
      const days = Map.groupBy(hours, ({ day }) => day)
      const before = [...days].filter(([day]) => day < span.firstDay)
      // a new partner has no habit
      if (before.length < settings.habitDays) return []
      const sums = before.map(([, rows]) => granted(rows))
      return [...days].flatMap(([day, rows]) => {
        if (day < span.firstDay) return []
        // new on its first day only: a changed job is one finding, and not one a day
        const known = new Set(hours.flatMap((row) => (row.day < day ? [row.operation] : [])))
        return judged(day, rows, { sums, known, habits, aggregates }, settings) ?? []
      })
    })
  },
}

const granted = (rows: readonly PartnerHour[]): number => rows.reduce((sum, row) => sum + row.granted, 0)
const requests = (rows: readonly PartnerHour[]): number => rows.reduce((sum, row) => sum + row.requests, 0)

interface Habits {
  /** Granted records of each day of the baseline. */
  readonly sums: readonly number[]
  /** Operations of the days before. */
  readonly known: ReadonlySet<string>
  readonly habits: HourHabits
  readonly aggregates: AccessAggregates
}

function judged(
  day: string,
  rows: readonly PartnerHour[],
  { sums, known, habits, aggregates: { partnerPaths } }: Habits,
  { partner, beyondPeak }: AnomalySettings,
): Finding | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const { user_id: user, client } = first
  const newOperations = new Set(rows.map(({ operation }) => operation).filter((operation) => !known.has(operation))).size
  const ownPaths = partnerPaths.filter(({ user_id }) => user_id === user)
  const usual = new Set(ownPaths.flatMap((row) => (row.day < day ? [row.path] : [])))
  const newPaths = new Set(ownPaths.flatMap((row) => (row.day === day && !usual.has(row.path) ? [row.path] : []))).size
  const atOffHours = requests(rows.filter(({ hour_of_day }) => habits.shareOf([user], day, hour_of_day, 1) <= partner.share))
  const records = granted(rows)
  const spread = spreadOf(sums, LEAST)
  const isBeyond = records > beyondPeak * spread.peak && records - spread.median >= partner.least
  const parts = [
    { measure: newOperations > 0 ? NEW : 0, text: `used ${counted(newOperations, 'operation')} that it never used` },
    { measure: newPaths > 0 ? NEW : 0, text: `read ${counted(newPaths, 'field')} that it never read` },
    { measure: atOffHours / partner.requests, text: `made ${counted(atOffHours, 'request')} in hours in which it does not work` },
    {
      measure: isBeyond ? robustZ(records, spread) / partner.own : 0,
      text: `read ${counted(records, 'value')} against a median of ${shown(spread.median)}`,
    },
  ].filter(({ measure }) => isFinding(measure))
  if (parts.length === 0) return undefined
  const [from, to] = [Math.min(...rows.map(({ first_at }) => first_at)), Math.max(...rows.map(({ last_at }) => last_at))]
  return {
    kind: 'PARTNER_HABITS',
    score: scoreOf(Math.max(...parts.map(({ measure }) => measure))),
    user,
    ...(client !== null && { client }),
    from,
    to,
    explanation: `On ${day}, the partner ${user} ${parts.map(({ text }) => text).join(', and ')}.`,
    evidence: {
      records,
      median: spread.median,
      z: robustZ(records, spread),
      newOperations,
      newPaths,
      requestsAtOffHours: atOffHours,
    },
    patients: [],
    filter: { user, from, to },
  }
}
