import * as z from 'zod'
import type { Deadline } from '../../model/deadline.ts'
import type { AccessFilter } from '../access-filter.ts'
import type { OpenTables } from '../tables/audit-tables.ts'
import type { AccessAggregates } from './aggregates.ts'
import { type AccessClass, explanationOf, type KnownReasons } from './explained-access.ts'
import type { Finding } from './finding.ts'
import { number, Questions } from './rows.ts'
import { type Condition, EXPLANATIONS, sqlTime } from './statements.ts'

const Group = z.object({
  basis: z.string().nullable(),
  is_named: number,
  grant_id: z.string().nullable(),
  partner: z.string().nullable(),
  operation: z.string().nullable(),
  is_treated: number,
  records: number,
})

/** Granted field-level records by class, and by reason. */
export interface AccessClasses {
  readonly explained: number
  readonly unexplained: number
  readonly suspicious: number
  /** Of the explained and the unexplained, the most frequent first. */
  readonly reasons: readonly { readonly class: AccessClass; readonly because: string; readonly count: number }[]
}

/** The reasons of accesses of the judged days, apart from findings. */
export function knownReasons({ grantUses, partnerHours, span }: AccessAggregates): KnownReasons {
  const usualOperations = new Map<string, Set<string>>()
  for (const { user_id, operation, day } of partnerHours)
    if (day < span.firstDay) usualOperations.set(user_id, (usualOperations.get(user_id) ?? new Set()).add(operation))
  const reviewed = new Set(grantUses.flatMap(({ grant_id, reviewed_at }) => (reviewed_at === null ? [] : [grant_id])))
  return { reviewed, usualOperations }
}

/**
 * Counts the granted accesses of the judged days by class.
 *
 * @throws FilterTooBroad, AuditLogUnavailable, StoreUnavailable
 */
export async function classesOf(
  tables: OpenTables,
  aggregates: AccessAggregates,
  findings: readonly Finding[],
  deadline: Deadline,
): Promise<AccessClasses> {
  const { from, to } = aggregates.span
  const known = knownReasons(aggregates)
  const questions = new Questions(tables, deadline)
  const groups = async (selected?: Condition): Promise<readonly z.infer<typeof Group>[]> =>
    await questions.ask(Group, EXPLANATIONS(selected), { from, to }, selected?.values)
  const selected = conditionOf(findings)
  const all = await groups()
  const within = selected === undefined ? [] : await groups(selected)
  const counts = new Map<string, { class: AccessClass; because: string; count: number }>()
  const add = (group: z.infer<typeof Group>, sign: 1 | -1): void => {
    const { basis, is_named, grant_id: grant, partner, operation, is_treated, records } = group
    const reason = explanationOf({ basis, isNamed: is_named > 0, grant, partner, operation, isTreated: is_treated > 0 }, known)
    const counted = counts.get(reason.because) ?? { ...reason, count: 0 }
    counted.count += sign * records
    counts.set(reason.because, counted)
  }
  for (const group of all) add(group, 1)
  for (const group of within) add(group, -1)
  const reasons = [...counts.values()]
    .filter(({ count }) => count > 0)
    .toSorted((one, other) => other.count - one.count || (one.because < other.because ? -1 : 1))
  const sum = (wanted: AccessClass): number => reasons.reduce((total, one) => total + (one.class === wanted ? one.count : 0), 0)
  return {
    explained: sum('EXPLAINED'),
    unexplained: sum('UNEXPLAINED'),
    suspicious: within.reduce((total, { records }) => total + records, 0),
    reasons,
  }
}

/** The granted accesses of any of the findings. It has the rules of `isSelected`. */
function conditionOf(findings: readonly Finding[]): Condition | undefined {
  const filters = findings.map(({ filter }) => filter).filter(({ outcomes }) => outcomes === undefined || isAnyGranted(outcomes))
  const values: string[] = []
  const bind = (value: string): string => {
    values.push(value)
    return '?'
  }
  const byUser = Map.groupBy(filters, ({ user }) => user ?? '')
  const terms = [...byUser].map(
    ([user, ofUser]) => `(a."user" = ${bind(user)} AND (${ofUser.map((one) => term(one, bind)).join(' OR ')}))`,
  )
  return terms.length === 0 ? undefined : { sql: terms.join(' OR '), values }
}

const isAnyGranted = (outcomes: ReadonlySet<string>): boolean => outcomes.has('DISCLOSED') || outcomes.has('MASKED')

function term({ patient, path, basis, action, reason, from = 0, to = 0 }: AccessFilter, bind: (value: string) => string): string {
  const time = `a."time" BETWEEN CAST(${bind(sqlTime(from))} AS TIMESTAMP) AND CAST(${bind(sqlTime(to))} AS TIMESTAMP)`
  return [
    time,
    // as a filter without an action: a review of the log discloses no field
    action === undefined ? `a.action <> 'REVIEW'` : `a.action = ${bind(action)}`,
    ...(patient === undefined ? [] : [`a.patient = ${bind(patient)}`]),
    ...(path === undefined ? [] : [`a.path = ${bind(path)}`]),
    ...(basis === undefined ? [] : [`a.basis = ${bind(basis)}`]),
    ...(reason === undefined ? [] : [`a.reason = ${bind(reason)}`]),
  ].join(' AND ')
}
