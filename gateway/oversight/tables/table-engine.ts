import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { itemSelection } from './columns.ts'

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

  /** @param folder an absolute path. Its files are private to the caller */
  static async open(folder: string): Promise<TableEngine> {
    const instance = await DuckDBInstance.create(':memory:', { ...SETTINGS, temp_directory: folder })
    const connection = await instance.connect()
    const engine = new TableEngine(instance, connection)
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

  close(): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }

  async #copy(selection: string, parquet: string): Promise<number> {
    const [row] = await this.rows(`COPY (${selection}) TO ${quoted(parquet)} (FORMAT parquet, COMPRESSION zstd)`)
    return Number(row?.['Count'])
  }
}

/** A text of SQL. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
