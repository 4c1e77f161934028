import { LRUCache } from 'lru-cache'
import type { Clock } from '../model/record.ts'

const SWEEP_EVERY_MS = 1000

interface Aged<V> {
  readonly value: V
  readonly from: number
  readonly until: number
}

/**
 * A bounded cache whose entries end at a fixed time, however often they are used: a key in constant use has to be
 * asked for again too. Time is the injected clock's; `lru-cache` itself only bounds the number.
 */
export class AgingCache<V extends object> {
  readonly #entries: LRUCache<string, Aged<V>>
  readonly #now: Clock
  #sweptAt: number
  /** Runs while there is anything to let go of: a process that nobody asks must not keep keys. */
  #sweeping: NodeJS.Timeout | undefined

  constructor(max: number, now: Clock) {
    this.#entries = new LRUCache({ max })
    this.#now = now
    this.#sweptAt = now()
  }

  /** How many are in memory, those past their age included. */
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

  /** @param from when what is kept was asked for; `until` when it ends; milliseconds since the epoch */
  set(name: string, value: V, from: number, until: number): void {
    this.#sweepSometimes(this.#now())
    this.#entries.set(name, { value, from, until })
    // it keeps no process alive; on one that is frozen it runs at the thaw, before or with the first request
    this.#sweeping ??= setInterval(() => this.#sweep(this.#now()), SWEEP_EVERY_MS).unref()
  }

  delete(name: string): void {
    this.#entries.delete(name)
  }

  /** Also without the timer: a process that is kept busy runs it late. */
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

// a clock that was set back must not prolong a key's life
const isAlive = ({ from, until }: Aged<unknown>, now: number): boolean => from <= now && now < until
