import type { Clock } from './record.ts'

/** Two clocks, because either can fail: a wall clock can be set, and a monotonic clock can stop while a process is frozen. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  readonly now: Clock
  /** Milliseconds since an arbitrary moment; never set back. */
  readonly monotonic: Clock
}

/** A deadline on two clocks. It passes when the first of them reaches it. */
export class Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly #clocks: Clocks
  readonly #ends: number
  #signal: AbortSignal | undefined

  /** @param at milliseconds since the epoch. If the wall clock is later set back, the remaining time does not grow. */
  constructor(at: number, clocks: Clocks) {
    this.at = at
    this.#clocks = clocks
    this.#ends = clocks.monotonic() + at - clocks.now()
  }

  /** The remaining milliseconds, at least 0. */
  get left(): number {
    return Math.max(0, Math.min(this.at - this.#clocks.now(), this.#ends - this.#clocks.monotonic()))
  }

  /** A deadline at a fraction (0 to 1) of the remaining time, so that later work gets the rest. */
  share(part: number): Deadline {
    return new Deadline(this.#clocks.now() + this.left * part, this.#clocks)
  }

  /** A signal that aborts requests to services at the deadline, which frees their connections. */
  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.timeout(Math.ceil(this.left))
    return this.#signal
  }

  /**
   * Returns the result of the work if it arrives in time. After the deadline the work does not start.
   *
   * @throws the error of `late` at the deadline, or an earlier error of the work
   */
  async wait<T>(work: () => Promise<T>, late: () => Error): Promise<T> {
    const { left } = this
    if (left === 0) throw late()
    // before the timer: work that throws at once leaves no rejection without a handler
    const begun = work()
    // a failure after the deadline has no handler, and it must not end the process
    begun.catch(() => undefined)
    let timer: NodeJS.Timeout | undefined
    const end = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(late()), left)
    })
    try {
      return await Promise.race([begun, end])
    } finally {
      clearTimeout(timer)
    }
  }
}
