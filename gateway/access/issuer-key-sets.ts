import { createHash, timingSafeEqual } from 'node:crypto'
import type { DigestSeal } from '../crypto/kms-seal.ts'
import { lengthPrefixed } from '../crypto/parts.ts'
import type { IssuerKeysTable, KeySetName, StoredKeySet } from '../store/issuer-keys.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'

/** A key set as received from the issuer. */
export interface KeySet {
  readonly text: string
  /** When the key set was requested, in milliseconds since the epoch. */
  readonly at: number
}

/** Stores the last valid key set of an issuer for all processes. No method throws. */
export interface KeySetKeeper {
  /** Returns the stored key set, not verified yet; undefined if none is stored or the table is unavailable. */
  last(): Promise<StoredKeySet | undefined>
  /** Verifies that this deployment sealed the key set; undefined if it did not, or if the check is not possible now. */
  verified(stored: StoredKeySet): Promise<KeySet | undefined>
  /** @param last the result of `last`: an equal and recent key set is not written again */
  keep(set: KeySet, last: StoredKeySet | undefined): Promise<void>
}

export interface KeeperParts {
  readonly table: Pick<IssuerKeysTable, 'read' | 'write'>
  readonly seal: DigestSeal
  readonly now: Clock
  readonly events: EventSink
}

/** A stored key set of this age is written again, so that a process that starts in an outage can use it for nearly a day. */
const KEEP_EVERY_MS = 15 * 60_000
/** The maximum difference between the clocks of processes. */
const CLOCK_TOLERANCE_MS = 60_000
/** Time limit for the table during the request to the issuer, and for KMS after the issuer failed. Requests wait for both. */
const READ_MS = 700
/** Time limit for storing a key set. One request waits for it, once in 15 minutes. */
const KEEP_MS = 500

/**
 * Stores the last valid key set of an issuer in a table. A process that starts during an outage of the issuer verifies tokens
 * with it.
 *
 * A writer of the table must not be able to introduce signing keys. A key set therefore counts only with a KMS seal over the set,
 * the issuer, the URL and the time. All of them must match the request.
 */
export class SealedKeySets implements KeySetKeeper {
  readonly #parts: KeeperParts
  readonly #name: KeySetName

  constructor(parts: KeeperParts, name: KeySetName) {
    this.#parts = parts
    this.#name = name
  }

  async last(): Promise<StoredKeySet | undefined> {
    try {
      return await this.#parts.table.read(this.#name, AbortSignal.timeout(READ_MS))
    } catch (error) {
      this.#report('NOT_READ', error)
      return undefined
    }
  }

  async verified({ text, at, seal }: StoredKeySet): Promise<KeySet | undefined> {
    const { now, events } = this.#parts
    try {
      const sealed = await this.#parts.seal.open(seal, this.#context(), AbortSignal.timeout(READ_MS))
      const digest = this.#digest({ text, at })
      if (sealed.length !== digest.length || !timingSafeEqual(sealed, digest)) throw new IntegrityFailure()
      // a key set that was sealed by a clock ahead of this one must not count as younger
      if (at > now() + CLOCK_TOLERANCE_MS) return undefined
      return { text, at: Math.min(at, now()) }
    } catch (error) {
      if (error instanceof IntegrityFailure) events({ event: 'ISSUER_KEYS_FORGED' })
      else this.#report('NOT_READ', error)
      return undefined
    }
  }

  async keep(set: KeySet, last: StoredKeySet | undefined): Promise<void> {
    const age = last === undefined ? KEEP_EVERY_MS : set.at - last.at
    if (last?.text === set.text && age > -CLOCK_TOLERANCE_MS && age < KEEP_EVERY_MS) return
    const signal = AbortSignal.timeout(KEEP_MS)
    try {
      const seal = await this.#parts.seal.seal(this.#digest(set), this.#context(), signal)
      await this.#parts.table.write(this.#name, { ...set, seal }, signal)
    } catch (error) {
      this.#report('NOT_KEPT', error)
    }
  }

  #context() {
    return { use: 'issuer-keys', issuer: this.#name.issuer } as const
  }

  #digest({ text, at }: KeySet): Buffer {
    const { issuer, jwksUri } = this.#name
    const set = createHash('sha256').update(text).digest()
    return createHash('sha256')
      .update(lengthPrefixed('issuer-keys', issuer, jwksUri, String(at), set))
      .digest()
  }

  #report(what: 'NOT_READ' | 'NOT_KEPT', error: unknown): void {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    this.#parts.events({ event: 'ISSUER_KEYS', what, cause: causeName(cause) })
  }
}
