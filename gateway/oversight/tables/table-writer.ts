import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ObjectStore, RemovableObjects } from '../../model/object-store.ts'
import type { Clock } from '../../model/record.ts'
import { bucketOf, planCompaction } from './compaction.ts'
import { type Manifest, readManifest, replaceManifest, resetManifest, type StoredManifest } from './manifest.ts'
import { SealedItems } from './sealed-items.ts'
import { inScratch } from './scratch.ts'
import { TableEngine } from './table-engine.ts'
import { LogShortened, TableAltered } from './table-faults.ts'
import { type PartLimits, TableParts } from './table-parts.ts'
import { fetchTable, removeOrphans, removeQuestions, storeTable } from './table-store.ts'

export interface TableLimits {
  /** The size of a file of new rows. */
  readonly part: PartLimits
  /** A step ends with the first segment that brings it to this number of rows. */
  readonly stepRows: number
  /** The largest number of rows in a file that replaces others. */
  readonly compactedRows: number
}

/** 500,000 rows are 120 MB of lines and 4 MB of Parquet; two million rows, 16 MB. */
const LIMITS: TableLimits = { part: { rows: 500_000, bytes: 150_000_000 }, stepRows: 500_000, compactedRows: 2_000_000 }

export interface AuditTableParts {
  /** The sealed log. It is only read. */
  readonly log: Pick<ObjectStore, 'get' | 'list'>
  readonly tables: RemovableObjects
  readonly now: Clock
  readonly limits?: TableLimits
}

/** The result of a pass. */
export interface TablePass {
  readonly manifest: Manifest
  /** Records that were added. */
  readonly added: number
  /** Items that were sealed before the pass, and that the tables do not hold after it. */
  readonly behind: number
  /** Whether the tables reach the latest checkpoint, and nothing is left to compact. */
  readonly isComplete: boolean
}

/** DONE: nothing is left. CHANGED: one step is stored. OVERTAKEN: another writer stored one first. */
type Step =
  | { readonly step: 'DONE' | 'OVERTAKEN' }
  | { readonly step: 'CHANGED'; readonly manifest: Manifest; readonly added: number }

/**
 * The tables of the audit log: Parquet files and one manifest for each tenant, derived from the segments of the sealed log.
 *
 * A step writes its files first and then replaces the manifest, on the condition that it is unchanged. A process that ends anywhere
 * leaves the manifest of the last step, and files that no manifest lists. The next step begins at that manifest.
 */
export class TableWriter {
  readonly #parts: AuditTableParts
  readonly #limits: TableLimits

  constructor(parts: AuditTableParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? LIMITS
  }

  /**
   * Adds the items that were sealed since the last pass, then compacts.
   *
   * @param until no step begins after this time, in milliseconds since the epoch
   * @param onProgress called after each step, with the number of items in the tables and of all
   * @throws MalformedSegment, SegmentMissing, LogShortened, ManifestUnreadable, TableAltered, StoreUnavailable
   */
  async pass(tenant: string, until: number, onProgress?: (done: number, all: number) => void): Promise<TablePass> {
    const { tables, log, now } = this.#parts
    const reader = new SealedItems(log, tenant)
    let [added, hasReplaced] = [0, false]
    const run = async (step: (stored: StoredManifest) => Promise<Step>, after: (manifest: Manifest) => void): Promise<boolean> => {
      while (now() < until) {
        const done = await step(await readManifest(tables, tenant))
        if (done.step === 'DONE') return true
        if (done.step !== 'CHANGED') continue
        added += done.added
        after(done.manifest)
      }
      return false
    }
    const all = await reader.size()
    const isAdded = await run(
      (stored) => this.#add(tenant, stored, reader, all),
      ({ size }) => onProgress?.(size, all),
    )
    const isCompact =
      isAdded &&
      (await run(
        (stored) => this.#compact(tenant, stored),
        () => (hasReplaced = true),
      ))
    const { manifest } = await readManifest(tables, tenant)
    if (hasReplaced) {
      await removeOrphans(tables, tenant, manifest)
      await removeQuestions(tables, tenant, now())
    }
    return { manifest, added, behind: Math.max(0, all - manifest.size), isComplete: isCompact }
  }

  /**
   * Makes the tables of a tenant anew, from the first segment on. Until it ends, they reach as far as their manifest says. If it is
   * interrupted, the next pass goes on with it.
   *
   * @throws as `pass`, except ManifestUnreadable and TableAltered for the tables of before
   */
  async rebuild(tenant: string, onProgress?: (done: number, all: number) => void): Promise<TablePass> {
    const { tables, now } = this.#parts
    await resetManifest(tables, tenant, now())
    const pass = await this.pass(tenant, Number.POSITIVE_INFINITY, onProgress)
    await removeOrphans(tables, tenant, pass.manifest)
    return pass
  }

  async #add(tenant: string, stored: StoredManifest, reader: SealedItems, all: number): Promise<Step> {
    const { tables, now } = this.#parts
    const { size, revision, files } = stored.manifest
    // another writer may have read a later checkpoint
    const end = size > all ? await reader.size() : all
    if (size > end) throw new LogShortened()
    if (size === end) return { step: 'DONE' }
    return await inScratch(async (folder) => {
      const parts = new TableParts(folder, this.#limits.part)
      try {
        for await (const segment of reader.segments(size, end)) {
          const sealed = await reader.sealedAt(segment.end)
          const bucket = bucketOf(sealed, now())
          for await (const item of reader.items(segment)) await parts.add(item, sealed, bucket)
          if (parts.rows >= this.#limits.stepRows) break
        }
      } finally {
        await parts.close()
      }
      const added = await withEngine(folder, async (engine) => {
        const written = []
        for (const part of parts.done) {
          const parquet = join(folder, `${part.start}.parquet`)
          if ((await engine.tableOf(part.lines, parquet)) !== part.rows) throw new TypeError('a table has the rows of its lines')
          await rm(part.lines)
          written.push(
            await storeTable(tables, tenant, revision + 1, parquet, { ...part, sealed: [...part.sealed], times: [...part.times] }),
          )
        }
        return written
      })
      const manifest = await replaceManifest(tables, tenant, stored, [...files, ...added], now())
      return manifest === undefined ? { step: 'OVERTAKEN' } : { step: 'CHANGED', manifest, added: parts.rows }
    })
  }

  async #compact(tenant: string, stored: StoredManifest): Promise<Step> {
    const { tables, now } = this.#parts
    const { revision, files } = stored.manifest
    const plan = planCompaction(files, now(), this.#limits.compactedRows)
    if (plan === undefined) return { step: 'DONE' }
    const [from, to] = plan
    const group = files.slice(from, to)
    const [first, last] = [group[0], group.at(-1)]
    if (first === undefined || last === undefined) throw new TypeError('a compaction has files')
    const rows = group.reduce((sum, file) => sum + file.rows, 0)
    return await inScratch(async (folder) => {
      const paths: string[] = []
      for (const file of group) paths.push(await fetchTable(tables, file, folder))
      const parquet = join(folder, 'merged.parquet')
      const merged = await withEngine(folder, (engine) => engine.merged(paths, parquet))
      if (merged !== rows) throw new TableAltered()
      const file = await storeTable(tables, tenant, revision + 1, parquet, {
        start: first.start,
        end: last.end,
        rows,
        sealed: [first.sealed[0], last.sealed[1]],
        times: [Math.min(...group.map(({ times }) => times[0])), Math.max(...group.map(({ times }) => times[1]))],
      })
      const next = [...files.slice(0, from), file, ...files.slice(to)]
      const manifest = await replaceManifest(tables, tenant, stored, next, now())
      return manifest === undefined ? { step: 'OVERTAKEN' } : { step: 'CHANGED', manifest, added: 0 }
    })
  }
}

async function withEngine<T>(folder: string, work: (engine: TableEngine) => Promise<T>): Promise<T> {
  const engine = await TableEngine.open(folder)
  try {
    return await work(engine)
  } finally {
    engine.close()
  }
}
