import type { ChunkSummary, IndexEntry, IndexRoot } from '../crypto/sealed-index.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { RecordId } from '../model/ids.ts'
import { type ListFilter, type ListPosition, type ListRequest, newestFirst } from '../model/list.ts'

/** The index of 10,000 records is then in items of about ten kilobytes. A page reads one or two of them. */
export const CHUNK_ENTRIES = 250

/**
 * Returns the chunks that a page may need, newest first. No other chunk contains a record of the page.
 *
 * @param whole whether all chunks are needed, because more records were left out of the page than expected
 */
export function chunksFor(
  root: IndexRoot,
  { type, size, after, filter }: Pick<ListRequest, 'type' | 'size' | 'after' | 'filter'>,
  whole = false,
): readonly ChunkSummary[] {
  const chunks = (root.types.get(type) ?? []).filter(
    ({ first, last }) => (after === undefined || newestFirst(after, last) < 0) && reaches(filter, first, last),
  )
  // with a filter by code or category, any chunk may contain the next record that passes
  if (filter.code !== undefined || filter.category !== undefined || whole) return chunks
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
    (since === undefined || Date.parse(newest) >= since) && (until === undefined || oldest === '' || Date.parse(oldest) < until)
  )
}

/** Whether every record of a chunk counts for the page. The number is unknown for a chunk that begins before the page or the time span. */
function isWhole({ first, last }: ChunkSummary, after: ListPosition | undefined, { since, until }: ListFilter): boolean {
  if (after !== undefined && newestFirst(after, first) >= 0) return false
  if (since === undefined && until === undefined) return true
  if (last.date === '') return false
  return (since === undefined || Date.parse(last.date) >= since) && (until === undefined || Date.parse(first.date) < until)
}

/** Whether a record is in the list. A record without a date is in no time span. */
export function passes({ since, until, code, category }: ListFilter, entry: IndexEntry): boolean {
  if (code !== undefined && !entry.codes.includes(code)) return false
  if (category !== undefined && entry.category !== category) return false
  if (since === undefined && until === undefined) return true
  const at = Date.parse(entry.date)
  return !Number.isNaN(at) && (since === undefined || at >= since) && (until === undefined || at < until)
}

/** Returns the chunks that can list a record: the one for its position, or all chunks of the type if the position is unknown. */
export function chunksHolding(root: IndexRoot, type: TypeName, at: ListPosition | undefined): readonly ChunkSummary[] {
  const chunks = root.types.get(type) ?? []
  if (at === undefined) return chunks
  return chunks.filter(({ first, last }) => newestFirst(first, at) <= 0 && newestFirst(at, last) <= 0)
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
  readonly #types = new Map<string, { number: number; entries: IndexEntry[] }[]>()
  readonly #changed = new Set<number>()

  /** @param chunks the entries of every chunk that the root names */
  constructor(root: IndexRoot | undefined, chunks: ReadonlyMap<number, readonly IndexEntry[]>) {
    this.#next = root?.next ?? 1

    for (const [type, summaries] of root?.types ?? []) {
      this.#types.set(
        type,
        summaries.map(({ number }) => ({ number, entries: [...(chunks.get(number) ?? [])] })),
      )
    }
  }

  /** The versions of all records, by `Type#id`. */
  versions(): ReadonlyMap<string, number> {
    const versions = new Map<string, number>()
    for (const [type, chunks] of this.#types) {
      for (const { entries } of chunks) for (const { id, version } of entries) versions.set(`${type}#${id}`, version)
    }
    return versions
  }

  /** Returns the chunks that `put` would change: the chunk that has the record now, and the chunk of its new position. */
  touches(type: TypeName, entry: IndexEntry): readonly TouchedChunk[] {
    const chunks = this.#types.get(type) ?? []
    const then = chunks.find(({ entries }) => newestFirst(entry, entries.at(-1) ?? entry) <= 0) ?? chunks.at(-1)
    const now = chunks.find(({ entries }) => entries.some(({ id }) => id === entry.id)) ?? then
    return [now, then].map((chunk) => ({ name: `${type} ${chunk?.number ?? 'new'}`, count: chunk?.entries.length ?? 0 }))
  }

  /** Lists a record at its position, and removes its earlier entry. */
  put(type: TypeName, entry: IndexEntry): void {
    const chunks = this.#types.get(type) ?? []
    this.#types.set(type, chunks)
    const [only] = chunks
    if (chunks.length === 1 && only?.entries.length === 1 && only.entries[0]?.id === entry.id) {
      // keep the number: a new chunk would leave the former one stored, and an older root could name it
      only.entries = [entry]
      this.#changed.add(only.number)
      return
    }
    this.#remove(chunks, entry.id)
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

  /** Returns the chunks that `put` changed since the last call. */
  changes(): readonly { readonly number: number; readonly entries: readonly IndexEntry[] }[] {
    const changed = [...this.#types.values()].flat().filter(({ number }) => this.#changed.has(number))
    this.#changed.clear()
    return changed
  }

  /** Returns the root of these chunks. @param digests of every chunk, by its number */
  root(digests: ReadonlyMap<number, string>, version: number): IndexRoot {
    const types = [...this.#types].map(([type, chunks]): [string, ChunkSummary[]] => [
      type,
      chunks.flatMap(({ number, entries }) => {
        const [first, last] = [entries[0], entries.at(-1)]
        const digest = digests.get(number)
        if (first === undefined || last === undefined || digest === undefined) return []
        return [{ number, digest, count: entries.length, first: positionOf(first), last: positionOf(last) }]
      }),
    ])
    return { version, next: this.#next, types: new Map(types) }
  }

  #remove(chunks: { number: number; entries: IndexEntry[] }[], id: RecordId): void {
    for (const [index, chunk] of chunks.entries()) {
      const at = chunk.entries.findIndex((entry) => entry.id === id)
      if (at === -1) continue
      chunk.entries.splice(at, 1)
      if (chunk.entries.length === 0) chunks.splice(index, 1)
      else this.#changed.add(chunk.number)
      return
    }
  }
}

const positionOf = ({ date, id }: IndexEntry): ListPosition => ({ date, id })
