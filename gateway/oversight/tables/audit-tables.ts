import type { Deadline } from '../../model/deadline.ts'
import type { TimeSpan } from './time-span.ts'

/** A value of a statement. Times are texts, which the statement casts: `CAST(? AS TIMESTAMP)`. */
export type SqlValue = string | number | boolean

/** A question in the SQL that DuckDB and Amazon Athena have in common. */
export interface TableQuestion {
  /**
   * A SELECT over `accesses`: the records of the tenant, with the columns of `columns.ts`. Each value is a `?`, which Athena accepts in a
   * WHERE only. A name of a column that is no column of `columns.ts` has no capital letter, because Athena returns none.
   */
  readonly sql: string
  readonly values: readonly SqlValue[]
  /** Only records of this time are in `accesses`. */
  readonly span: TimeSpan
}

export interface TableAnswer {
  /** Numbers are numbers, times are Dates. */
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  /** The number of records in the files and items that the question read. */
  readonly examined: number
  /** The number of items in the files of the tables. The others are sealed later, or not yet in them. */
  readonly tableSize: number
}

/** Tables that are open: each answer is about the same state of the log. */
export interface OpenTables {
  /**
   * @param question with a span within the one that was opened
   * @throws FilterTooBroad for a question that takes too much memory; AuditLogUnavailable, StoreUnavailable
   */
  ask(question: TableQuestion, deadline: Deadline): Promise<TableAnswer>
}

/** The Parquet tables of one tenant, with all records that the log holds when a question begins. */
export interface AuditTables extends OpenTables {
  /**
   * Opens the records of a span once, for several questions. They wait for each other. The questions of other openings wait for all of
   * them, so the work asks the opened tables only.
   *
   * @param work begins again, over another state, if this engine cannot answer one of its questions. It changes nothing outside
   * @throws FilterTooBroad for a span that is too long; AuditLogUnavailable, StoreUnavailable; the error of the work
   */
  opened<Result>(span: TimeSpan, deadline: Deadline, work: (tables: OpenTables) => Promise<Result>): Promise<Result>
}
