import { crc32 } from 'node:zlib'
import { type Entry, type ZipFile, openPromise } from 'yauzl'
import { FileRefused } from './file-refused.ts'

/** One member of an archive. */
export interface ZipMember {
  readonly name: string
  /** The part of the archive that is behind after this member, from 0 to 1. */
  readonly done: number
  /**
   * The unpacked content.
   *
   * @throws FileRefused if it is damaged, encrypted, packed in another way than deflate, or has another size or checksum than the
   *   archive names
   */
  readonly content: () => AsyncIterable<Buffer>
}

/**
 * The members of a zip archive, one by one in the order of its central directory. Memory holds a part of one member, never the
 * archive.
 *
 * @throws FileRefused if this is no archive, or is damaged
 * @source PKWARE APPNOTE 6.3
 */
export async function* zipMembers(path: string): AsyncGenerator<ZipMember> {
  const archive = await openPromise(path, { autoClose: false }).catch(damaged)
  try {
    const entries = archive.eachEntry()
    for (let count = 1; ; count++) {
      const next = await entries.next().catch(damaged)
      if (next.done === true) return
      const entry: Entry = next.value
      if (entry.fileName.endsWith('/')) continue
      yield { name: entry.fileName, done: count / archive.entryCount, content: () => contentOf(archive, entry) }
    }
  } finally {
    archive.close()
  }
}

async function* contentOf(archive: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
  if (entry.isEncrypted() || !entry.canDecodeFileData()) throw new FileRefused('ARCHIVE_FORM')
  let sum = 0
  try {
    // the package compares the size, and leaves the checksum to its caller
    for await (const chunk of (await archive.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum)
      yield chunk
    }
  } catch (cause) {
    damaged(cause)
  }
  if (sum !== entry.crc32) throw new FileRefused('ARCHIVE')
}

function damaged(cause: unknown): never {
  throw new FileRefused('ARCHIVE', { cause })
}
