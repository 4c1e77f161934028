import { LATEST_NAME, noteName, noteSize, CHECKPOINTS } from '../../audit/verify/layout.ts'
import type { LogSource } from '../../audit/verify/log-source.ts'
import { statedTime } from '../../audit/verify/note-time.ts'
import type { TenantId } from '../../model/ids.ts'
import type { ObjectStore } from '../../model/object-store.ts'

/** The deployment has no sealed log, or nothing of the tenant is sealed. */
export class NoSealedLog extends Error {
  override readonly name = 'NoSealedLog'
}

/** A note with the time that it states. */
export interface TimedNote {
  readonly size: number
  readonly time: number
  readonly text: string
}

/** The sealed log of one tenant. */
export class StoredLog implements LogSource {
  readonly #objects: ObjectStore
  readonly #tenant: TenantId

  constructor(objects: ObjectStore, tenant: TenantId) {
    this.#objects = objects
    this.#tenant = tenant
  }

  /** @param after only names after this one */
  async *names(prefix: string, after?: string): AsyncIterable<string> {
    const own = `${this.#tenant}/`
    for await (const name of this.#objects.list(own + prefix, after === undefined ? undefined : own + after))
      yield name.slice(own.length)
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const object = await this.#objects.get(`${this.#tenant}/${name}`)
    return object && new Uint8Array(object.bytes)
  }

  async open(name: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    const bytes = await this.read(name)
    return bytes && new Blob([bytes]).stream()
  }

  /** The latest checkpoint; undefined if nothing is sealed. */
  async latest(): Promise<TimedNote | undefined> {
    const bytes = await this.read(LATEST_NAME)
    return bytes && timedNote(Number(textOf(bytes).split('\n')[1]), textOf(bytes))
  }

  /** The first checkpoint of this size or a larger one. */
  async noteFrom(size: number): Promise<TimedNote | undefined> {
    for await (const name of this.names(CHECKPOINTS, size === 0 ? undefined : noteName(size - 1))) {
      const [found, bytes] = [noteSize(name), await this.read(name)]
      if (found !== undefined && bytes !== undefined) return timedNote(found, textOf(bytes))
    }
    return undefined
  }

  /** The largest checkpoint below a size. */
  async noteBefore(size: number): Promise<TimedNote | undefined> {
    let [low, high] = [0, size]
    let found: TimedNote | undefined
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const note = await this.noteFrom(middle)
      if (note === undefined || note.size >= size) {
        high = middle
      } else {
        found = note
        low = note.size + 1
      }
    }
    return found
  }

  /**
   * The first checkpoint of this time or a later one, by binary search over sizes: checkpoints are in the order of their times.
   *
   * @param time seconds since the epoch
   */
  async noteSince(time: number): Promise<TimedNote | undefined> {
    const latest = await this.latest()
    if (latest === undefined || latest.time < time) return undefined
    let [low, high, found] = [0, latest.size, latest]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const note = await this.noteFrom(middle)
      if (note === undefined || note.time >= time) {
        high = middle
        if (note !== undefined && note.size <= found.size) found = note
      } else {
        low = note.size + 1
      }
    }
    return found
  }
}

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** @throws TypeError for a note of another log's program */
function timedNote(size: number, text: string): TimedNote {
  const time = statedTime(text)
  if (time === undefined || !Number.isSafeInteger(size)) throw new TypeError('a checkpoint has a size and a time')
  return { size, time, text }
}
