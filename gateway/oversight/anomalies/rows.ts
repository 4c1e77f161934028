import * as z from 'zod'
import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, FilterTooBroad } from '../../model/failures.ts'
import type { OpenTables, SqlValue } from '../tables/audit-tables.ts'
import type { TimeSpan } from '../tables/time-span.ts'
import { MAX_ROWS } from './statements.ts'

/** A number of a row. Both databases can return a large integer as a bigint. */
export const number = z.union([z.number(), z.bigint()]).transform(Number)
/** A time of a row, in milliseconds since the epoch. */
export const at = z.date().transform((time) => time.getTime())

/** Questions of the detection to the tables, with parsed rows. */
export class Questions {
  readonly #tables: OpenTables
  readonly #deadline: Deadline
  /** Records that the questions read, of the one that read most. */
  examined = 0

  constructor(tables: OpenTables, deadline: Deadline) {
    this.#tables = tables
    this.#deadline = deadline
  }

  /**
   * Asks one question.
   *
   * @throws FilterTooBroad for more than `MAX_ROWS` rows; AuditLogUnavailable for rows of another form; StoreUnavailable
   */
  async ask<Row>(row: z.ZodType<Row>, sql: string, span: TimeSpan, values: readonly SqlValue[] = []): Promise<readonly Row[]> {
    const { rows, examined } = await this.#tables.ask({ sql, values, span }, this.#deadline)
    this.examined = Math.max(this.examined, examined)
    if (rows.length > MAX_ROWS) throw new FilterTooBroad(['from', 'to'])
    const parsed = z.array(row).safeParse(rows)
    // the issues of the schema name columns and no value, and stay inside
    if (!parsed.success) throw new AuditLogUnavailable({ cause: parsed.error })
    return parsed.data
  }
}
