import * as z from 'zod'
import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, FilterTooBroad } from '../../model/failures.ts'
import type { OpenTables, TableQuestion } from '../tables/audit-tables.ts'
import { MAX_ROWS } from './statements.ts'

/**
 * Asks the tables one question, and parses the rows.
 *
 * @throws FilterTooBroad for more than `MAX_ROWS` rows; AuditLogUnavailable for rows of another form; StoreUnavailable
 */
export async function askRows<Row>(
  tables: OpenTables,
  row: z.ZodType<Row>,
  question: TableQuestion,
  deadline: Deadline,
): Promise<{ readonly rows: readonly Row[]; readonly examined: number }> {
  const { rows, examined } = await tables.ask(question, deadline)
  if (rows.length > MAX_ROWS) throw new FilterTooBroad(['from', 'to'])
  const parsed = z.array(row).safeParse(rows)
  // the issues of the schema name columns and no value, and stay inside
  if (!parsed.success) throw new AuditLogUnavailable({ cause: parsed.error })
  return { rows: parsed.data, examined }
}
