import { gunzipSync } from 'node:zlib'
import { join } from 'node:path'
import { recordsOf } from '../../../../gateway/audit/verify/item-text.ts'
import { parseSegmentLine } from '../../../../gateway/audit/verify/segment-line.ts'
import type { ObjectStore, RemovableObjects } from '../../../../gateway/model/object-store.ts'
import { TableWriter, type TableLimits } from '../../../../gateway/oversight/tables/table-writer.ts'
import { ITEM_COLUMNS, RECORD_COLUMNS } from '../../../../gateway/oversight/tables/columns.ts'
import { type Manifest, readManifest } from '../../../../gateway/oversight/tables/manifest.ts'
import { inScratch } from '../../../../gateway/oversight/tables/scratch.ts'
import { quoted, TableEngine } from '../../../../gateway/oversight/tables/table-engine.ts'
import { fetchTable } from '../../../../gateway/oversight/tables/table-store.ts'
import { KillSwitch } from '../../../hostile/kill-switch.ts'
import { LogKeys, SealedLog } from '../../audit/sealed-log.ts'

export const TENANT = 'riverside'
export const HOUR_MS = 3_600_000

const keys = new LogKeys()
/** A log without any item. All of them have the same keys, because keys take longer than the rest of a test. */
export const emptyLog = (): SealedLog => new SealedLog(keys)

/** Files of some rows, so that a small log has many of them. */
export const SMALL: TableLimits = { part: { rows: 40, bytes: 1_000_000 }, stepRows: 100, compactedRows: 400 }

/** Stores the objects of a log that the store does not have yet, `checkpoint` last. */
export async function publish(log: SealedLog, objects: ObjectStore): Promise<void> {
  const latest = log.files.get('checkpoint')
  for (const [name, bytes] of log.files)
    if (/^(?:segments|checkpoints)\//.test(name)) await objects.put(`${TENANT}/${name}`, bytes, { onlyIf: 'ABSENT' })
  if (latest !== undefined) await objects.put(`${TENANT}/checkpoint`, latest)
}

export const tablesOf = (log: ObjectStore, tables: RemovableObjects, now: () => number, limits: TableLimits = SMALL): TableWriter =>
  new TableWriter({ log, tables, now, limits })

type Row = Readonly<Record<string, unknown>>

/** All field-level records of a log, in order, as the tables must have them. */
export function recordsIn(log: SealedLog): Row[] {
  const segments = [...log.files].filter(([name]) => name.startsWith('segments/')).sort(([one], [other]) => (one < other ? -1 : 1))
  const lines = segments.flatMap(([, bytes]) => gunzipSync(bytes).toString('utf8').trimEnd().split('\n'))
  return lines.flatMap((line, position) => {
    const item = parseSegmentLine(line)
    if (item === undefined) throw new Error('the log of a test is well-formed')
    const { lane, sequence, text } = item
    return recordsOf(text).map((record, at) => ({ ...record, tenant: TENANT, position, lane, sequence, index: at + 1 }))
  })
}

/** All rows of the tables, in the order of the manifest, as records of an export. */
export async function rowsIn(tables: RemovableObjects): Promise<Row[]> {
  const { manifest } = await readManifest(tables, TENANT)
  return await inScratch(async (folder) => {
    const engine = await TableEngine.open(folder)
    try {
      const rows: Row[] = []
      for (const file of manifest.files) rows.push(...(await engine.rows(`FROM ${quoted(await fetchTable(tables, file, folder))}`)))
      return rows.map(exported)
    } finally {
      engine.close()
    }
  })
}

function exported(row: Row): Row {
  const kinds: Readonly<Record<string, string>> = { ...ITEM_COLUMNS, ...RECORD_COLUMNS }
  const { others, ...members } = row
  const own = Object.entries(members).flatMap(([name, value]) => {
    if (value === null) return []
    if (kinds[name] === 'NUMBER') return [[name, Number(value)]]
    if (kinds[name] === 'INSTANT') return [[name, (value as Date).toISOString()]]
    return [[name, kinds[name] === 'JSON' ? JSON.parse(value as string) : value]]
  })
  return { ...(Object.fromEntries(own) as Row), ...(others !== null && (JSON.parse(others as string) as Row)) }
}

/** The manifest with its files checked: each exists, and the rows that it lists are those of the log up to its size. */
export async function soundManifest(tables: RemovableObjects, log: SealedLog): Promise<Manifest> {
  const { manifest } = await readManifest(tables, TENANT)
  const [rows, all] = [await rowsIn(tables), recordsIn(log)]
  const expected = all.filter(({ position }) => Number(position) < manifest.size)
  if (rows.length !== expected.length || JSON.stringify(sorted(rows)) !== JSON.stringify(sorted(expected)))
    throw new Error(`the tables have ${rows.length} rows, the log has ${expected.length} up to item ${manifest.size}`)
  return manifest
}

const sorted = (rows: readonly Row[]): Row[] =>
  rows.map((row) => Object.fromEntries(Object.entries(row).sort(([one], [other]) => (one < other ? -1 : 1))))

export async function dataNames(tables: ObjectStore): Promise<string[]> {
  const names: string[] = []
  for await (const name of tables.list(join(TENANT, 'data/'))) names.push(name)
  return names
}

/** Ends a process at one of its calls to a store. */
export class StoreKill extends KillSwitch {
  over(store: RemovableObjects): RemovableObjects {
    const call = async <T>(work: () => Promise<T>): Promise<T> => await this.call(work)
    return {
      put: async (...args) => await call(() => store.put(...args)),
      get: async (name) => await call(() => store.get(name)),
      remove: async (name) => {
        await call(() => store.remove(name))
      },
      list: async function* (...args) {
        await call(() => Promise.resolve())
        yield* store.list(...args)
      },
    }
  }
}
