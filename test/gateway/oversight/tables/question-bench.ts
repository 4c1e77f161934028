import { join } from 'node:path'
import { CheckpointTable } from '../../../../gateway/audit/notary/checkpoint-table.ts'
import { LaneReader } from '../../../../gateway/audit/notary/lane-reader.ts'
import { Deadline } from '../../../../gateway/model/deadline.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { ObjectStore, RemovableObjects } from '../../../../gateway/model/object-store.ts'
import { itemLine } from '../../../../gateway/oversight/tables/columns.ts'
import { DuckDbTables, type DuckDbParts } from '../../../../gateway/oversight/tables/duckdb-tables.ts'
import { LogTail } from '../../../../gateway/oversight/tables/log-tail.ts'
import { inScratch } from '../../../../gateway/oversight/tables/scratch.ts'
import { TableEngine } from '../../../../gateway/oversight/tables/table-engine.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { writeFileSync } from 'node:fs'
import type { NotaryServices } from '../../audit/notary/notary-bench.ts'

/** All times that a test writes. */
export const EVER = { from: 0, to: Date.parse('9999-01-01') }

export const within = (milliseconds: number): Deadline =>
  new Deadline(Date.now() + milliseconds, { now: Date.now, monotonic: () => performance.now() })

interface LogServices {
  readonly services: Pick<NotaryServices, 'client' | 'objects'>
  readonly audit: string
  readonly checkpoints: string
  readonly tables: RemovableObjects
  readonly now: () => number
}

export function tailOf(tenant: TenantId, { services, audit, checkpoints, now }: LogServices, maxItems?: number): LogTail {
  const { client, objects } = services
  const lanes = new LaneReader(client, audit)
  return new LogTail({ tenant, log: objects, lanes, checkpoints: new CheckpointTable(client, checkpoints), now }, maxItems)
}

/** The tables of a tenant with the tail of its log. */
export const questionsOf = (tenant: TenantId, log: LogServices, more: Partial<DuckDbParts> = {}): DuckDbTables =>
  new DuckDbTables({ tenant, tables: log.tables, tail: tailOf(tenant, log), turns: new Turns(), ...more })

/** A log whose tables hold all of it, so that no service has a tail. */
export function tabledOnly(objects: Pick<ObjectStore, 'get' | 'list'>, tenant: TenantId): LogTail {
  const none = () => Promise.resolve([])
  const nothing = { registry: none, storedAfter: none, continued: none }
  const [noMap, cursors] = [() => Promise.resolve(new Map()), () => Promise.resolve(undefined)]
  const checkpoints = { cursors, faults: noMap, sealedEnds: noMap, spansFrom: none }
  return new LogTail({ tenant, log: objects, lanes: nothing, checkpoints, now: Date.now })
}

type Row = Readonly<Record<string, unknown>>

/** Asks over records of items, without a log: `records` has those of each item. */
export async function overRecords(
  records: readonly (readonly Row[])[],
  work: (
    ask: (statement: { sql: string; values: readonly (string | number | boolean)[] }) => Promise<readonly Row[]>,
  ) => Promise<void>,
): Promise<void> {
  await inScratch(async (folder) => {
    const lines = join(folder, 'records.ndjson')
    const place = (
      [first]: readonly Row[],
      position: number,
    ): { tenant: string; position: number; lane: string; sequence: number } => ({
      tenant: String(first?.['tenant']),
      position,
      lane: String(first?.['lane']),
      sequence: Number(first?.['sequence']),
    })
    writeFileSync(lines, records.map((item, at) => itemLine(place(item, at), item)).join(''))
    const engine = await TableEngine.open(folder, 2)
    try {
      await engine.tableOf(lines, join(folder, 'records.parquet'))
      await engine.view([join(folder, 'records.parquet')], EVER)
      await work(async ({ sql, values }) => await engine.ask(sql, values))
    } finally {
      engine.close()
    }
  })
}
