import { createHash, timingSafeEqual } from 'node:crypto'
import type { DigestSeal } from '../crypto/kms-seal.ts'
import { lengthPrefixed } from '../crypto/parts.ts'
import type { IssuerKeysTable, KeySetName, StoredKeySet } from '../store/issuer-keys.ts'
import { causeName, type EventSink } from '../telemetry/events.ts'
import { IntegrityFailure } from '../model/failures.ts'
import type { Clock } from '../model/record.ts'

/** A key set as the issuer gave it. */
export interface KeySet {
  readonly text: string
  /** When the issuer was asked for it; milliseconds since the epoch. */
  readonly at: number
}

/** Keeps the last good key set of an issuer where other processes find it. None of it throws. */
export interface KeySetKeeper {
  /** What was kept last, believed by nobody yet; undefined where there is none, or the table is away. */
  last(): Promise<StoredKeySet | undefined>
  /** The same, where this deployment sealed it; undefined where it did not, or where that cannot be found out. */
  verified(stored: StoredKeySet): Promise<KeySet | undefined>
  /** @param last what `last` gave: what is there and still new is not written again */
  keep(set: KeySet, last: StoredKeySet | undefined): Promise<void>
}

export interface KeeperParts {
  readonly table: Pick<IssuerKeysTable, 'read' | 'write'>
  readonly seal: DigestSeal
  readonly now: Clock
  readonly events: EventSink
}

/** A set is written again when it is this old, so that a process that starts in an outage has nearly a day. */
const KEEP_EVERY_MS = 15 * 60_000
/** Processes' clocks differ by so much. */
const CLOCK_TOLERANCE_MS = 60_000
/** Of the table, while the issuer is asked; of KMS, once it did not answer. Requests wait for both. */
const READ_MS = 700
/** A request waits for these: somebody's, once in a quarter of an hour. */
const KEEP_MS = 500

/**
 * The last good key set of an issuer, in a table. A process that starts while the issuer is away verifies tokens with it.
 *
 * Who writes to the table must not be able to say whose signature is good: a set counts only with a seal by KMS over the set, the
 * issuer, the place it came from and the time, all of which are held against what is asked for.
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
      this.#tell('NOT_READ', error)
      return undefined
    }
  }

  async verified({ text, at, seal }: StoredKeySet): Promise<KeySet | undefined> {
    const { now, events } = this.#parts
    try {
      const sealed = await this.#parts.seal.open(seal, this.#context(), AbortSignal.timeout(READ_MS))
      const digest = this.#digest({ text, at })
      if (sealed.length !== digest.length || !timingSafeEqual(sealed, digest)) throw new IntegrityFailure()
      // what was sealed by a clock ahead of this one is no younger for it
      if (at > now() + CLOCK_TOLERANCE_MS) return undefined
      return { text, at: Math.min(at, now()) }
    } catch (error) {
      if (error instanceof IntegrityFailure) events({ event: 'ISSUER_KEYS_FORGED' })
      else this.#tell('NOT_READ', error)
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
      this.#tell('NOT_KEPT', error)
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

  #tell(what: 'NOT_READ' | 'NOT_KEPT', error: unknown): void {
    const cause = error instanceof Error ? (error.cause ?? error) : error
    this.#parts.events({ event: 'ISSUER_KEYS', what, cause: causeName(cause) })
  }
}
