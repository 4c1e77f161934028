/** Lets a fixed number of reads run at the same time. The others wait in their order. */
export class ReadGate {
  readonly #most: number
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#most = most
  }

  async through<T>(read: () => Promise<T>): Promise<T> {
    while (this.#running >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#running++
    try {
      return await read()
    } finally {
      this.#running--
      this.#waiting.shift()?.()
    }
  }
}
