import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RemovableObjects } from '../../model/object-store.ts'
import { dataPrefix, fileName, type Manifest, questionPrefix, questionTime, revisionIn, type TableFile } from './manifest.ts'
import { TableAltered } from './table-faults.ts'

/** The place of rows in the log: a file of the manifest without its bytes. */
type Rows = Omit<TableFile, 'name' | 'bytes' | 'sha256'>

const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * Stores a Parquet file for the next revision of a manifest, and removes it from the disk.
 *
 * @param revision that lists the file first
 * @throws StoreUnavailable
 */
export async function storeTable(
  tables: RemovableObjects,
  tenant: string,
  revision: number,
  parquet: string,
  rows: Rows,
): Promise<TableFile> {
  const bytes = await readFile(parquet)
  const sha256 = digestOf(bytes)
  const name = fileName(tenant, revision, sha256)
  // the name has the digest: a file of this name has the same bytes
  await tables.put(name, bytes, { onlyIf: 'ABSENT' })
  await rm(parquet)
  const { start, end, sealed, times } = rows
  return { name, start, end, rows: rows.rows, bytes: bytes.length, sha256, sealed, times }
}

/**
 * Copies a file of a manifest to the disk.
 *
 * @returns its path
 * @throws TableAltered if it is absent or has other bytes; StoreUnavailable
 */
export async function fetchTable(tables: Pick<RemovableObjects, 'get'>, file: TableFile, folder: string): Promise<string> {
  const stored = await tables.get(file.name)
  if (stored === undefined || digestOf(stored.bytes) !== file.sha256) throw new TableAltered()
  const path = join(folder, `${file.start}.parquet`)
  await writeFile(path, stored.bytes, { mode: 0o600 })
  return path
}

/** A question takes at most half a minute. A file that is older was left by a process that ended. */
const QUESTION_MS = 3_600_000

/**
 * Removes the files that questions to Athena left behind.
 *
 * @param now milliseconds since the epoch
 * @throws StoreUnavailable
 */
export async function removeQuestions(tables: RemovableObjects, tenant: string, now: number): Promise<void> {
  for await (const name of tables.list(questionPrefix(tenant))) {
    const time = questionTime(name)
    if (time !== undefined && time + QUESTION_MS < now) await tables.remove(name)
  }
}

/**
 * Removes the files that no manifest lists and none will: those of writers that were killed or overtaken, and replaced ones.
 *
 * @param manifest the stored one, or an earlier one
 * @returns the number of removed files
 * @throws StoreUnavailable
 */
export async function removeOrphans(tables: RemovableObjects, tenant: string, manifest: Manifest): Promise<number> {
  const listed = new Set([...manifest.files, ...manifest.replaced].map(({ name }) => name))
  let removed = 0
  for await (const name of tables.list(dataPrefix(tenant))) {
    const revision = revisionIn(name)
    // a later revision may be about to list its files
    if (revision === undefined || revision > manifest.revision || listed.has(name)) continue
    await tables.remove(name)
    removed++
  }
  return removed
}
