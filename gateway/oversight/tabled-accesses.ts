import { FilterTooBroad } from '../model/failures.ts'
import type { Deadline } from '../model/deadline.ts'
import type { AccessFilter } from './access-filter.ts'
import { type AccessPage, type PageRequest, positionOf, type RecordedAccess } from './recorded-access.ts'
import type { AuditTables } from './tables/audit-tables.ts'
import { recordOf } from './tables/columns.ts'
import { selectAccesses } from './tables/statements/select-accesses.ts'
import type { TimeSpan } from './tables/time-span.ts'

/** The span of a question to the tables. @throws FilterTooBroad without one */
export function spanOf({ from, to }: AccessFilter): TimeSpan {
  if (from === undefined || to === undefined)
    throw new FilterTooBroad([...(from === undefined ? ['from'] : []), ...(to === undefined ? ['to'] : [])])
  return { from, to }
}

/**
 * A page of the records that any filter with a span selects, from the tables.
 *
 * @throws FilterTooBroad, AuditLogUnavailable, StoreUnavailable
 */
export async function tabledAccesses(
  tables: AuditTables,
  filter: AccessFilter,
  { first, after }: PageRequest,
  deadline: Deadline,
): Promise<AccessPage> {
  const span = spanOf(filter)
  const { rows, examined } = await tables.ask({ ...selectAccesses(filter, first + 1, after), span }, deadline)
  // safe: a row has the columns of a record, which were checked when it was written
  const accesses = rows.slice(0, first).map((row) => recordOf(row) as unknown as RecordedAccess)
  const last = accesses.at(-1)
  return { accesses, examined, next: rows.length > first && last !== undefined ? positionOf(last) : undefined }
}
