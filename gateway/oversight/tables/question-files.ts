import { join } from 'node:path'
import { AuditLogUnavailable, Failure } from '../../model/failures.ts'
import type { RemovableObjects } from '../../model/object-store.ts'
import type { Manifest, TableFile } from './manifest.ts'
import { TableAltered } from './table-faults.ts'
import { readManifest } from './manifest.ts'
import { fetchTable } from './table-store.ts'
import type { TimeSpan } from './time-span.ts'

/** Objects that are read at a time. A file has up to 16 MB. */
const READERS = 8
/** A file of the manifest is gone 15 minutes after its replacement at the earliest, so a second manifest is enough, and a third is a fault. */
const ATTEMPTS = 3

/** The files of a manifest with records of a span. */
export const filesOf = ({ files }: Manifest, { from, to }: TimeSpan): TableFile[] =>
  files.filter(({ times }) => times[0] <= to && times[1] >= from)

/** Copies files of a manifest to the disk. @returns their paths @throws TableAltered, StoreUnavailable */
export async function fetchTables(
  tables: Pick<RemovableObjects, 'get'>,
  files: readonly TableFile[],
  folder: string,
): Promise<string[]> {
  const waiting = [...files]
  const fetchNext = async (): Promise<void> => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) await fetchTable(tables, file, folder)
  }
  // all of them end before the folder is removed
  const readers = await Promise.allSettled(Array.from({ length: READERS }, fetchNext))
  for (const reader of readers) if (reader.status === 'rejected') throw reader.reason
  return files.map(({ start }) => join(folder, `${start}.parquet`))
}

/**
 * Does work with the manifest of a tenant. If a file of it is gone, the work begins again with the next manifest.
 *
 * @throws AuditLogUnavailable for tables that cannot be read; a Failure of the work
 */
export async function withManifest<T>(
  tables: Pick<RemovableObjects, 'get'>,
  tenant: string,
  work: (manifest: Manifest) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { manifest } = await readManifest(tables, tenant)
      return await work(manifest)
    } catch (cause) {
      if (cause instanceof TableAltered && attempt < ATTEMPTS) continue
      throw cause instanceof Failure || !isTableFault(cause) ? cause : new AuditLogUnavailable({ cause })
    }
  }
}

const TABLE_FAULTS: ReadonlySet<string> = new Set(['TableAltered', 'ManifestUnreadable'])
const isTableFault = (error: unknown): boolean => error instanceof Error && TABLE_FAULTS.has(error.name)
