import { type Chunk, chunkHolding } from '../crypto/chunk.ts'

/** A list as stored: a few entries inline, many in chunks. */
export interface ListForm<Content> {
  readonly inline?: ReadonlyMap<string, Content>
  /** Sorted by their first names. */
  readonly chunks?: readonly Chunk[]
  /** The number of the next chunk. */
  readonly next?: number
}

/** The numbers of entries at which a list begins its first chunk, and at which a chunk is divided into two halves. */
export interface ListLimits {
  readonly maxInline: number
  readonly maxInChunk: number
}

/** A chunk, and its entries if a change touches it. */
interface OpenChunk<Content> extends Pick<Chunk, 'first' | 'number'> {
  readonly entries: Map<string, Content> | undefined
}

/** The chunks that a list has to write and to remove. */
interface ChunkChanges<Content> {
  readonly written: readonly { readonly number: number; readonly entries: ReadonlyMap<string, Content> }[]
  readonly removed: readonly number[]
}

/** A list by name while it is being changed: a few entries inline, many in chunks. It drops no entry. Seals and reads nothing. */
export class ChunkedList<Content> {
  readonly #limits: ListLimits
  #inline: Map<string, Content> | undefined
  #chunks: OpenChunk<Content>[]
  #next: number
  readonly #changed = new Set<number>()
  readonly #removed = new Set<number>()

  /** @param opened the entries of each chunk that a later change touches, by number */
  constructor(
    { inline, chunks, next = 1 }: ListForm<Content>,
    opened: ReadonlyMap<number, ReadonlyMap<string, Content>>,
    limits: ListLimits,
  ) {
    this.#limits = limits
    this.#inline = chunks === undefined ? new Map(inline) : undefined
    this.#next = next
    this.#chunks = (chunks ?? []).map(({ first, number }) => {
      const entries = opened.get(number)
      return { first, number, entries: entries && new Map(entries) }
    })
  }

  /** @throws RangeError if the chunk of the name was not opened, which is a fault of the caller */
  get(name: string): Content | undefined {
    return (this.#inline ?? this.#holding(name).entries).get(name)
  }

  /** @throws RangeError as `get` does */
  put(name: string, content: Content): void {
    if (this.#inline !== undefined) {
      this.#inline.set(name, content)
      if (this.#inline.size > this.#limits.maxInline) this.#moveToChunks(this.#inline)
      return
    }
    const { chunk, entries } = this.#holding(name)
    entries.set(name, content)
    this.#changed.add(chunk.number)
    if (entries.size > this.#limits.maxInChunk) this.#halve(chunk, entries)
  }

  /** Removes an entry. A chunk without entries leaves the list. @throws RangeError as `put` does */
  remove(name: string): void {
    if (this.#inline !== undefined) {
      this.#inline.delete(name)
      return
    }
    const { chunk, entries } = this.#holding(name)
    if (!entries.delete(name)) return
    this.#changed.add(chunk.number)
    if (entries.size === 0 && this.#chunks.length > 1) this.#drop(chunk)
  }

  /** The upper bound of the chunks that this number of puts writes or adds. */
  maxChunks(puts: number): number {
    return this.#inline !== undefined && this.#inline.size + puts <= this.#limits.maxInline ? 0 : 2 * puts
  }

  /** The chunks that changed since the last call. */
  changes(): ChunkChanges<Content> {
    const written = this.#chunks.flatMap(({ number, entries }) =>
      entries !== undefined && this.#changed.has(number) ? [{ number, entries }] : [],
    )
    const removed = [...this.#removed]
    this.#changed.clear()
    this.#removed.clear()
    return { written, removed }
  }

  /** The form to store. @param digests of every chunk, by number */
  form(digests: ReadonlyMap<number, string>): ListForm<Content> {
    if (this.#inline !== undefined) return { inline: this.#inline }
    const chunks = this.#chunks.map(({ first, number }) => ({ first, number, digest: digests.get(number) ?? '' }))
    return { chunks, next: this.#next }
  }

  #holding(name: string): { chunk: OpenChunk<Content>; entries: Map<string, Content> } {
    const chunk = chunkHolding(this.#chunks, name)
    if (chunk?.entries === undefined) throw new RangeError('The chunk of an entry was not opened.')
    return { chunk, entries: chunk.entries }
  }

  #moveToChunks(entries: Map<string, Content>): void {
    const chunk = this.#newChunk('', entries)
    this.#inline = undefined
    this.#chunks = [chunk]
    // a list of an earlier version can have more entries than a chunk
    if (entries.size > this.#limits.maxInChunk) this.#halve(chunk, entries)
  }

  #halve(chunk: OpenChunk<Content>, entries: Map<string, Content>): void {
    const sorted = [...entries].toSorted(([one], [other]) => (one < other ? -1 : 1))
    const greater = sorted.slice(sorted.length >> 1)
    for (const [name] of greater) entries.delete(name)
    const half = new Map(greater)
    const added = this.#newChunk(greater[0]?.[0] ?? '', half)
    this.#chunks.splice(this.#chunks.indexOf(chunk) + 1, 0, added)
    for (const [part, size] of [
      [chunk, entries],
      [added, half],
    ] as const) {
      if (size.size > this.#limits.maxInChunk) this.#halve(part, size)
    }
  }

  #newChunk(first: string, entries: Map<string, Content>): OpenChunk<Content> {
    const number = this.#next++
    this.#changed.add(number)
    return { first, number, entries }
  }

  /** The names of the chunk now belong to the chunk before it. The first chunk begins with the empty name. */
  #drop(chunk: OpenChunk<Content>): void {
    this.#removed.add(chunk.number)
    this.#chunks = this.#chunks
      .filter((other) => other !== chunk)
      .map((other, index) => (index === 0 ? { ...other, first: '' } : other))
  }
}
