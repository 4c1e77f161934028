import type { PhiPolicy, PolicyTable } from '../../../directives/policy.ts'
import type { AccessFilter } from '../access-filter.ts'
import { selected } from '../tables/statements/selected.ts'
import type { Statement } from '../tables/statements/statement.ts'

/** The columns that an exposure report groups by, in the order of `GROUPING`. `day`, `class` and `kind` are of this report. */
const COLUMNS = [
  'patient',
  'user',
  'client',
  'session',
  'sourceIp',
  'app',
  'userAgent',
  'purpose',
  'path',
  'outcome',
  'view',
  'reason',
  'basis',
  'day',
  'class',
  'kind',
] as const
type Column = (typeof COLUMNS)[number]

/** The groups of the report and the columns of each. */
const FACETS = {
  ALL: [],
  PATIENT: ['patient'],
  CLASS: ['class'],
  CATEGORY: ['kind'],
  PATH: ['path'],
  OUTCOME: ['outcome', 'view', 'reason'],
  DAY: ['day'],
  SOURCE: ['sourceIp', 'client', 'app', 'userAgent'],
  SESSION: ['session', 'user'],
  USER: ['user'],
  PURPOSE: ['purpose'],
  BASIS: ['basis'],
} as const satisfies Readonly<Record<string, readonly Column[]>>
export type Facet = keyof typeof FACETS

/** Rows of each group of the report, those with the most records first. */
const MAX_ROWS = 500

/** The value of `GROUPING` for a group: a bit for each column that is not in it, the first column highest. */
export const facetNumber = (facet: Facet): number =>
  COLUMNS.reduce((number, column) => number * 2 + ((FACETS[facet] as readonly string[]).includes(column) ? 0 : 1), 0)

const quoted = (column: string): string => `"${column}"`
const GAVE = `"outcome" IN ('DISCLOSED', 'MASKED')`

/**
 * Counts the records of a filter in groups, in one pass. A record is acquired if a value, an edge or the existence of a record left the
 * gateway. Every other record is an attempt.
 */
export function exposureFacets(policy: Pick<PolicyTable, 'phi'>, filter: AccessFilter): Statement {
  const { sql: condition, values } = selected(filter)
  const [columns, sets] = [COLUMNS.map(quoted).join(', '), Object.values(FACETS).map((set) => `(${set.map(quoted).join(', ')})`)]
  const own = COLUMNS.filter((column) => !['day', 'class', 'kind'].includes(column)).map(quoted)
  const sql = `WITH selected AS (
SELECT ${own.join(', ')}, "time" AS moment, CAST(CAST("time" AS DATE) AS VARCHAR) AS "day",
${caseOf(policy, ({ identifier }) => identifier)} AS "class", ${caseOf(policy, ({ category }) => category)} AS "kind"
FROM accesses WHERE ${condition}),
grouped AS (
SELECT GROUPING(${columns}) AS facet, ${columns}, count(*) AS records, count(*) FILTER (WHERE ${GAVE}) AS acquired,
count(*) FILTER (WHERE "outcome" = 'MASKED') AS masked, count(DISTINCT "patient") AS patients,
count(DISTINCT "patient") FILTER (WHERE ${GAVE}) AS reached, min(moment) AS earliest, max(moment) AS latest
FROM selected GROUP BY GROUPING SETS (${sets.join(', ')})),
placed AS (
SELECT grouped.*, count(*) OVER (PARTITION BY facet) AS total,
row_number() OVER (PARTITION BY facet ORDER BY acquired DESC, records DESC, ${columns}) AS place FROM grouped)
SELECT * FROM placed WHERE place <= ${MAX_ROWS} ORDER BY facet, place`
  return { sql, values }
}

/** A word of the policy for each path. Paths are names of the schema: no value of a request is among them. */
function caseOf({ phi }: Pick<PolicyTable, 'phi'>, wordOf: (policy: PhiPolicy) => string | undefined): string {
  const cases = [...Map.groupBy(phi.values(), wordOf)].flatMap(([word, policies]) =>
    word === undefined ? [] : [`WHEN path IN (${policies.map(({ path }) => literal(path)).join(', ')}) THEN ${literal(word)}`],
  )
  return cases.length === 0 ? 'CAST(NULL AS VARCHAR)' : `CASE ${cases.join(' ')} END`
}

/** @throws TypeError for a text that is no name of GraphQL */
function literal(name: string): string {
  if (!/^[A-Za-z_][\w.]*$/.test(name)) throw new TypeError('not a name of the schema')
  return `'${name}'`
}
