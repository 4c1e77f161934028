import type { ChunkSummary, IndexEntry, IndexRoot } from '../crypto/sealed-index.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import { endOfPartialDate } from '../model/date-span.ts'
import type { RecordId } from '../model/ids.ts'
import { type ListFilter, type ListPosition, type ListRequest, newestFirst } from '../model/list.ts'

/** The index of 10,000 records is then in items of about ten kilobytes. A page reads one or two of them. */
export const CHUNK_ENTRIES = 250

/** Numbers that no chunk has. One is read in place of a list without chunks, so that the reads do not show that the list is empty. */
export const NO_CHUNK = { unlabeled: 0, labeled: -1 } as const

/** The chunks to read. */
export interface ChunkReads {
  readonly chunks: readonly ChunkSummary[]
  /** Numbers without a chunk that are read as well. */
  readonly decoys: readonly number[]
}

/**
 * Returns the chunks that a page may need. No other chunk contains a record of the page.
 *
 * The choice must not depend on closed records (P5). Records with labels have chunks of their own: all of them are read for every page.
 * The choice among the other chunks depends on records without labels only.
 *
 * @param unlabeled ALL if the caller's closure can apply to records without labels as well
 */
export function chunksFor(
  root: IndexRoot,
  request: Pick<ListRequest, 'type' | 'size' | 'after' | 'filter'>,
  unlabeled: 'PAGE' | 'ALL' = 'PAGE',
): ChunkReads {
  if (unlabeled === 'ALL') return chunksOfType(root, request.type)
  const { chunks, decoys } = listReads(root.labeled.get(request.type), NO_CHUNK.labeled)
  return { chunks: [...chunksOfPage(root.types.get(request.type) ?? [], request), ...chunks], decoys }
}

/** All chunks of a type. A record that is absent, or closed to the caller, is looked up in all of them. */
export function chunksOfType({ types, labeled }: IndexRoot, type: string): ChunkReads {
  const lists = [listReads(types.get(type), NO_CHUNK.unlabeled), listReads(labeled.get(type), NO_CHUNK.labeled)]
  return { chunks: lists.flatMap(({ chunks }) => chunks), decoys: lists.flatMap(({ decoys }) => decoys) }
}

const listReads = (chunks: readonly ChunkSummary[] = [], decoy: number): ChunkReads => ({
  chunks,
  decoys: chunks.length === 0 ? [decoy] : [],
})

function chunksOfPage(
  all: readonly ChunkSummary[],
  { size, after, filter }: Pick<ListRequest, 'size' | 'after' | 'filter'>,
): readonly ChunkSummary[] {
  const chunks = all.filter(
    ({ first, last }) => (after === undefined || newestFirst(after, last) < 0) && reaches(filter, first, last),
  )
  // with a filter by code or category, any chunk may contain the next record that passes
  if (filter.code !== undefined || filter.category !== undefined) return chunks
  const needed: ChunkSummary[] = []
  let sure = 0
  for (const chunk of chunks) {
    needed.push(chunk)
    if (isWhole(chunk, after, filter)) sure += chunk.count
    // one record more than the page shows whether another page exists
    if (sure > size) break
  }
  return needed
}

/** Whether a record of a chunk may be in the time span. */
function reaches({ since, until }: ListFilter, { date: newest }: ListPosition, { date: oldest }: ListPosition): boolean {
  if (since === undefined && until === undefined) return true
  // records without a date are last, and are in no time span
  if (newest === '') return false
  return (
    (since === undefined || Date.parse(newest) >= startOfYear(since)) &&
    (until === undefined || oldest === '' || Date.parse(oldest) < until)
  )
}

/** A record with a partial date can begin before `since` and end after it. It begins in the same year at the earliest. */
const startOfYear = (at: number): number => new Date(new Date(at).setUTCMonth(0, 1)).setUTCHours(0, 0, 0, 0)

/** Whether every record of a chunk counts for the page. The number is unknown for a chunk that begins before the page or the time span. */
function isWhole({ first, last }: ChunkSummary, after: ListPosition | undefined, { since, until }: ListFilter): boolean {
  if (after !== undefined && newestFirst(after, first) >= 0) return false
  if (since === undefined && until === undefined) return true
  if (last.date === '') return false
  return (since === undefined || Date.parse(last.date) >= since) && (until === undefined || Date.parse(first.date) < until)
}

/** Whether a record is in the list. A partial date is in a time span if a part of it is. A record without a date is in none. */
export function passes({ since, until, code, category }: ListFilter, entry: IndexEntry): boolean {
  if (code !== undefined && !entry.codes.includes(code)) return false
  if (category !== undefined && !entry.categories.includes(category)) return false
  if (since === undefined && until === undefined) return true
  const from = Date.parse(entry.date)
  if (Number.isNaN(from) || (until !== undefined && from >= until)) return false
  return since === undefined || from >= since || endOf(entry, from) > since
}

const endOf = ({ date, datePrecision }: IndexEntry, from: number): number =>
  datePrecision === undefined ? from : endOfPartialDate(date, datePrecision)

/** Returns the chunks that can list an open record at its position. */
export function chunksHolding(root: IndexRoot, type: TypeName, at: ListPosition, isLabeled: boolean): readonly ChunkSummary[] {
  const labeled = isLabeled ? (root.labeled.get(type) ?? []) : []
  return [...(root.types.get(type) ?? []), ...labeled].filter(
    ({ first, last }) => newestFirst(first, at) <= 0 && newestFirst(at, last) <= 0,
  )
}

/** A chunk that a write changes, and the number of its entries before the write. */
export interface TouchedChunk {
  readonly name: string
  readonly count: number
}

/**
 * Returns the upper bound of the chunks that result from a chunk with added entries: the chunk itself and, if it overflows, its other
 * half and a new chunk at each end of the list. The bound holds for the entries of one transaction.
 */
export function chunksAfter(count: number, added: number): number {
  return count + added > CHUNK_ENTRIES ? 4 : 1
}

/** A patient's whole index while records are being written. It seals and reads nothing. */
export class PatientIndex {
  #next: number
  readonly #lists: Readonly<Record<'types' | 'labeled', Map<string, WrittenChunk[]>>>
  readonly #changed = new Set<number>()
  /** Chunks without entries, which no root names any more. They are overwritten, so that an older root cannot name them either. */
  readonly #emptied = new Set<number>()

  /** @param chunks the entries of every chunk that the root names */
  constructor(root: IndexRoot | undefined, chunks: ReadonlyMap<number, readonly IndexEntry[]>) {
    this.#next = root?.next ?? 1
    const read = (lists: IndexRoot['types'] = new Map<string, readonly ChunkSummary[]>()): Map<string, WrittenChunk[]> =>
      new Map(
        [...lists].map(([type, summaries]) => [
          type,
          summaries.map(({ number }) => ({ number, entries: [...(chunks.get(number) ?? [])] })),
        ]),
      )
    this.#lists = { types: read(root?.types), labeled: read(root?.labeled) }
  }

  /** The entries of all records. */
  entries(): readonly IndexEntry[] {
    return Object.values(this.#lists).flatMap((list) =>
      [...list.values()].flatMap((chunks) => chunks.flatMap((one) => one.entries)),
    )
  }

  /** The versions of all records, by `Type#id`. */
  versions(): ReadonlyMap<string, number> {
    const versions = new Map<string, number>()
    for (const [type, chunks] of Object.values(this.#lists).flatMap((list) => [...list])) {
      for (const { entries } of chunks) for (const { id, version } of entries) versions.set(`${type}#${id}`, version)
    }
    return versions
  }

  /** Returns the chunks that `put` would change: the chunk that has the record now, and the chunk of its new position. */
  touches(type: TypeName, entry: IndexEntry): readonly TouchedChunk[] {
    const kind = kindOf(entry)
    const chunks = this.#lists[kind].get(type) ?? []
    const then = chunks.find(({ entries }) => newestFirst(entry, entries.at(-1) ?? entry) <= 0) ?? chunks.at(-1)
    const all = Object.values(this.#lists).flatMap((list) => list.get(type) ?? [])
    const now = all.find(({ entries }) => entries.some(({ id }) => id === entry.id)) ?? then
    return [now, then].map((chunk) => ({ name: `${type} ${chunk?.number ?? `new ${kind}`}`, count: chunk?.entries.length ?? 0 }))
  }

  /** Lists a record at its position, and removes its earlier entry. */
  put(type: TypeName, entry: IndexEntry): void {
    const kind = kindOf(entry)
    const chunks = this.#lists[kind].get(type) ?? []
    this.#lists[kind].set(type, chunks)
    const [only] = chunks
    if (chunks.length === 1 && only?.entries.length === 1 && only.entries[0]?.id === entry.id) {
      // keep the number: a new chunk would leave the former one stored, and an older root could name it
      only.entries = [entry]
      this.#changed.add(only.number)
      return
    }
    for (const list of Object.values(this.#lists)) this.#remove(list.get(type) ?? [], entry.id)
    // the first chunk that does not end before the entry; a newest entry begins a new chunk beside a full one
    let at = chunks.findIndex(({ entries }) => newestFirst(entry, entries.at(-1) ?? entry) <= 0)
    if (at === -1) at = chunks.length - 1
    const chunk = chunks[at]
    const newest = at === 0 && chunk !== undefined && newestFirst(entry, chunk.entries[0] ?? entry) < 0
    const oldest = at === chunks.length - 1 && chunk !== undefined && newestFirst(entry, chunk.entries.at(-1) ?? entry) > 0
    if (chunk === undefined || (chunk.entries.length >= CHUNK_ENTRIES && (newest || oldest))) {
      const made = { number: this.#next++, entries: [entry] }
      chunks.splice(oldest ? at + 1 : 0, 0, made)
      this.#changed.add(made.number)
      return
    }
    const place = chunk.entries.findIndex((other) => newestFirst(entry, other) < 0)
    chunk.entries.splice(place === -1 ? chunk.entries.length : place, 0, entry)
    this.#changed.add(chunk.number)
    if (chunk.entries.length <= CHUNK_ENTRIES) return
    const older = { number: this.#next++, entries: chunk.entries.splice(chunk.entries.length >> 1) }
    chunks.splice(at + 1, 0, older)
    this.#changed.add(older.number)
  }

  /** Removes the entry of a record. Returns false if the index does not list the record. */
  remove(type: TypeName, id: RecordId): boolean {
    return Object.values(this.#lists).some((list) => this.#remove(list.get(type) ?? [], id))
  }

  /** Returns the chunk that `remove` would change. */
  touchedBy(type: TypeName, id: RecordId): readonly TouchedChunk[] {
    const all = Object.values(this.#lists).flatMap((list) => list.get(type) ?? [])
    const chunk = all.find(({ entries }) => entries.some((entry) => entry.id === id))
    return chunk === undefined ? [] : [{ name: `${type} ${chunk.number}`, count: chunk.entries.length }]
  }

  /** Returns the chunks that `put` and `remove` changed since the last call. */
  changes(): readonly { readonly number: number; readonly entries: readonly IndexEntry[] }[] {
    const all = Object.values(this.#lists).flatMap((list) => [...list.values()].flat())
    const changed = all.filter(({ number }) => this.#changed.has(number))
    const emptied = [...this.#emptied].map((number) => ({ number, entries: [] }))
    this.#changed.clear()
    this.#emptied.clear()
    return [...changed, ...emptied]
  }

  /** Returns the root of these chunks. @param digests of every chunk, by its number */
  root(digests: ReadonlyMap<number, string>, version: number): IndexRoot {
    const { types, labeled } = this.#lists
    return { version, next: this.#next, types: summariesOf(types, digests), labeled: summariesOf(labeled, digests) }
  }

  /** Returns whether a chunk had the record. */
  #remove(chunks: WrittenChunk[], id: RecordId): boolean {
    for (const [index, chunk] of chunks.entries()) {
      const at = chunk.entries.findIndex((entry) => entry.id === id)
      if (at === -1) continue
      chunk.entries.splice(at, 1)
      if (chunk.entries.length > 0) {
        this.#changed.add(chunk.number)
        return true
      }
      chunks.splice(index, 1)
      this.#changed.delete(chunk.number)
      this.#emptied.add(chunk.number)
      return true
    }
    return false
  }
}

interface WrittenChunk {
  readonly number: number
  entries: IndexEntry[]
}

const kindOf = ({ labels }: IndexEntry): 'types' | 'labeled' => (labels.length === 0 ? 'types' : 'labeled')

function summariesOf(
  lists: ReadonlyMap<string, readonly WrittenChunk[]>,
  digests: ReadonlyMap<number, string>,
): IndexRoot['types'] {
  const summaries = [...lists].map(([type, chunks]): [string, ChunkSummary[]] => [
    type,
    chunks.flatMap(({ number, entries }) => {
      const [first, last] = [entries[0], entries.at(-1)]
      const digest = digests.get(number)
      if (first === undefined || last === undefined || digest === undefined) return []
      return [{ number, digest, count: entries.length, first: positionOf(first), last: positionOf(last) }]
    }),
  ])
  return new Map(summaries)
}

const positionOf = ({ date, id }: IndexEntry): ListPosition => ({ date, id })
