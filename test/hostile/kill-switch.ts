class Killed extends Error {
  override readonly name = 'Killed'
}

/**
 * Ends a process at one of its calls to a service: before the call, or after the service did its work. A dead process calls nothing
 * more. Calls that are in flight at the time arrive all the same, as those of a real process do.
 */
export class KillSwitch {
  calls = 0
  isDead = false
  readonly #at: number
  readonly #when: 'BEFORE' | 'AFTER'
  readonly #pause: () => Promise<unknown>

  /**
   * @param at the number of the call, from 1; Infinity for a process that lives
   * @param pause before each call, so that processes overtake each other
   */
  constructor(at: number, when: 'BEFORE' | 'AFTER', pause: () => Promise<unknown> = () => Promise.resolve()) {
    this.#at = at
    this.#when = when
    this.#pause = pause
  }

  /** Makes one call of the process. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    await this.#pause()
    if (this.isDead) throw new Killed()
    const isLast = ++this.calls === this.#at
    if (isLast) this.isDead = true
    if (isLast && this.#when === 'BEFORE') throw new Killed()
    const result = await work()
    // the process may have ended at another call meanwhile
    if (this.isDead) throw new Killed()
    return result
  }
}
