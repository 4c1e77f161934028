import type { Clocks } from '../../../gateway/model/deadline.ts'

/** Clocks that run with real time, and jump when a test moves them. */
export class Jumping implements Clocks {
  /** Milliseconds by which the wall clock is ahead of the elapsed time. */
  wall = 0
  /** Milliseconds by which the monotonic clock is ahead of the elapsed time. */
  steady = 0
  readonly #start: number
  readonly #began = performance.now()

  /** @param start milliseconds since the epoch */
  constructor(start: number) {
    this.#start = start
  }

  readonly now = (): number => Math.floor(this.#start + performance.now() - this.#began + this.wall)
  readonly monotonic = (): number => performance.now() + this.steady

  /** Freezes the process: both clocks advance. */
  freeze(milliseconds: number): void {
    this.wall += milliseconds
    this.steady += milliseconds
  }
}
