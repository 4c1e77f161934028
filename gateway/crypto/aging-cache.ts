import { LRUCache } from 'lru-cache'
import type { Clock } from '../model/record.ts'

const SWEEP_EVERY_MS = 1000

interface Aged<V> {
  readonly value: V
  readonly from: number
  readonly until: number
}

/**
 * A bounded cache. Each entry expires at a fixed time, even if it is in constant use, so that every key is fetched again.
 * Time comes from the injected clock; `lru-cache` only bounds the number of entries.
 */
export class AgingCache<V extends object> {
  readonly #entries: LRUCache<string, Aged<V>>
  readonly #now: Clock
  #sweptAt: number
  /** Runs while the cache has entries: an idle process must not keep keys. */
  #sweeping: NodeJS.Timeout | undefined

  constructor(max: number, now: Clock) {
    this.#entries = new LRUCache({ max })
    this.#now = now
    this.#sweptAt = now()
  }

  /** The number of entries in memory, expired ones included. */
  get size(): number {
    return this.#entries.size
  }

  get(name: string): V | undefined {
    const now = this.#now()
    this.#sweepSometimes(now)
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    if (isAlive(entry, now)) return entry.value
    this.#entries.delete(name)
    return undefined
  }

  /**
   * @param from when the value was requested, in milliseconds since the epoch
   * @param until when the entry expires, in milliseconds since the epoch
   */
  set(name: string, value: V, from: number, until: number): void {
    this.#sweepSometimes(this.#now())
    this.#entries.set(name, { value, from, until })
    // `unref`: the timer keeps no process alive. In a frozen process it runs at the thaw, before or with the first request.
    this.#sweeping ??= setInterval(() => this.#sweep(this.#now()), SWEEP_EVERY_MS).unref()
  }

  delete(name: string): void {
    this.#entries.delete(name)
  }

  /** Sweeps without the timer too, because a busy process runs its timers late. */
  #sweepSometimes(now: number): void {
    if (now < this.#sweptAt || now - this.#sweptAt >= SWEEP_EVERY_MS) this.#sweep(now)
  }

  #sweep(now: number): void {
    this.#sweptAt = now
    for (const [name, entry] of [...this.#entries.entries()]) if (!isAlive(entry, now)) this.#entries.delete(name)
    if (this.#entries.size > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
  }
}

// a clock that was set back must not prolong the life of a key
const isAlive = ({ from, until }: Aged<unknown>, now: number): boolean => from <= now && now < until
