import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  type GetQueryResultsCommandOutput,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, Failure, FilterTooBroad } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import type { RemovableObjects } from '../../model/object-store.ts'
import type { Clock } from '../../model/record.ts'
import { athenaLiteral, athenaName } from './athena-literal.ts'
import { athenaRows } from './athena-rows.ts'
import type { AuditTables, OpenTables, TableAnswer, TableQuestion } from './audit-tables.ts'
import { ALL_NAMES } from './columns.ts'
import type { LogTail, Tail } from './log-tail.ts'
import { type Manifest, questionName } from './manifest.ts'
import { filesOf, withManifest } from './question-files.ts'
import { inScratch } from './scratch.ts'
import { quoted, TableEngine } from './table-engine.ts'
import { isWithin, type TimeSpan, timeLiteral } from './time-span.ts'
import type { Turns } from './turns.ts'

/** The names of a deployment. */
export interface AthenaNames {
  /** Has the location and the key of results. */
  readonly workGroup: string
  readonly catalog: string
  readonly database: string
  /** The table over the bucket of the audit tables, `docs/audit-tables.md`, section "Athena". */
  readonly table: string
  /** The bucket of the audit tables. */
  readonly bucket: string
}

export interface AthenaParts {
  readonly tenant: TenantId
  readonly client: Pick<AthenaClient, 'send'>
  readonly names: AthenaNames
  readonly tables: RemovableObjects
  readonly tail: LogTail
  readonly turns: Turns
  readonly now: Clock
}

/** The length of a query, in bytes of UTF-8. @source Athena service quotas, "Query string length" */
const MAX_QUERY = 262_144
const POLL_MS = 200
const MAX_POLL_MS = 1_000
const STOP_MS = 2_000

/**
 * The Parquet tables of one tenant, in Amazon Athena. It reads exactly the files of the manifest, and the tail of the log as one more file,
 * which exists for the question only.
 */
export class AthenaTables implements AuditTables {
  readonly #parts: AthenaParts

  constructor(parts: AthenaParts) {
    this.#parts = parts
  }

  async ask(question: TableQuestion, deadline: Deadline): Promise<TableAnswer> {
    return await this.opened(question.span, deadline, async (tables) => await tables.ask(question, deadline))
  }

  async opened<Result>(span: TimeSpan, deadline: Deadline, work: (tables: OpenTables) => Promise<Result>): Promise<Result> {
    const late = (): Error => new AuditLogUnavailable()
    return await deadline.wait(
      () => withManifest(this.#parts.tables, this.#parts.tenant, (manifest) => this.#over(manifest, span, deadline, work)),
      late,
    )
  }

  /** The tail is stored for the first question that a query can hold. */
  async #over<Result>(
    manifest: Manifest,
    span: TimeSpan,
    deadline: Deadline,
    work: (tables: OpenTables) => Promise<Result>,
  ): Promise<Result> {
    const { tables, tenant, now } = this.#parts
    const name = questionName(tenant, now())
    let stored: Promise<Tail> | undefined
    try {
      return await work({
        ask: async (question) => {
          if (!isWithin(question.span, span)) throw new RangeError('a question is within the span that was opened')
          const files = filesOf(manifest, question.span)
          const names = files.map((file) => file.name)
          // before the tail is read and written
          if (Buffer.byteLength(this.#text(question, [...names, name])) > MAX_QUERY) throw new FilterTooBroad(['from', 'to'])
          const tail = await (stored ??= this.#storeTail(manifest.size, span, name, deadline))
          const rows = await this.#run(this.#text(question, tail.rows > 0 ? [...names, name] : names), question, deadline)
          return { rows, examined: files.reduce((sum, file) => sum + file.rows, tail.records), tableSize: manifest.size }
        },
      })
    } finally {
      // the function that writes the tables removes what a failure leaves
      const hasTail =
        stored !== undefined &&
        (await stored.then(
          ({ rows }) => rows > 0,
          () => false,
        ))
      if (hasTail) await tables.remove(name).catch(() => undefined)
    }
  }

  async #storeTail(size: number, span: TimeSpan, name: string, deadline: Deadline): Promise<Tail> {
    const { tables, tail, turns } = this.#parts
    return await turns.run(
      () =>
        inScratch(async (folder) => {
          const [lines, parquet] = [join(folder, 'tail.ndjson'), join(folder, 'tail.parquet')]
          const written = await tail.write(size, span, lines)
          if (written.rows === 0) return written
          const engine = await TableEngine.open(folder)
          try {
            await engine.tableOf(lines, parquet)
          } finally {
            engine.close()
          }
          await tables.put(name, await readFile(parquet), { onlyIf: 'ABSENT' })
          return written
        }),
      deadline,
    )
  }

  /** The text of a question over these files. */
  #text({ sql, span }: TableQuestion, files: readonly string[]): string {
    const { tenant, names } = this.#parts
    const paths = files.map((name) => quoted(`s3://${names.bucket}/${name}`)).join(', ')
    const conditions = [
      // the partition, so that Athena lists the folder of the tenant only
      `"tenant_folder" = ${quoted(tenant)}`,
      files.length === 0 ? 'FALSE' : `"$path" IN (${paths})`,
      `"time" BETWEEN ${timeLiteral(span.from)} AND ${timeLiteral(span.to)}`,
    ]
    const columns = ALL_NAMES.map((name) => `"${name}"`).join(', ')
    const accesses = `accesses AS (SELECT ${columns} FROM ${athenaName(names.table)} WHERE ${conditions.join(' AND ')})`
    const [, own] = /^\s*WITH\s+(.*)$/is.exec(sql) ?? []
    return own === undefined ? `WITH ${accesses} ${sql}` : `WITH ${accesses}, ${own}`
  }

  async #run(sql: string, { values }: TableQuestion, deadline: Deadline): Promise<Readonly<Record<string, unknown>>[]> {
    const { client, names } = this.#parts
    const abort = { abortSignal: deadline.signal }
    let running: string | undefined
    try {
      const { QueryExecutionId: id } = await client.send(
        new StartQueryExecutionCommand({
          QueryString: sql,
          WorkGroup: names.workGroup,
          QueryExecutionContext: { Catalog: names.catalog, Database: names.database },
          ...(values.length > 0 && { ExecutionParameters: values.map(athenaLiteral) }),
        }),
        abort,
      )
      running = id
      for (let wait = POLL_MS; ; wait = Math.min(MAX_POLL_MS, wait * 2)) {
        const { QueryExecution: execution } = await client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }), abort)
        const state = execution?.Status?.State
        if (state === 'SUCCEEDED' || state === 'FAILED' || state === 'CANCELLED') running = undefined
        if (state === 'SUCCEEDED') return await this.#results(id, abort)
        if (state !== 'QUEUED' && state !== 'RUNNING') throw new AuditLogUnavailable()
        await sleep(Math.min(wait, deadline.left), undefined, { signal: deadline.signal })
      }
    } catch (cause) {
      // an id that did not arrive belongs to a query that ends by the limit of its workgroup
      if (running !== undefined) await this.#stop(running)
      throw cause instanceof Failure ? cause : new AuditLogUnavailable({ cause })
    }
  }

  async #results(id: string | undefined, abort: { abortSignal: AbortSignal }): Promise<Readonly<Record<string, unknown>>[]> {
    const rows: Readonly<Record<string, unknown>>[] = []
    let next: string | undefined
    do {
      const page: GetQueryResultsCommandOutput = await this.#parts.client.send(
        new GetQueryResultsCommand({ QueryExecutionId: id, ...(next !== undefined && { NextToken: next }) }),
        abort,
      )
      rows.push(...athenaRows(page.ResultSet, next === undefined))
      next = page.NextToken
    } while (next !== undefined)
    return rows
  }

  async #stop(id: string): Promise<void> {
    try {
      await this.#parts.client.send(new StopQueryExecutionCommand({ QueryExecutionId: id }), {
        abortSignal: AbortSignal.timeout(STOP_MS),
      })
    } catch {
      // the limit of the workgroup ends it
    }
  }
}
