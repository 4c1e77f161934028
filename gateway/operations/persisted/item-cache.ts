import { LRUCache } from 'lru-cache'
import type { Clocks } from '../../model/deadline.ts'

/** A revocation must take effect everywhere within 30 seconds, so a cached item is used for less. */
const FRESH_MS = 25_000
/** The memory of an entry besides its content, in bytes. */
const ENTRY_BYTES = 1_000

/** A moment on both clocks, in milliseconds. */
export interface Moment {
  readonly wall: number
  readonly ticks: number
}

export const momentOf = ({ now, monotonic }: Clocks): Moment => ({ wall: now(), ticks: monotonic() })

interface Entry<V> {
  readonly value: V
  readonly readAt: Moment
  readonly bytes: number
}

/** Values that were read from the table less than 25 seconds ago. The least recently used ones are dropped first. */
export class ItemCache<V extends object> {
  readonly #entries: LRUCache<string, Entry<V>>
  readonly #clocks: Clocks

  /** @param maxBytes the memory of all entries, as estimated by the lengths that `set` gets */
  constructor(maxBytes: number, clocks: Clocks) {
    this.#entries = new LRUCache({ maxSize: maxBytes, sizeCalculation: ({ bytes }) => ENTRY_BYTES + bytes })
    this.#clocks = clocks
  }

  /** The number of entries in memory, old ones included. */
  get size(): number {
    return this.#entries.size
  }

  /** The estimated memory of all entries. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  get(name: string): V | undefined {
    const entry = this.#entries.get(name)
    return entry !== undefined && isFresh(entry.readAt, momentOf(this.#clocks)) ? entry.value : undefined
  }

  /**
   * Does not store a value that is larger than the limit.
   *
   * @param readAt the moment before the value was requested
   */
  set(name: string, value: V, bytes: number, readAt: Moment): void {
    this.#entries.set(name, { value, bytes, readAt })
  }

  /** Deletes all entries with names that start with `prefix`. */
  deleteAll(prefix: string): void {
    for (const name of [...this.#entries.keys()].filter((one) => one.startsWith(prefix))) this.#entries.delete(name)
  }
}

// a clock that was set back must not make an entry younger
function isFresh(readAt: Moment, { wall, ticks }: Moment): boolean {
  return readAt.wall <= wall && wall - readAt.wall < FRESH_MS && ticks - readAt.ticks < FRESH_MS
}
