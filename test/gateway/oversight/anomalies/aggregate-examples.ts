import type { AccessAggregates } from '../../../../gateway/oversight/anomalies/aggregates.ts'
import { AnomalySettings } from '../../../../gateway/oversight/anomalies/anomaly-settings.ts'
import { DAY_MS } from '../../../../gateway/oversight/anomalies/local-day.ts'

const FIRST_DAY = '2026-03-02'
const FROM = Date.parse(`${FIRST_DAY}T00:00:00Z`)
export const SETTINGS = AnomalySettings.parse({})

/** The local day, a number of days after the first judged one. */
export const dayAt = (days: number): string => new Date(FROM + days * DAY_MS).toISOString().slice(0, 10)
export const timeAt = (days: number, hour = 12): number => FROM + days * DAY_MS + hour * 3_600_000

/** The days of work of the baseline: -60 to -1, without weekends. */
export const WORKDAYS = Array.from({ length: 60 }, (_, at) => at - 60).filter(
  (day) => ![0, 6].includes(new Date(timeAt(day)).getUTCDay()),
)

/** The aggregates of a clinic with six nurses. A test adds what it is about. */
export function aggregates(change: Partial<AccessAggregates> = {}): AccessAggregates {
  return {
    span: { from: FROM, to: FROM + 30 * DAY_MS - 1, baselineFrom: FROM - 60 * DAY_MS, firstDay: FIRST_DAY, offset: 0 },
    roles: NURSES.map((user_id) => ({ user_id, role: 'NURSE', records: 1_000, is_partner: 0 })),
    days: usualDays(),
    habits: [],
    hours: [],
    denials: [],
    searches: [],
    grantUses: [],
    memberships: [],
    bases: [],
    rules: { before: [], judged: [] },
    partnerHours: [],
    partnerPaths: [],
    related: { relations: [], workers: new Set(), vips: new Set(), reads: [], careDays: [], handlings: [] },
    examined: 0,
    ...change,
  }
}

export const NURSES = ['nurse-0', 'nurse-1', 'nurse-2', 'nurse-3', 'nurse-4', 'nurse-5']

/** Each nurse reads 90 to 110 values of 9 to 11 patients on a day. */
export const usualDays = (): AccessAggregates['days'] =>
  NURSES.flatMap((user, at) => WORKDAYS.map((day) => dayOf(user, day, 90 + ((day * 7 + at * 3) % 11) + 10, 10 + ((day + at) % 2))))

export const dayOf = (user_id: string, day: number, records: number, patients: number): AccessAggregates['days'][number] => ({
  user_id,
  day: dayAt(day),
  records,
  patients,
  first_at: timeAt(day, 9),
  last_at: timeAt(day, 17),
})
