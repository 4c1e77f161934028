import type { PolicyTable } from '../../directives/policy.ts'
import { BadUserInput, FilterTooBroad } from '../model/failures.ts'
import type { Deadline } from '../model/deadline.ts'
import { type AccessFilter, accessFilter, type FilterArguments } from './access-filter.ts'
import type { AuditRoot } from './audit-reader.ts'
import { timesOf } from './audit-times.ts'
import { spanOf } from './tabled-accesses.ts'
import type { AuditTables } from './tables/audit-tables.ts'
import { countStatement, type Dimension, type Interval, keyOf } from './tables/statements/count-accesses.ts'

/** Groups of a summary. */
const MAX_GROUPS = 10_000
/** The largest number of the type Int. */
const MAX_INT = 2_147_483_647

/** The number of accesses in one group and interval. */
export interface AccessCount {
  readonly keys: Readonly<Partial<Record<Dimension, string | boolean | null>>>
  /** The start of the interval. */
  readonly start: Date | null
  readonly accesses: number
  readonly patients: number
  readonly users: number
  readonly requests: number
  readonly first: Date | null
  readonly last: Date | null
}

/** The members of a filter that a summary with too many groups should add, in this order. */
const NARROWING = { user: 'userId', patient: 'patientId', client: 'clientId', path: 'path', outcomes: 'outcome' } as const

/**
 * Counts the records that a filter selects. Groups are in the order of their intervals, the largest first.
 *
 * @throws BadUserInput for a dimension that occurs twice; FilterTooBroad without `from` and `to`, and for too many groups;
 *   AuditLogUnavailable, StoreUnavailable
 */
export async function countAccesses(
  { tables, policy }: { readonly tables: AuditTables; readonly policy: Pick<PolicyTable, 'phi'> },
  question: { readonly filter: AccessFilter; readonly groupBy: readonly Dimension[]; readonly interval: Interval | undefined },
  deadline: Deadline,
): Promise<readonly AccessCount[]> {
  const { filter, groupBy } = question
  if (new Set(groupBy).size < groupBy.length) throw new BadUserInput({ detail: '`groupBy` has a dimension twice. Name each once.' })
  const span = spanOf(filter)
  const categories = new Map([...policy.phi.values()].map(({ path, category }): [string, string] => [path, category]))
  const statement = countStatement({ ...question, categories, limit: MAX_GROUPS + 1 })
  const { rows } = await tables.ask({ ...statement, span }, deadline)
  if (rows.length > MAX_GROUPS || rows.some(({ accesses }) => Number(accesses) > MAX_INT)) {
    const missing = Object.entries(NARROWING).flatMap(([member, name]) => (member in filter ? [] : [name]))
    throw new FilterTooBroad(missing.length === 0 ? ['from', 'to'] : missing)
  }
  // without a group, SQL counts no records as one row
  return rows.map((row) => countOf(row, groupBy)).filter(({ accesses }) => accesses > 0)
}

function countOf(row: Readonly<Record<string, unknown>>, groupBy: readonly Dimension[]): AccessCount {
  return {
    keys: Object.fromEntries(groupBy.map((dimension) => [dimension, keyIn(row[keyOf(dimension)])])),
    start: timeIn(row['interval_start']),
    accesses: Number(row['accesses']),
    patients: Number(row['patients']),
    users: Number(row['users']),
    requests: Number(row['requests']),
    first: timeIn(row['first_at']),
    last: timeIn(row['last_at']),
  }
}

const keyIn = (value: unknown): string | boolean | null => (typeof value === 'string' || typeof value === 'boolean' ? value : null)
const timeIn = (value: unknown): Date | null => (value instanceof Date ? value : null)

interface Arguments {
  readonly filter: FilterArguments
  readonly groupBy: readonly Dimension[]
  readonly interval?: Interval | null
}

/** The member of the type AccessCount for each dimension that has another name there. */
const MEMBERS: Readonly<Partial<Record<Dimension, string>>> = { PATIENT: 'patientId', USER: 'userId', CLIENT: 'clientId' }

/** `accessSummary`: the number of accesses by any dimensions, over time. */
export const accessSummary: AuditRoot<Arguments> = async ({ filter: given, groupBy, interval }, { reader, policy, deadline }) => {
  const filter = accessFilter(policy, given, timesOf(given))
  const question = { filter, groupBy, interval: interval ?? undefined }
  const counts = await countAccesses({ tables: reader.tables, policy }, question, deadline)
  return {
    value: counts.map(({ keys, start, first, last, ...numbers }) => ({
      ...Object.fromEntries(
        Object.entries(keys).map(([dimension, value]) => [MEMBERS[dimension as Dimension] ?? dimension.toLowerCase(), value]),
      ),
      ...numbers,
      start: start?.toISOString() ?? null,
      first: first?.toISOString() ?? null,
      last: last?.toISOString() ?? null,
    })),
    ...(filter.patient !== undefined && { patient: filter.patient }),
    count: counts.length,
  }
}
