import type { Clocks } from '../../../gateway/model/deadline.ts'

/** Clocks that go on by themselves, and jump when a test moves them. */
export class Jumping implements Clocks {
  /** Milliseconds that the wall clock is ahead of the time that passed. */
  wall = 0
  /** The same of the monotonic clock. */
  steady = 0
  readonly #start: number
  readonly #began = performance.now()

  /** @param start milliseconds since the epoch */
  constructor(start: number) {
    this.#start = start
  }

  readonly now = (): number => Math.floor(this.#start + performance.now() - this.#began + this.wall)
  readonly monotonic = (): number => performance.now() + this.steady

  /** A process that was frozen: time went on, by both clocks. */
  freeze(milliseconds: number): void {
    this.wall += milliseconds
    this.steady += milliseconds
  }
}
