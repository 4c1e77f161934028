import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import type { ObjectStore, PutCondition } from '../../model/object-store.ts'
import { ManifestUnreadable } from './table-faults.ts'

const MANIFEST_FORMAT = 1
const whole = z.int().nonnegative()
const span = z.tuple([z.int(), z.int()])

const TableFile = z.strictObject({
  name: z.string(),
  /** The items at the positions `start` to `end - 1` of the log. */
  start: whole,
  end: whole,
  /** Number of field-level records. */
  rows: whole,
  bytes: whole,
  /** Hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** The times of the first and the last checkpoint of these items, in seconds since the epoch. */
  sealed: span,
  /** The earliest and the latest time of a record, in milliseconds since the epoch. */
  times: span,
})

const Manifest = z
  .strictObject({
    format: z.literal(MANIFEST_FORMAT),
    /** Grows by one with each write. */
    revision: whole,
    /** The number of items of the log that the tables hold: all positions before it. */
    size: whole,
    records: whole,
    files: z.array(TableFile),
    /** Files that an earlier revision lists, and when they were replaced, in milliseconds since the epoch. A reader may be reading them. */
    replaced: z.array(z.strictObject({ name: z.string(), at: whole })),
  })
  .refine(({ size, records, files }) => {
    const ends = [0, ...files.map(({ end }) => end)]
    const rows = files.reduce((sum, file) => sum + file.rows, 0)
    return files.every(({ start, end }, at) => start === ends[at] && start < end) && ends.at(-1) === size && rows === records
  })

/** A Parquet file. */
export type TableFile = Readonly<z.infer<typeof TableFile>>
/** The files of a tenant, in the order of the log. */
export type Manifest = Readonly<z.infer<typeof Manifest>>

/** A manifest and the condition to replace it. */
export interface StoredManifest {
  readonly manifest: Manifest
  readonly condition: PutCondition
}

/** How long a reader of an older manifest finds the files that it lists. */
const KEEP_REPLACED_MS = 900_000

const manifestName = (tenant: string): string => `${tenant}/manifest.json`
/** All Parquet files of a tenant. */
export const dataPrefix = (tenant: string): string => `${tenant}/data/`

/**
 * The name of a file that revision `revision` of the manifest lists first. Only the writer of that revision adds files with its number,
 * so a file of an earlier number that no manifest lists is listed by no later one either.
 */
export const fileName = (tenant: string, revision: number, sha256: string): string =>
  `${dataPrefix(tenant)}${String(revision).padStart(16, '0')}-${sha256.slice(0, 32)}.parquet`

/** All files of questions to Athena. Each exists for one question. */
export const questionPrefix = (tenant: string): string => `${tenant}/questions/`

/** A new name for the file of a question. @param now milliseconds since the epoch, which the name has */
export const questionName = (tenant: string, now: number): string =>
  `${questionPrefix(tenant)}${String(now).padStart(16, '0')}-${randomBytes(16).toString('hex')}.parquet`

/** The time in the name of a question's file, in milliseconds since the epoch; undefined for another name. */
export function questionTime(name: string): number | undefined {
  const [, digits] = /\/questions\/(\d{16})-[0-9a-f]{32}\.parquet$/.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** The revision in the name of a file; undefined for another name. */
export function revisionIn(name: string): number | undefined {
  const [, digits] = /\/data\/(\d{16})-[0-9a-f]{32}\.parquet$/.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}

const EMPTY: Manifest = { format: MANIFEST_FORMAT, revision: 0, size: 0, records: 0, files: [], replaced: [] }

/** @throws ManifestUnreadable, StoreUnavailable */
export async function readManifest(tables: Pick<ObjectStore, 'get'>, tenant: string): Promise<StoredManifest> {
  const stored = await tables.get(manifestName(tenant))
  if (stored === undefined) return { manifest: EMPTY, condition: { onlyIf: 'ABSENT' } }
  return { manifest: parsed(stored.bytes), condition: { onlyIf: { version: stored.version } } }
}

/**
 * An empty manifest in place of the stored one, whatever that holds. Its files remain until no reader needs them.
 *
 * @throws StoreUnavailable
 */
export async function resetManifest(tables: ObjectStore, tenant: string, now: number): Promise<void> {
  for (;;) {
    const stored = await tables.get(manifestName(tenant))
    let highest = 0
    // files of a manifest that is lost: a revision below theirs would never remove them
    for await (const name of tables.list(dataPrefix(tenant))) highest = Math.max(highest, revisionIn(name) ?? 0)
    const before = stored && readable(stored.bytes)
    const manifest: Manifest = {
      ...EMPTY,
      revision: Math.max(highest, before?.revision ?? 0),
      replaced: [...(before?.replaced ?? []), ...(before?.files ?? []).map(({ name }) => ({ name, at: now }))],
    }
    const condition: PutCondition = stored === undefined ? { onlyIf: 'ABSENT' } : { onlyIf: { version: stored.version } }
    if ((await replaceManifest(tables, tenant, { manifest, condition }, [], now)) !== undefined) return
  }
}

/**
 * Writes the next revision.
 *
 * @param files all files of the next revision
 * @returns undefined if another writer was first. The stored manifest is then unchanged
 * @throws StoreUnavailable if it is unknown whether the manifest is written
 */
export async function replaceManifest(
  tables: ObjectStore,
  tenant: string,
  { manifest, condition }: StoredManifest,
  files: readonly TableFile[],
  now: number,
): Promise<Manifest | undefined> {
  const names = new Set(files.map(({ name }) => name))
  const left = manifest.files.filter(({ name }) => !names.has(name)).map(({ name }) => ({ name, at: now }))
  const next: Manifest = {
    format: MANIFEST_FORMAT,
    revision: manifest.revision + 1,
    size: files.at(-1)?.end ?? 0,
    records: files.reduce((sum, { rows }) => sum + rows, 0),
    files: [...files],
    replaced: [...manifest.replaced.filter(({ at }) => at + KEEP_REPLACED_MS > now), ...left],
  }
  const written = await tables.put(manifestName(tenant), Buffer.from(JSON.stringify(next)), condition)
  return written === 'STORED' ? next : undefined
}

function readable(bytes: Uint8Array): Manifest | undefined {
  try {
    return parsed(bytes)
  } catch (error) {
    if (error instanceof ManifestUnreadable) return undefined
    throw error
  }
}

function parsed(bytes: Uint8Array): Manifest {
  try {
    return Manifest.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (cause) {
    throw new ManifestUnreadable({ cause })
  }
}
