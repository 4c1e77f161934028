import { createReadStream } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import type { LogSource } from '../gateway/audit/verify/log-source.ts'

/** The files of an export. */
export class ExportFolder implements LogSource {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async *names(prefix: string): AsyncIterable<string> {
    const files = await readdir(join(this.#folder, prefix), { recursive: true, withFileTypes: true }).catch(nothing)
    for (const file of files ?? [])
      if (file.isFile()) yield relative(this.#folder, join(file.parentPath, file.name)).replaceAll('\\', '/')
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = await readFile(join(this.#folder, name)).catch(nothing)
    return bytes && new Uint8Array(bytes)
  }

  async open(name: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
    const file = createReadStream(join(this.#folder, name), { highWaterMark: 262_144 })
    const opened = await new Promise<boolean>((resolve, reject) => {
      file.once('open', () => resolve(true))
      file.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') resolve(false)
        else reject(error)
      })
    })
    return opened ? (Readable.toWeb(file) as ReadableStream<Uint8Array<ArrayBuffer>>) : undefined
  }

  /** Writes a new file. Only its owner can read it: it holds the accesses to patients. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const file = join(this.#folder, name)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(file, bytes, { flag: 'wx', mode: 0o600 })
  }
}

function nothing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
}
