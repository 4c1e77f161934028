import { createHash, randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailable } from '../model/failures.ts'
import { type ObjectStore, type PutCondition, requireObjectName, type StoredObject } from '../model/object-store.ts'

/** Unfinished writes and locks are here. No object has such a name, because names do not begin with `~`. */
const UNFINISHED = '~unfinished'
const LOCK_ATTEMPTS = 200
const LOCK_PAUSE_MS = 5

/**
 * Objects as files of one folder, for one machine. A write is atomic and conditional as in S3. Nothing protects the files against
 * their owner: the protection of a log needs a bucket with Object Lock.
 */
export class FolderObjects implements ObjectStore {
  readonly #folder: string

  /** @param folder absolute path, created with the first object */
  constructor(folder: string) {
    this.#folder = folder
  }

  async put(name: string, bytes: Uint8Array, condition?: PutCondition): Promise<'STORED' | 'KEPT'> {
    requireObjectName(name)
    return await guarded(async () => {
      const file = join(this.#folder, name)
      const unfinished = await this.#write(bytes)
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 })
        if (condition === undefined) await rename(unfinished, file)
        else if (condition.onlyIf === 'ABSENT') return await linked(unfinished, file)
        else return await this.#replace(name, unfinished, condition.onlyIf.version)
        return 'STORED'
      } finally {
        await rm(unfinished, { force: true })
      }
    })
  }

  async get(name: string): Promise<StoredObject | undefined> {
    requireObjectName(name)
    return await guarded(async () => {
      const bytes = await readFile(join(this.#folder, name)).catch(absent)
      return bytes && { bytes, version: versionOf(bytes) }
    })
  }

  async *list(prefix: string, after = ''): AsyncIterable<string> {
    // a folder of a tenant holds a year of files at most in tests: sorting all of them is fast enough for one machine
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    const names = await guarded(async () => {
      const entries = await readdir(join(this.#folder, folder), { recursive: true, withFileTypes: true }).catch(absent)
      const files = (entries ?? []).filter((entry) => entry.isFile() && !entry.parentPath.includes(UNFINISHED))
      return files.map((file) =>
        join(file.parentPath, file.name)
          .slice(this.#folder.length + 1)
          .replaceAll('\\', '/'),
      )
    })
    yield* names.filter((name) => name.startsWith(prefix) && name > after).sort()
  }

  async #write(bytes: Uint8Array): Promise<string> {
    const folder = join(this.#folder, UNFINISHED)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, randomUUID())
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(bytes)
      // a name must never lead to half an object, not even after a power failure
      await handle.sync()
    } finally {
      await handle.close()
    }
    return file
  }

  /** Under a lock, because no file system compares and replaces in one step. */
  async #replace(name: string, unfinished: string, version: string): Promise<'STORED' | 'KEPT'> {
    const lock = join(this.#folder, UNFINISHED, `${createHash('sha256').update(name).digest('hex')}.lock`)
    for (let attempt = 1; (await linked(unfinished, lock)) === 'KEPT'; attempt++) {
      // the lock of a process that was killed: a replacement takes milliseconds
      if (attempt % LOCK_ATTEMPTS === 0) await rm(lock, { force: true })
      await sleep(LOCK_PAUSE_MS)
    }
    try {
      const stored = await this.get(name)
      if (stored?.version !== version) return 'KEPT'
      await rename(unfinished, join(this.#folder, name))
      return 'STORED'
    } finally {
      await rm(lock, { force: true })
    }
  }
}

const versionOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A link fails if its name exists; a rename would replace it. */
async function linked(from: string, to: string): Promise<'STORED' | 'KEPT'> {
  try {
    await link(from, to)
    return 'STORED'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'KEPT'
    throw error
  }
}

function absent(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new StoreUnavailable({ cause })
  }
}
