import { DuckDBInstance } from '@duckdb/node-api'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { quoted } from '../../../../gateway/oversight/tables/table-engine.ts'

/** What the stand-in does with a query: SUCCEEDED runs it. */
type Fate = 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'ENDLESS'

interface Query {
  readonly sql: string
  readonly parameters: readonly string[]
  readonly context: unknown
  readonly workGroup: unknown
  polls: number
  isStopped: boolean
}

export interface AthenaStandIn {
  readonly endpoint: string
  readonly queries: readonly Query[]
  fate: Fate
  /** The number of calls that are throttled before the next one is answered. */
  throttled: number
  stop(): Promise<void>
}

const PAGE = 40
const TYPES: Readonly<Record<string, string>> = {
  VARCHAR: 'varchar',
  BIGINT: 'bigint',
  INTEGER: 'integer',
  BOOLEAN: 'boolean',
  TIMESTAMP: 'timestamp',
  DOUBLE: 'double',
}

/**
 * Amazon Athena as far as the adapter uses it: the JSON protocol, and the SQL in DuckDB over the files of a folder in place of the bucket. A
 * table has the columns `"$path"` and `tenant_folder`, names come in small letters, and values are the literals of `ExecutionParameters`.
 * Athena itself never ran.
 */
export async function athenaStandIn(root: string, bucket: string, table: string): Promise<AthenaStandIn> {
  const queries: Query[] = []
  const state = { fate: 'SUCCEEDED' as Fate, throttled: 0 }
  const server = createServer((request, response) => {
    void answer(request).then(
      ({ status, body }) => response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })

  const answer = async (request: IncomingMessage): Promise<{ status: number; body: object }> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const input = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>
    if (state.throttled > 0) {
      state.throttled--
      return {
        status: 400,
        body: { __type: 'TooManyRequestsException', Message: 'Rate exceeded', Reason: 'CONCURRENT_QUERY_LIMIT_EXCEEDED' },
      }
    }
    const target = String(request.headers['x-amz-target'])
    const query = queries[Number(input['QueryExecutionId'])]
    switch (target) {
      case 'AmazonAthena.StartQueryExecution': {
        const { QueryString, ExecutionParameters = [], QueryExecutionContext, WorkGroup } = input
        const parameters = ExecutionParameters as readonly string[]
        // the shape of the service: a list with one member at least, each of 1 to 1,024 characters
        if (
          input['ExecutionParameters'] !== undefined &&
          (parameters.length === 0 || parameters.some((text) => text.length < 1 || text.length > 1_024))
        )
          return { status: 400, body: { __type: 'InvalidRequestException', Message: 'parameters' } }
        queries.push({
          sql: String(QueryString),
          parameters,
          context: QueryExecutionContext,
          workGroup: WorkGroup,
          polls: 0,
          isStopped: false,
        })
        return { status: 200, body: { QueryExecutionId: String(queries.length - 1) } }
      }
      case 'AmazonAthena.GetQueryExecution': {
        if (query === undefined) return { status: 400, body: { __type: 'InvalidRequestException' } }
        const isRunning = state.fate === 'ENDLESS' || query.polls++ === 0
        return { status: 200, body: { QueryExecution: { Status: { State: isRunning ? 'RUNNING' : state.fate } } } }
      }
      case 'AmazonAthena.StopQueryExecution': {
        if (query !== undefined) query.isStopped = true
        return { status: 200, body: {} }
      }
      case 'AmazonAthena.GetQueryResults': {
        if (query === undefined) return { status: 400, body: { __type: 'InvalidRequestException' } }
        return { status: 200, body: page(await rowsOf(query), Number(input['NextToken'] ?? 0)) }
      }
      default:
        return { status: 400, body: { __type: 'UnknownOperationException' } }
    }
  }

  const rowsOf = async ({ sql, parameters }: Query): Promise<{ names: string[]; types: string[]; rows: (string | null)[][] }> => {
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    try {
      const files = globSync(join(root, '**/*.parquet')).map(quoted).join(', ')
      const path = `'s3://${bucket}/' || substr("filename", ${root.length + 2})`
      await connection.run('CREATE MACRO array_join(list, separator) AS array_to_string(list, separator)')
      await connection.run(
        `CREATE VIEW "${table}" AS SELECT * EXCLUDE (filename), ${path} AS "$path", split_part(${path}, '/', 4) AS tenant_folder
         FROM read_parquet([${files}], filename = true)`,
      )
      const values = [...parameters]
      const result = await connection.runAndReadAll(sql.replaceAll('?', () => values.shift() ?? 'MISSING'))
      const types = result.columnTypes().map((type) => TYPES[String(type)] ?? 'unknown')
      const text = (value: unknown): string | null =>
        value === null
          ? null
          : value instanceof Date
            ? value.toISOString().replace('T', ' ').replace('Z', '')
            : typeof value === 'string'
              ? value
              : JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part))
      return {
        names: result.columnNames().map((name) => name.toLowerCase()),
        types,
        rows: result.getRowsJS().map((row) => row.map(text)),
      }
    } finally {
      connection.closeSync()
      instance.closeSync()
    }
  }

  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    queries,
    get fate() {
      return state.fate
    },
    set fate(fate) {
      state.fate = fate
    },
    get throttled() {
      return state.throttled
    },
    set throttled(throttled) {
      state.throttled = throttled
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function page({ names, types, rows }: { names: string[]; types: string[]; rows: (string | null)[][] }, from: number): object {
  // the first page begins with the names
  const all = [names, ...rows]
  const part = all.slice(from, from + PAGE)
  return {
    ResultSet: {
      ResultSetMetadata: { ColumnInfo: names.map((Name, at) => ({ Name, Type: types[at], CatalogName: 'hive' })) },
      Rows: part.map((row) => ({ Data: row.map((value) => (value === null ? {} : { VarCharValue: value })) })),
    },
    ...(from + PAGE < all.length && { NextToken: String(from + PAGE) }),
  }
}
