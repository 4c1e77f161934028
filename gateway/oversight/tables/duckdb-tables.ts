import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Deadline } from '../../model/deadline.ts'
import { AuditLogUnavailable, FilterTooBroad } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import type { RemovableObjects } from '../../model/object-store.ts'
import type { AuditTables, OpenTables, TableAnswer, TableQuestion } from './audit-tables.ts'
import type { LogTail } from './log-tail.ts'
import type { Manifest } from './manifest.ts'
import { fetchTables, filesOf, withManifest } from './question-files.ts'
import { inScratch } from './scratch.ts'
import { TableEngine } from './table-engine.ts'
import { isWithin, type TimeSpan } from './time-span.ts'
import { Turns } from './turns.ts'

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

/** The Parquet tables of one tenant, in DuckDB in this process. Each opening has a folder of its own, and DuckDB can read no other. */
export class DuckDbTables implements AuditTables {
  readonly #parts: DuckDbParts

  constructor(parts: DuckDbParts) {
    this.#parts = parts
  }

  async ask(question: TableQuestion, deadline: Deadline): Promise<TableAnswer> {
    return await this.opened(question.span, deadline, async (tables) => await tables.ask(question, deadline))
  }

  async opened<Result>(span: TimeSpan, deadline: Deadline, work: (tables: OpenTables) => Promise<Result>): Promise<Result> {
    const { tables, tenant, turns, beyond } = this.#parts
    try {
      return await turns.run(
        async () =>
          await withManifest(tables, tenant, async (manifest) => {
            const bytes = filesOf(manifest, span).reduce((sum, file) => sum + file.bytes, 0)
            if (bytes > (this.#parts.maxBytes ?? MAX_BYTES)) throw new TooMuch()
            return await inScratch(async (folder) => await this.#over(manifest, span, folder, deadline, work))
          }),
        deadline,
      )
    } catch (cause) {
      if (!(cause instanceof TooMuch)) throw cause
      if (beyond === undefined) throw new FilterTooBroad(['from', 'to'])
      return await beyond.opened(span, deadline, work)
    }
  }

  async #over<Result>(
    manifest: Manifest,
    span: TimeSpan,
    folder: string,
    deadline: Deadline,
    work: (tables: OpenTables) => Promise<Result>,
  ): Promise<Result> {
    const files = filesOf(manifest, span)
    const fetched = await fetchTables(this.#parts.tables, files, folder)
    const paths = new Map(files.map((file, at) => [file, fetched[at]]))
    const [lines, parquet] = [join(folder, 'tail.ndjson'), join(folder, 'tail.parquet')]
    const tail = await this.#parts.tail.write(manifest.size, span, lines)
    return await interrupted(folder, deadline, async (engine) => {
      if (tail.rows > 0) await engine.tableOf(lines, parquet)
      await rm(lines)
      // the view is that of one question
      const views = new Turns()
      const answer = async ({ sql, values, span: part }: TableQuestion): Promise<TableAnswer> => {
        if (!isWithin(part, span)) throw new RangeError('a question is within the span that was opened')
        const read = filesOf(manifest, part)
        const parts = read.flatMap((file) => paths.get(file) ?? [])
        await engine.view(tail.rows > 0 ? [...parts, parquet] : parts, part)
        const rows = await engine.ask(sql, values)
        return { rows, examined: read.reduce((sum, file) => sum + file.rows, tail.records), tableSize: manifest.size }
      }
      return await work({
        ask: async (question, until) => await views.run(async () => await answer(question), until),
      })
    })
  }
}

/** The question needs more memory or disk than DuckDB has here. */
class TooMuch extends Error {
  override readonly name = 'TooMuch'
}

/** Work of an engine, whose statement is interrupted at the deadline. @throws TooMuch, AuditLogUnavailable; the error of the work */
async function interrupted<T>(folder: string, deadline: Deadline, work: (engine: TableEngine) => Promise<T>): Promise<T> {
  const engine = await TableEngine.open(folder, 2)
  // an interrupt between two statements is lost: the next one ends the second
  const timer = setInterval(() => {
    if (deadline.left === 0) engine.interrupt()
  }, INTERRUPT_MS)
  try {
    return await work(engine)
  } catch (cause) {
    if (deadline.left === 0) throw new AuditLogUnavailable({ cause })
    if (cause instanceof Error && cause.message.startsWith('Out of Memory')) throw new TooMuch()
    throw cause
  } finally {
    clearInterval(timer)
    engine.close()
  }
}
