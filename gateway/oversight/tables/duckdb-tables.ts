import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, FilterTooBroad } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import type { RemovableObjects } from '../../model/object-store.ts'
import type { AuditTables, TableAnswer, TableQuestion } from './audit-tables.ts'
import type { LogTail } from './log-tail.ts'
import type { Manifest } from './manifest.ts'
import { fetchTables, filesOf, withManifest } from './question-files.ts'
import { inScratch } from './scratch.ts'
import { TableEngine } from './table-engine.ts'
import type { Turns } from './turns.ts'

/** 128 MB of Parquet have about 30 million records. The function has twice as much disk for them, and DuckDB has 384 MB more. */
const MAX_BYTES = 134_217_728
/** After the deadline, how often a statement is interrupted until it ends, in milliseconds. */
const INTERRUPT_MS = 50

export interface DuckDbParts {
  readonly tenant: TenantId
  /** The audit tables. The adapter reads the manifest and the files of the tenant only. */
  readonly tables: Pick<RemovableObjects, 'get'>
  readonly tail: LogTail
  /** Of the process, for all tenants. */
  readonly turns: Turns
  /** For questions with more Parquet than fits. Without it, they are refused. */
  readonly beyond?: AuditTables
  readonly maxBytes?: number
}

/** The Parquet tables of one tenant, in DuckDB in this process. Each question has a folder of its own, and DuckDB can read no other. */
export class DuckDbTables implements AuditTables {
  readonly #parts: DuckDbParts

  constructor(parts: DuckDbParts) {
    this.#parts = parts
  }

  async ask(question: TableQuestion, deadline: Deadline): Promise<TableAnswer> {
    const { tables, tenant, turns, beyond } = this.#parts
    const answer = await turns.run(
      async () =>
        await withManifest(tables, tenant, async (manifest) => {
          const bytes = filesOf(manifest, question.span).reduce((sum, file) => sum + file.bytes, 0)
          if (bytes > (this.#parts.maxBytes ?? MAX_BYTES)) return 'BEYOND'
          return await inScratch(async (folder) => await this.#answer(question, manifest, folder, deadline))
        }),
      deadline,
    )
    if (answer !== 'BEYOND') return answer
    if (beyond === undefined) throw new FilterTooBroad(['from', 'to'])
    return await beyond.ask(question, deadline)
  }

  async #answer(
    { sql, values, span }: TableQuestion,
    manifest: Manifest,
    folder: string,
    deadline: Deadline,
  ): Promise<TableAnswer | 'BEYOND'> {
    const files = filesOf(manifest, span)
    const paths = await fetchTables(this.#parts.tables, files, folder)
    const [lines, parquet] = [join(folder, 'tail.ndjson'), join(folder, 'tail.parquet')]
    const tail = await this.#parts.tail.write(manifest.size, span, lines)
    return await interrupted(folder, deadline, async (engine) => {
      if (tail.rows > 0) paths.push(parquet)
      if (tail.rows > 0) await engine.tableOf(lines, parquet)
      await rm(lines)
      await engine.view(paths, span)
      const rows = await engine.ask(sql, values)
      return { rows, examined: files.reduce((sum, file) => sum + file.rows, tail.records) }
    })
  }
}

/** Work of an engine, whose statement is interrupted at the deadline. */
async function interrupted<T>(
  folder: string,
  deadline: Deadline,
  work: (engine: TableEngine) => Promise<T>,
): Promise<T | 'BEYOND'> {
  const engine = await TableEngine.open(folder, 2)
  // an interrupt between two statements is lost: the next one ends the second
  const timer = setInterval(() => {
    if (deadline.left === 0) engine.interrupt()
  }, INTERRUPT_MS)
  try {
    return await work(engine)
  } catch (cause) {
    if (deadline.left === 0) throw new AuditLogUnavailable({ cause })
    if (cause instanceof Error && cause.message.startsWith('Out of Memory')) return 'BEYOND'
    throw cause
  } finally {
    clearInterval(timer)
    engine.close()
  }
}
