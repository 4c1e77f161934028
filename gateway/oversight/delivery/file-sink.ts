import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { positionText } from '../../audit/verify/layout.ts'
import type { Batch, BatchPlace } from './batch.ts'
import type { Sent, Sink } from './sink.ts'

/** Unfinished files. No name in it ends in `.ndjson`, and no tenant has its name. */
const UNFINISHED = '.unfinished'

/**
 * Batches as files of one folder: `<tenant>/<from>-<to>.<part>-<parts>.ndjson`. A file has its name only when it is whole and on the disk. A
 * batch that is sent again replaces its file, or makes it anew if the receiver took it away.
 */
export class FileSink implements Sink {
  readonly #folder: string

  /** @param folder absolute path, created with the first file. Only its owner can read it */
  constructor(folder: string) {
    this.#folder = folder
  }

  async send(tenant: string, batches: readonly Batch[]): Promise<Sent> {
    let acknowledged = 0
    try {
      for (const batch of batches) {
        await this.#write(join(this.#folder, tenant, fileName(batch)), batch.bytes)
        acknowledged++
      }
      return { acknowledged }
    } catch (cause) {
      return { acknowledged, cause }
    }
  }

  async #write(file: string, bytes: Uint8Array): Promise<void> {
    const unfinished = join(this.#folder, UNFINISHED, randomUUID())
    for (const path of [file, unfinished]) await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    try {
      await synced(unfinished, 'wx', (handle) => handle.writeFile(bytes))
      await rename(unfinished, file)
    } finally {
      await rm(unfinished, { force: true })
    }
    // the name is durable with its folder
    await synced(dirname(file), 'r')
  }
}

async function synced(
  path: string,
  flags: 'r' | 'wx',
  work?: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const handle = await open(path, flags, 0o600)
  try {
    await work?.(handle)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const fileName = ({ from, to, part, parts }: BatchPlace): string =>
  `${positionText(from)}-${positionText(to)}.${part}-${parts}.ndjson`
