import type { MasterKey } from './kms-keys.ts'

/** A simulated problem between a caller and a key: the service throttles, does not answer, or closes the connection. */
export type Interference = 'THROTTLED' | 'SILENT' | 'CUT'

/** Interference by key. With it, tests show that an outage of one tenant's key does not affect another tenant. */
export class Interferences {
  readonly #byKey = new Map<MasterKey, Interference>()
  #waiting: (() => void)[] = []

  /** @param how undefined ends the interference, and the waiting requests are answered */
  set(key: MasterKey, how: Interference | undefined): void {
    if (how === undefined) this.#byKey.delete(key)
    else this.#byKey.set(key, how)
    for (const resume of this.#waiting.splice(0)) resume()
  }

  /** The interference for a request. While the key is SILENT, the request waits. */
  async at(key: MasterKey | undefined): Promise<Exclude<Interference, 'SILENT'> | undefined> {
    for (;;) {
      const how = key && this.#byKey.get(key)
      if (how !== 'SILENT') return how
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
  }
}
