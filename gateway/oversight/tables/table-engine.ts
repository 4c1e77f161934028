import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { SqlValue } from './audit-tables.ts'
import { emptySelection, itemSelection } from './columns.ts'
import { DuckDbMissing } from './table-faults.ts'
import { type TimeSpan, timeLiteral } from './time-span.ts'

/** With one thread, DuckDB needs a third of the memory, and the order of rows is that of the input. */
const SETTINGS = {
  threads: '1',
  memory_limit: '384MB',
  max_temp_directory_size: '384MB',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
  allow_persistent_secrets: 'false',
} as const

/**
 * DuckDB, closed to everything outside of one folder: it reads and writes no other file, opens no connection and loads no extension. The
 * parts that it needs, Parquet and JSON, are linked into its library. No statement can change this.
 *
 * @source https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
 */
export class TableEngine {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  /**
   * @param folder an absolute path. Its files are private to the caller
   * @param threads with more than one, the order of rows is undefined unless a statement has an ORDER BY
   * @throws DuckDbMissing
   */
  static async open(folder: string, threads: 1 | 2 = 1): Promise<TableEngine> {
    const library = await loadLibrary()
    const instance = await library.DuckDBInstance.create(':memory:', {
      ...SETTINGS,
      threads: String(threads),
      temp_directory: folder,
    })
    const connection = await instance.connect()
    const engine = new TableEngine(instance, connection)
    // the name of Trino
    await connection.run('CREATE TEMP MACRO array_join(list, separator) AS array_to_string(list, separator)')
    await connection.run(`SET allowed_directories = [${quoted(folder)}]`)
    await connection.run('SET enable_external_access = false')
    await connection.run('SET lock_configuration = true')
    return engine
  }

  /** Writes the items of a file of `itemLine` as Parquet, in their order. @returns the number of rows */
  async tableOf(lines: string, parquet: string): Promise<number> {
    return await this.#copy(itemSelection(quoted(lines)), parquet)
  }

  /** Writes the rows of several Parquet files as one, in their order. @returns the number of rows */
  async merged(files: readonly string[], parquet: string): Promise<number> {
    return await this.#copy(`FROM read_parquet([${files.map(quoted).join(', ')}])`, parquet)
  }

  /** The rows of a statement. It names Parquet files by `quoted`. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const result = await this.#connection.runAndReadAll(sql)
    return result.getRowObjectsJS()
  }

  /**
   * Makes the view `accesses` over the rows of Parquet files.
   *
   * @param span only records of this time are in the view
   */
  async view(parquet: readonly string[], span: TimeSpan): Promise<void> {
    const rows = parquet.length === 0 ? `(${emptySelection()})` : `read_parquet([${parquet.map(quoted).join(', ')}])`
    const within = `"time" BETWEEN ${timeLiteral(span.from)} AND ${timeLiteral(span.to)}`
    await this.#connection.run(`CREATE OR REPLACE TEMP VIEW accesses AS SELECT * FROM ${rows} WHERE ${within}`)
  }

  /**
   * The rows of a question over the view `accesses`. Numbers are numbers, times are Dates.
   *
   * @param sql a SELECT with a `?` for each value
   * @throws TypeError for a number that is not exact
   */
  async ask(sql: string, values: readonly SqlValue[]): Promise<Readonly<Record<string, unknown>>[]> {
    const result = await this.#connection.runAndReadAll(sql, [...values])
    const rows = result.getRowObjectsJS()
    for (const row of rows) for (const [name, value] of Object.entries(row)) if (typeof value === 'bigint') row[name] = exact(value)
    return rows
  }

  /** Ends the statement that runs, which then fails. */
  interrupt(): void {
    this.#connection.interrupt()
  }

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  async #copy(selection: string, parquet: string): Promise<number> {
    const [row] = await this.rows(`COPY (${selection}) TO ${quoted(parquet)} (FORMAT parquet, COMPRESSION zstd)`)
    return Number(row?.['Count'])
  }
}

function exact(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new TypeError('a number of the audit tables is not exact')
  return number
}

/** A text of SQL. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** Loads the library. An installation of the package has it only if its user installed it, because it has 63 MB. @throws DuckDbMissing */
async function loadLibrary(): Promise<{ readonly DuckDBInstance: typeof DuckDBInstance }> {
  try {
    return await import('./duckdb-library.ts')
  } catch (cause) {
    throw new DuckDbMissing({ cause })
  }
}
