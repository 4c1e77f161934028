import type { Clock } from './record.ts'

/** Two clocks, since either may fail: a wall clock can be set, and a monotonic one may stand still while a process is frozen. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  readonly now: Clock
  /** Milliseconds since some moment, never set back. */
  readonly monotonic: Clock
}

/** Until when somebody waits: it ends by whichever clock gets there first. */
export class Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly #clocks: Clocks
  readonly #ends: number
  #signal: AbortSignal | undefined

  /** @param at milliseconds since the epoch; what is left of it now is all that it will ever be */
  constructor(at: number, clocks: Clocks) {
    this.at = at
    this.#clocks = clocks
    this.#ends = clocks.monotonic() + at - clocks.now()
  }

  /** Milliseconds, not below zero. */
  get left(): number {
    return Math.max(0, Math.min(this.at - this.#clocks.now(), this.#ends - this.#clocks.monotonic()))
  }

  /** Ends after a part of what is left, so that something is left for what comes later. */
  share(part: number): Deadline {
    return new Deadline(this.#clocks.now() + this.left * part, this.#clocks)
  }

  /** For requests to services: they are given up when the time has come, and their connections are free again. */
  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.timeout(Math.ceil(this.left))
    return this.#signal
  }

  /**
   * What the work gives, if it gives it in time. After the end nothing is begun.
   *
   * @throws what `late` makes, at the end; what the work throws, before
   */
  async wait<T>(work: () => Promise<T>, late: () => Error): Promise<T> {
    const { left } = this
    if (left === 0) throw late()
    let timer: NodeJS.Timeout | undefined
    const end = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(late()), left)
    })
    const begun = work()
    // when it fails after the end, nobody is there to see it, and it must not end the process
    begun.catch(() => undefined)
    try {
      return await Promise.race([begun, end])
    } finally {
      clearTimeout(timer)
    }
  }
}
