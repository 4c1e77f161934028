import type { AccessFilter } from '../../access-filter.ts'
import { filterForms } from './select-accesses.ts'
import { selected } from './selected.ts'
import type { Statement, StatementForms } from './statement.ts'

/** The dimensions of a count. `docs/auditors-api.md`, section "Summaries". */
export const DIMENSIONS = [
  'PATIENT',
  'USER',
  'CLIENT',
  'ROLE',
  'PATH',
  'CATEGORY',
  'OUTCOME',
  'REASON',
  'ACTION',
  'PURPOSE',
  'BASIS',
  'ORGANIZATION',
  'LISTED',
  'PERSISTED',
  'OPERATION',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

export const INTERVALS = ['HOUR', 'DAY', 'WEEK', 'MONTH', 'YEAR'] as const
/** Of UTC. A week begins on Monday. */
export type Interval = (typeof INTERVALS)[number]

/** The column of each dimension that is one. */
const COLUMN: Readonly<Record<Exclude<Dimension, 'ROLE' | 'CATEGORY'>, string>> = {
  PATIENT: 'patient',
  USER: 'user',
  CLIENT: 'client',
  PATH: 'path',
  OUTCOME: 'outcome',
  REASON: 'reason',
  ACTION: 'action',
  PURPOSE: 'purpose',
  BASIS: 'basis',
  ORGANIZATION: 'organization',
  LISTED: 'listed',
  PERSISTED: 'persisted',
  OPERATION: 'operation',
}

/**
 * The roles of a record, and one null for a caller without any. DuckDB needs ten times as long to unnest in a LEFT JOIN, or a list that is
 * not a column.
 */
const ROLES = `CASE WHEN array_join("roles", '') <> '' THEN "roles" ELSE ARRAY[CAST(NULL AS VARCHAR)] END AS "role_list"`

/** The name of a group's value in the answer. */
export const keyOf = (dimension: Dimension): string => `by_${dimension.toLowerCase()}`

export interface CountQuestion {
  readonly filter: AccessFilter
  readonly groupBy: readonly Dimension[]
  readonly interval: Interval | undefined
  /** The category of each path of the schema. */
  readonly categories: ReadonlyMap<string, string>
  readonly limit: number
}

/**
 * Counts the records that a filter selects, for each group and interval: `accesses`, `patients`, `users`, `requests`, `first`, `last`.
 *
 * A record with several roles is in the group of each of them. The category is that of `path`.
 */
export function countStatement({ filter, groupBy, interval, categories, limit }: CountQuestion): Statement {
  const keys = groupBy.map((dimension) => ({ sql: keyText(dimension, categories), name: `"${keyOf(dimension)}"` }))
  if (interval !== undefined) keys.unshift({ sql: `date_trunc('${interval.toLowerCase()}', "time")`, name: '"interval_start"' })
  const counts = [
    'count(*) AS "accesses"',
    'count(DISTINCT "patient") AS "patients"',
    'count(DISTINCT "user") AS "users"',
    'count(DISTINCT "requestId") AS "requests"',
    'min("time") AS "first_at"',
    'max("time") AS "last_at"',
  ]
  const { sql, values } = selected(filter)
  const places = keys.map((_, at) => at + 1)
  const order = [...(interval === undefined ? [] : ['"interval_start"']), '"accesses" DESC', ...places]
  return {
    sql: [
      `SELECT ${[...keys.map((key) => `${key.sql} AS ${key.name}`), ...counts].join(', ')}`,
      groupBy.includes('ROLE')
        ? `FROM (SELECT *, ${ROLES} FROM accesses WHERE ${sql}) AS a CROSS JOIN UNNEST("role_list") AS r("role")`
        : `FROM accesses WHERE ${sql}`,
      ...(keys.length === 0 ? [] : [`GROUP BY ${places.join(', ')}`]),
      `ORDER BY ${order.join(', ')} LIMIT ${Math.trunc(limit)}`,
    ].join(' '),
    values,
  }
}

function keyText(dimension: Dimension, categories: ReadonlyMap<string, string>): string {
  if (dimension === 'ROLE') return 'r."role"'
  if (dimension === 'CATEGORY') return categoryText(categories)
  return `"${COLUMN[dimension]}"`
}

/** Athena accepts a `?` in a WHERE only. These texts are names of the schema, in letters, digits and `_`, and no values of a question. */
function categoryText(categories: ReadonlyMap<string, string>): string {
  const paths = Map.groupBy(categories, ([, category]) => category)
  const cases = [...paths].map(([category, entries]) => {
    const list = entries.map(([path]) => schemaText(path)).join(', ')
    return `WHEN "path" IN (${list}) THEN ${schemaText(category)}`
  })
  return cases.length === 0 ? 'CAST(NULL AS VARCHAR)' : `CASE ${cases.join(' ')} END`
}

function schemaText(name: string): string {
  if (!/^[A-Za-z0-9_.]+$/.test(name)) throw new TypeError('not a name of the schema')
  return `'${name}'`
}

const CATEGORIES = new Map([
  ['Patient.ssn', 'IDENTIFIER'],
  ['Patient.birthDate', 'DEMOGRAPHIC'],
  ['Patient.gender', 'DEMOGRAPHIC'],
])

export const COUNT_ACCESSES: StatementForms = {
  name: 'accessSummary',
  forms: function* () {
    const base = { filter: {}, groupBy: [], interval: undefined, categories: CATEGORIES, limit: 10_001 }
    for (const filter of filterForms()) yield countStatement({ ...base, filter })
    for (const dimension of DIMENSIONS) yield countStatement({ ...base, groupBy: [dimension] })
    for (const interval of INTERVALS) yield countStatement({ ...base, interval, groupBy: ['USER', 'ROLE'] })
    yield countStatement({ ...base, groupBy: DIMENSIONS, interval: 'DAY' })
    yield countStatement({ ...base, groupBy: ['CATEGORY'], categories: new Map() })
  },
}
