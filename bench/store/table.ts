import { type Bindings, holds } from './expressions.ts'
import { itemBytes, unitsOf, type WireItem } from './item-size.ts'

/** Attribute names of a key: the partition's first, then the sort key's. */
export type KeyNames = readonly [partition: string, ...sort: string[]]

export interface IndexShape {
  readonly name: string
  readonly key: KeyNames
  /** Whether the index holds all attributes, or only those of the keys. */
  readonly projectsAll: boolean
}

export interface TableShape {
  readonly key: KeyNames
  readonly indexes: readonly IndexShape[]
}

/** An item, with its size once that is needed. */
class Stored {
  readonly item: WireItem
  #bytes: number | undefined

  constructor(item: WireItem) {
    this.item = item
  }

  get bytes(): number {
    return (this.#bytes ??= itemBytes(this.item))
  }
}

export interface QueryInput {
  readonly index: string | undefined
  readonly condition: string
  readonly filter: string | undefined
  readonly bindings: Bindings
  readonly forward: boolean
  readonly limit: number | undefined
  /** The key of the last item of the page before. */
  readonly after: WireItem | undefined
}

export interface QueryPage {
  readonly items: readonly WireItem[]
  /** Bytes that the query examined. */
  readonly bytes: number
  readonly examined: number
  readonly last: WireItem | undefined
}

/** DynamoDB ends a page of a query after this number of bytes. */
const PAGE_BYTES = 1024 * 1024

const SEPARATOR = '\u0000'

/** The text of a key value. Numbers are padded, so that the order of texts is the order of numbers. */
function keyPart(item: WireItem, name: string): string | undefined {
  const value = item[name]
  if (value === undefined) return undefined
  if (value.N !== undefined) return Number(value.N).toFixed(0).padStart(20, '0')
  return String(value.S ?? value.B)
}

function keyTextOf(item: WireItem, names: readonly string[]): string | undefined {
  const parts = names.map((name) => keyPart(item, name))
  return parts.includes(undefined) ? undefined : parts.join(SEPARATOR)
}

/** The items of one partition, sorted by their key. */
class Partition {
  readonly #keys: string[] = []
  readonly #items = new Map<string, Stored>()

  set(key: string, stored: Stored): void {
    if (!this.#items.has(key)) this.#keys.splice(this.#place(key), 0, key)
    this.#items.set(key, stored)
  }

  delete(key: string): void {
    if (this.#items.delete(key)) this.#keys.splice(this.#place(key), 1)
  }

  get(key: string): Stored | undefined {
    return this.#items.get(key)
  }

  /** In order, or in reverse order, without those up to `after`. */
  *from(after: string | undefined, forward: boolean): Generator<Stored> {
    let place = forward ? 0 : this.#keys.length - 1
    if (after !== undefined) {
      place = this.#place(after)
      if (!forward) place--
      else if (this.#keys[place] === after) place++
    }
    for (; place >= 0 && place < this.#keys.length; place += forward ? 1 : -1) {
      const stored = this.#items.get(this.#keys[place] ?? '')
      if (stored) yield stored
    }
  }

  #place(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#keys[middle] ?? '') < key) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Items by partition, for a table or an index. */
class Side {
  readonly #names: KeyNames
  /** Sorts items with equal keys of an index. */
  readonly #tail: readonly string[]
  readonly #partitions = new Map<string, Partition>()

  constructor(names: KeyNames, tail: readonly string[]) {
    this.#names = names
    this.#tail = tail
  }

  partitionOf(item: WireItem): Partition | undefined {
    return this.#partitions.get(keyTextOf(item, this.#names.slice(0, 1)) ?? '')
  }

  partitionNamed(name: string): Partition | undefined {
    return this.#partitions.get(name)
  }

  sortOf(item: WireItem): string {
    return keyTextOf(item, [...this.#names.slice(1), ...this.#tail]) ?? ''
  }

  /** Items without the keys of an index are not in it. */
  holds(item: WireItem): boolean {
    return keyTextOf(item, this.#names) !== undefined
  }

  set(stored: Stored): void {
    const name = keyTextOf(stored.item, this.#names.slice(0, 1)) ?? ''
    const partition = this.#partitions.get(name) ?? new Partition()
    this.#partitions.set(name, partition)
    partition.set(this.sortOf(stored.item), stored)
  }

  delete(item: WireItem): void {
    this.partitionOf(item)?.delete(this.sortOf(item))
  }
}

/** A table of the stand-in, in memory, with its indexes. */
export class Table {
  readonly shape: TableShape
  readonly #base: Side
  readonly #indexes: readonly { readonly shape: IndexShape; readonly side: Side }[]

  constructor(shape: TableShape) {
    this.shape = shape
    this.#base = new Side(shape.key, [])
    this.#indexes = shape.indexes.map((index) => ({ shape: index, side: new Side(index.key, shape.key) }))
  }

  /** @param key an item with at least the key's attributes */
  get(key: WireItem): Stored | undefined {
    return this.#base.partitionOf(key)?.get(this.#base.sortOf(key))
  }

  /**
   * Replaces or deletes the item of a key.
   *
   * @returns a function that updates the indexes. It returns the write units: those of the table, times `factor`, and those of
   *   the indexes. Call it before the next query
   */
  write(key: WireItem, item: WireItem | undefined, factor: number): () => number {
    const before = this.get(key)
    const after = item && new Stored(item)
    if (after) this.#base.set(after)
    else this.#base.delete(key)
    return () => {
      let units = unitsOf(Math.max(before?.bytes ?? 0, after?.bytes ?? 0)) * factor
      for (const { shape, side } of this.#indexes) {
        units += this.#indexUnits(shape, before, after)
        if (before && side.holds(before.item)) side.delete(before.item)
        if (after && side.holds(after.item)) side.set(after)
      }
      return units
    }
  }

  query({ index, condition, filter, bindings, forward, limit, after }: QueryInput): QueryPage {
    const found = index === undefined ? undefined : this.#indexes.find(({ shape }) => shape.name === index)
    if (index !== undefined && !found) throw new RangeError(`The table has no index ${index}.`)
    const side = found?.side ?? this.#base
    const partition = side.partitionNamed(partitionValue(condition, (found?.shape ?? this.shape).key[0], bindings))
    const items: WireItem[] = []
    let bytes = 0
    let examined = 0
    for (const stored of partition?.from(after && side.sortOf(after), forward) ?? []) {
      const { item } = stored
      if (!holds(condition, item, bindings)) continue
      bytes += stored.bytes
      examined++
      if (holds(filter, item, bindings)) items.push(found && !found.shape.projectsAll ? this.#keysOf(item, found.shape) : item)
      if (examined === limit || bytes >= PAGE_BYTES) return { items, bytes, examined, last: this.#keysOf(item, found?.shape) }
    }
    return { items, bytes, examined, last: undefined }
  }

  #keysOf(item: WireItem, index: IndexShape | undefined): WireItem {
    const names = [...this.shape.key, ...(index?.key ?? [])]
    return Object.fromEntries(names.flatMap((name) => (item[name] === undefined ? [] : [[name, item[name]]])))
  }

  /** An index is charged for what it projects, and only if that changes. A changed key is a deletion and an insertion. */
  #indexUnits(index: IndexShape, before: Stored | undefined, after: Stored | undefined): number {
    const entry = (stored: Stored | undefined) => {
      if (!stored || keyTextOf(stored.item, index.key) === undefined) return undefined
      const item = index.projectsAll ? stored.item : this.#keysOf(stored.item, index)
      return { item, key: keyTextOf(item, index.key), units: unitsOf(itemBytes(item)) }
    }
    const [old, now] = [entry(before), entry(after)]
    if (!old || !now) return (old ?? now)?.units ?? 0
    if (JSON.stringify(old.item) === JSON.stringify(now.item)) return 0
    return old.key === now.key ? Math.max(old.units, now.units) : old.units + now.units
  }
}

/** The value of the partition key in a key condition: `pk = :name`. */
function partitionValue(condition: string, name: string, { names, values }: Bindings): string {
  for (const [, left = '', right = ''] of condition.matchAll(/([#\w.]+)\s*=\s*(:\w+)/g)) {
    const attribute = left.startsWith('#') ? names[left] : left
    const value = values[right]
    if (attribute === name && value) return keyPart({ [name]: value }, name) ?? ''
  }
  throw new RangeError('A key condition without its partition key.')
}
