import type { MasterKey } from './kms-keys.ts'

/** What may lie between a caller and a key: the service refuses for now, says nothing, or hangs up. */
export type Interference = 'THROTTLED' | 'SILENT' | 'CUT'

/** Interference by key, so that one tenant's trouble can be seen not to be another's. */
export class Interferences {
  readonly #byKey = new Map<MasterKey, Interference>()
  #waiting: (() => void)[] = []

  /** @param how undefined for none: what was left without an answer is then answered */
  set(key: MasterKey, how: Interference | undefined): void {
    if (how === undefined) this.#byKey.delete(key)
    else this.#byKey.set(key, how)
    for (const look of this.#waiting.splice(0)) look()
  }

  /** What a request meets now; it comes back when nobody has to be silent any more. */
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
