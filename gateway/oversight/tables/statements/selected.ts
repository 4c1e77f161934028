import type { AccessFilter } from '../../access-filter.ts'
import type { SqlValue } from '../audit-tables.ts'
import { timeText } from '../time-span.ts'
import { allOf, type Condition, marks } from './statement.ts'

/** The members of a filter that are compared with one column. */
const COLUMNS = {
  patient: 'patient',
  user: 'user',
  client: 'client',
  session: 'session',
  sourceIp: 'sourceIp',
  reason: 'reason',
  purpose: 'purpose',
  basis: 'basis',
  requestId: 'requestId',
  listed: 'listed',
  persisted: 'persisted',
} as const satisfies Partial<Record<keyof AccessFilter, string>>

/** The records that a filter selects, with the rules of `isSelected`. The property test of both is `selected.property.test.ts`. */
export function selected(filter: AccessFilter): Condition {
  const conditions: Condition[] = []
  const add = (sql: string, ...values: SqlValue[]): void => void conditions.push({ sql, values })
  // in this order whatever that of the members is
  for (const [member, column] of Object.entries(COLUMNS)) {
    // safe: the keys of COLUMNS are members of a filter with one value
    const value = filter[member as keyof typeof COLUMNS]
    if (value !== undefined) add(`"${column}" = ?`, value)
  }
  const { path, categoryPaths, outcomes, action, from, to } = filter
  if (path !== undefined) add('("path" = ? OR contains("paths", ?))', path, path)
  if (categoryPaths !== undefined) conditions.push(anyPath([...categoryPaths].sort()))
  if (outcomes !== undefined) conditions.push(oneOf('outcome', [...outcomes].sort()))
  if (action === undefined) add(`"action" <> 'REVIEW'`)
  else add('"action" = ?', action)
  if (from !== undefined) add('"time" >= CAST(? AS TIMESTAMP)', timeText(from))
  if (to !== undefined) add('"time" <= CAST(? AS TIMESTAMP)', timeText(to))
  return allOf(conditions)
}

const oneOf = (column: string, values: readonly string[]): Condition =>
  values.length === 0 ? { sql: 'FALSE', values: [] } : { sql: `"${column}" IN (${marks(values)})`, values }

/** Records with one of these paths, which a write can have several of. */
function anyPath(paths: readonly string[]): Condition {
  const { sql, values } = oneOf('path', paths)
  const others = paths.map(() => ' OR contains("paths", ?)').join('')
  return { sql: `(${sql}${others})`, values: [...values, ...paths] }
}
