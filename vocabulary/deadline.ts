import type { Clock } from './record.ts'

/**
 * Until when somebody waits. It ends by whichever clock gets there first: the wall clock, which jumps when a process that
 * stood still goes on, or the time that has really passed, which a wall clock that is set back would prolong.
 */
export class Deadline {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly #now: Clock
  readonly #started = performance.now()
  readonly #milliseconds: number
  #signal: AbortSignal | undefined

  constructor(at: number, now: Clock) {
    this.at = at
    this.#now = now
    this.#milliseconds = at - now()
  }

  /** Milliseconds, not below zero. */
  get left(): number {
    const passed = performance.now() - this.#started
    return Math.max(0, Math.min(this.at - this.#now(), this.#milliseconds - passed))
  }

  /** Ends after a part of what is left, so that something is left for what comes later. */
  share(part: number): Deadline {
    return new Deadline(this.#now() + this.left * part, this.#now)
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
