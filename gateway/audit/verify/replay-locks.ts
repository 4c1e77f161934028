import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { LockUnreadable } from '../../../directives/lock.ts'
import { type LockTable, readLock } from '../../../directives/lock-table.ts'
import { lockName } from './layout.ts'
import type { LogSource } from './log-source.ts'
import { base64urlBytes } from './member-forms.ts'
import { LockReplay } from './replay-item.ts'

/** Locks in memory at a time. A deployment has one lock, and two while a new version replaces another. */
const MAX_LOCKS = 4

/** The policy locks of an export, read when an item first names them. */
export class ReplayLocks {
  readonly #source: LogSource
  /** By digest in base64url, the least recently loaded one first. */
  readonly #loaded = new Map<string, LockReplay>()

  constructor(source: LogSource) {
    this.#source = source
  }

  /** The replay under a lock, or a promise of it if the lock is not in memory. */
  replayUnder(digest: string): LockReplay | Promise<LockReplay> {
    return this.#loaded.get(digest) ?? this.#load(digest)
  }

  async #load(digest: string): Promise<LockReplay> {
    const hex = bytesToHex(base64urlBytes(digest))
    const bytes = await this.#source.read(lockName(hex))
    const replay = new LockReplay(bytes && bytesToHex(sha256(bytes)) === hex ? lockTable(bytes) : undefined)
    const [oldest] = this.#loaded.keys()
    if (oldest !== undefined && this.#loaded.size >= MAX_LOCKS) this.#loaded.delete(oldest)
    this.#loaded.set(digest, replay)
    return replay
  }
}

/** The table of a lock; undefined if the text is no lock of a known format. */
export function lockTable(bytes: Uint8Array): LockTable | undefined {
  try {
    return readLock(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    if (error instanceof LockUnreadable || error instanceof TypeError) return undefined
    throw error
  }
}
