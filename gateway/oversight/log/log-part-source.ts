import { EXPORT_NAME, LATEST_NAME } from '../../audit/verify/layout.ts'
import type { LogSource } from '../../audit/verify/log-source.ts'
import { claimOf, type LogPart } from './log-export.ts'
import type { StoredLog } from './stored-log.ts'

/** A part of a stored log as an export of it would be, without a copy: an object is read when the verifier asks for it. */
export class LogPartSource implements LogSource {
  readonly #log: StoredLog
  readonly #names: ReadonlySet<string>
  readonly #own: ReadonlyMap<string, Uint8Array<ArrayBuffer>>

  private constructor(log: StoredLog, part: LogPart, names: ReadonlySet<string>) {
    this.#log = log
    this.#names = names
    this.#own = new Map([
      [EXPORT_NAME, claimOf(part)],
      [LATEST_NAME, new TextEncoder().encode(part.note)],
    ])
  }

  /** @throws StoreUnavailable */
  static async of(log: StoredLog, part: LogPart): Promise<LogPartSource> {
    const names = new Set<string>()
    for await (const name of part.names()) names.add(name)
    return new LogPartSource(log, part, names)
  }

  async *names(prefix: string): AsyncIterable<string> {
    for (const name of [...this.#names, ...this.#own.keys()]) if (name.startsWith(prefix)) yield await Promise.resolve(name)
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#own.get(name) ?? (this.#names.has(name) ? await this.#log.read(name) : undefined)
  }

  async open(name: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    return this.#names.has(name) ? await this.#log.open(name) : undefined
  }
}
