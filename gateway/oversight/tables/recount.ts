import type { ObjectStore, RemovableObjects } from '../../model/object-store.ts'
import { readManifest, type TableFile } from './manifest.ts'
import { type SealedItem, SealedItems } from './sealed-items.ts'
import { inScratch } from './scratch.ts'
import { quoted, TableEngine } from './table-engine.ts'
import { LogShortened } from './table-faults.ts'
import { fetchTable } from './table-store.ts'

/** A count of field-level records that the tables and the log have differently, in the file of these positions. */
interface CountDifference {
  readonly start: number
  readonly end: number
  readonly path: string
  readonly outcome: string
  readonly inTables: number
  readonly inLog: number
}

export interface Recount {
  /** Number of items in the tables. */
  readonly size: number
  /** Number of items in the log. */
  readonly logSize: number
  /** Number of field-level records in the tables. */
  readonly records: number
  readonly differences: readonly CountDifference[]
}

/**
 * Counts the records of a tenant by path and outcome, in the tables and in the segments of the log, for the positions that the tables
 * reach.
 *
 * @param onProgress called after each file, with the number of counted items and of all
 * @throws MalformedSegment, SegmentMissing, LogShortened, ManifestUnreadable, TableAltered, StoreUnavailable
 */
export async function recount(
  { log, tables }: { readonly log: Pick<ObjectStore, 'get' | 'list'>; readonly tables: RemovableObjects },
  tenant: string,
  onProgress?: (done: number, all: number) => void,
): Promise<Recount> {
  const { manifest } = await readManifest(tables, tenant)
  const reader = new SealedItems(log, tenant)
  const logSize = await reader.size()
  if (logSize < manifest.size) throw new LogShortened()
  const items = allItems(reader, logSize)
  const differences: CountDifference[] = []
  try {
    for (const file of manifest.files) {
      const [inTables, inLog] = [await tableCounts(tables, file), await logCounts(items, file)]
      for (const key of new Set([...inTables.keys(), ...inLog.keys()])) {
        const [one, other] = [inTables.get(key) ?? 0, inLog.get(key) ?? 0]
        const [path = '', outcome = ''] = JSON.parse(key) as [string?, string?]
        if (one !== other) differences.push({ start: file.start, end: file.end, path, outcome, inTables: one, inLog: other })
      }
      onProgress?.(file.end, manifest.size)
    }
  } finally {
    await items.return(undefined)
  }
  return { size: manifest.size, logSize, records: manifest.records, differences }
}

/** Numbers of records by path and outcome. */
type Counts = ReadonlyMap<string, number>
const keyOf = (path: unknown, outcome: unknown): string => JSON.stringify([path, outcome])

async function tableCounts(tables: RemovableObjects, file: TableFile): Promise<Counts> {
  return await inScratch(async (folder) => {
    const path = await fetchTable(tables, file, folder)
    const engine = await TableEngine.open(folder)
    try {
      const within = `position BETWEEN ${file.start} AND ${file.end - 1}`
      const rows = await engine.rows(
        `SELECT path, outcome, count(*) FILTER (${within}) AS n FROM ${quoted(path)} GROUP BY path, outcome`,
      )
      return new Map(rows.map((row) => [keyOf(row['path'], row['outcome']), Number(row['n'])]))
    } finally {
      engine.close()
    }
  })
}

async function logCounts(items: AsyncGenerator<SealedItem, undefined>, { end }: TableFile): Promise<Counts> {
  const counts = new Map<string, number>()
  for (;;) {
    const { value } = await items.next()
    if (value === undefined) throw new LogShortened()
    for (const { path, outcome } of value.records) {
      const key = keyOf(path, outcome)
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    if (value.position === end - 1) return counts
  }
}

async function* allItems(reader: SealedItems, size: number): AsyncGenerator<SealedItem, undefined> {
  for await (const segment of reader.segments(0, size)) yield* reader.items(segment)
  return undefined
}
