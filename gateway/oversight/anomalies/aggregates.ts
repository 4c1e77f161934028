import * as z from 'zod'
import type { Deadline } from '../../model/deadline.ts'
import type { OpenTables } from '../tables/audit-tables.ts'
import type { AnomalySettings } from './anomaly-settings.ts'
import { DAY_MS, localDay, localOffset, startOfDay } from './local-day.ts'
import type { RelatedReads } from './related-reads.ts'
import { at, number, Questions } from './rows.ts'
import {
  BASES,
  BREAK_GLASS,
  DAYS,
  DENIALS,
  HABITS,
  HOURS,
  MEMBERSHIPS,
  PARTNER_HOURS,
  PARTNER_PATHS,
  ROLES,
  RULES,
  SEARCHES,
} from './statements.ts'

const text = z.string()
const ofUser = { user_id: text, day: text }
const span = { first_at: at, last_at: at }

const Role = z.object({ user_id: text, role: text, records: number, is_partner: number })
const UserDay = z.object({ ...ofUser, ...span, records: number, patients: number })
const Habit = z.object({ user_id: text, is_weekend: number, hour_of_day: number, days: number })
const UserHour = z.object({ ...ofUser, ...span, hour_of_day: number, records: number, requests: number, patients: number })
const Denials = z.object({ ...ofUser, ...span, strangers: number, refused: number, missing: number })
const Searches = z.object({ ...ofUser, ...span, searches: number, misses: number, refused: number })
const GrantUse = z.object({
  grant_id: text,
  user_id: text,
  patient: text.nullable(),
  records: number,
  ...span,
  reviewed_at: at.nullable(),
})
const Membership = z.object({
  ...ofUser,
  ...span,
  patient: text,
  records: number,
  since: at,
  basis_id: text.nullable(),
  age: number,
  pause: number.nullable(),
})
const BasisDay = z.object({ ...ofUser, ...span, basis: text, records: number, patients: number })
const RuleUse = z.object({ user_id: text, rule: text, path: text, is_judged: number, records: number, ...span })
const PartnerHour = z.object({
  ...ofUser,
  ...span,
  client: text.nullable(),
  hour_of_day: number,
  operation: text,
  records: number,
  requests: number,
  granted: number,
})
const PartnerPath = z.object({ ...ofUser, path: text, records: number })

export type UserDay = z.infer<typeof UserDay>
type Habit = z.infer<typeof Habit>
export type RuleUse = z.infer<typeof RuleUse>
export type PartnerHour = z.infer<typeof PartnerHour>

/** The judged span in whole local days, and the days before it that habits come from. Milliseconds since the epoch, all inclusive. */
export interface JudgedSpan {
  readonly from: number
  readonly to: number
  readonly baselineFrom: number
  /** The first judged local day. */
  readonly firstDay: string
  /** Minutes that local time is ahead of UTC. */
  readonly offset: number
}

/** The accesses of the judged days and of the days before, as numbers. Rows of days before `firstDay` are the baseline. */
export interface AccessAggregates {
  readonly span: JudgedSpan
  readonly roles: readonly z.infer<typeof Role>[]
  readonly days: readonly UserDay[]
  /** Of the baseline. */
  readonly habits: readonly Habit[]
  /** Of the judged days. */
  readonly hours: readonly z.infer<typeof UserHour>[]
  readonly denials: readonly z.infer<typeof Denials>[]
  readonly searches: readonly z.infer<typeof Searches>[]
  readonly grantUses: readonly z.infer<typeof GrantUse>[]
  /** Of the judged days. */
  readonly memberships: readonly z.infer<typeof Membership>[]
  readonly bases: readonly z.infer<typeof BasisDay>[]
  readonly rules: { readonly before: readonly RuleUse[]; readonly judged: readonly RuleUse[] }
  readonly partnerHours: readonly PartnerHour[]
  readonly partnerPaths: readonly z.infer<typeof PartnerPath>[]
  readonly related: RelatedReads
  /** Records that the questions read, of the one that read most. */
  readonly examined: number
}

/** The judged span of a question. Its first day begins at local midnight. */
export function judgedSpan(from: number, to: number, { timeZone, baselineDays }: AnomalySettings): JudgedSpan {
  const offset = localOffset(timeZone, from) ?? 0
  const start = startOfDay(from, offset)
  return { from: start, to, baselineFrom: start - baselineDays * DAY_MS, firstDay: localDay(start, offset), offset }
}

/**
 * Asks the tables for the aggregates of all users, one question after the other: each may take the memory of the engine.
 *
 * @throws FilterTooBroad if an answer has too many rows; AuditLogUnavailable for an answer of another form; StoreUnavailable
 */
export async function readAggregates(
  tables: OpenTables,
  judged: JudgedSpan,
  settings: AnomalySettings,
  deadline: Deadline,
): Promise<Omit<AccessAggregates, 'related'>> {
  const { offset, from, to, baselineFrom } = judged
  const all = { from: baselineFrom, to }
  const before = { from: baselineFrom, to: from - 1 }
  const now = { from, to }
  const questions = new Questions(tables, deadline)
  const { age, gap, others } = settings.membership
  const rules = await questions.ask(RuleUse, RULES(from), all)
  return {
    span: judged,
    roles: await questions.ask(Role, ROLES(offset), all),
    days: await questions.ask(UserDay, DAYS(offset), all),
    habits: await questions.ask(Habit, HABITS(offset), before),
    hours: await questions.ask(UserHour, HOURS(offset), now),
    denials: await questions.ask(Denials, DENIALS(offset), all),
    searches: await questions.ask(Searches, SEARCHES(offset), all),
    grantUses: await questions.ask(GrantUse, BREAK_GLASS(offset), all),
    // from half of the thresholds on, so that a lower `minScore` has something to show
    memberships: await questions.ask(Membership, MEMBERSHIPS(offset, others), all, [
      judged.firstDay,
      Math.floor(gap / 2),
      Math.floor(age / 2),
    ]),
    bases: await questions.ask(BasisDay, BASES(offset), all),
    rules: { before: rules.filter(({ is_judged }) => is_judged === 0), judged: rules.filter(({ is_judged }) => is_judged > 0) },
    partnerHours: await questions.ask(PartnerHour, PARTNER_HOURS(offset), all),
    partnerPaths: await questions.ask(PartnerPath, PARTNER_PATHS(offset), all),
    examined: questions.examined,
  }
}
