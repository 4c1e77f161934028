import { createReadStream } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { FileRefused } from './file-refused.ts'
import { readZipMember, zipMembers } from './zip.ts'

/** The largest bundle that is unpacked, in bytes: guards against archives that unpack without end. */
const MAX_BUNDLE_BYTES = 200 * 1024 * 1024

const BUNDLE_FILE = /\.(?:json|gz|zip)$/i
const JSON_MEMBER = /\.json$/i

/** A file's text, or why it cannot be had. `doneBytes` is how much of all `sourceFiles` is behind, packed as they are. */
export type BundleFile = { readonly name: string; readonly doneBytes: number } & (
  | { readonly text: string }
  | { readonly reason: string }
)

export interface SourceFile {
  readonly path: string
  /** The path as given, or below the directory that was given. */
  readonly name: string
  readonly bytes: number
}

/**
 * The files behind some paths: each file itself, and of a directory all `.json`, `.gz` and `.zip` below it, sorted, links
 * not followed. What cannot be opened stays in the list and fails when it is read.
 */
export async function sourceFiles(paths: readonly string[]): Promise<readonly SourceFile[]> {
  const files: SourceFile[] = []
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory()) files.push(...(await filesBelow(path)))
    else files.push({ path, name: basename(path), bytes: found?.size ?? 0 })
  }
  return files
}

async function filesBelow(directory: string): Promise<SourceFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && BUNDLE_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  return Promise.all(
    paths.map(async (path) => ({ path, name: path.slice(join(directory, '/').length), bytes: (await stat(path)).size })),
  )
}

/**
 * The bundles of some files, one at a time: memory holds one of them. Whether a file is an archive is seen from its first
 * bytes. A file or member that cannot be read is given with its reason, and the next one follows.
 *
 * @param maxBytes what one bundle may have unpacked
 */
export async function* readBundles(files: readonly SourceFile[], maxBytes = MAX_BUNDLE_BYTES): AsyncGenerator<BundleFile> {
  let before = 0
  for (const { path, name, bytes } of files) {
    try {
      for await (const { member, content, done } of contents(path, maxBytes)) {
        const place = { name: member === undefined ? name : `${name}/${member}`, doneBytes: before + bytes * done }
        yield { ...place, ...(content instanceof FileRefused ? { reason: content.message } : textOf(content)) }
      }
    } catch (failure) {
      yield { name, doneBytes: before + bytes, reason: refusal(failure).message }
    }
    before += bytes
  }
}

/** `done` is the part of the file that is behind, from 0 to 1. */
interface Content {
  readonly member?: string
  readonly content: Buffer | FileRefused
  readonly done: number
}

async function* contents(path: string, maxBytes: number): AsyncGenerator<Content> {
  const file = await open(path).catch((cause: unknown) => {
    throw new FileRefused('NOT_FOUND', { cause })
  })
  try {
    const { buffer: magic } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (magic.readUInt16BE(0) === 0x504b) yield* membersOf(file, maxBytes)
    else if (magic.readUInt16BE(0) === 0x1f8b) yield { content: await collect(unpacked(path), maxBytes), done: 1 }
    else yield { content: await collect(createReadStream(path), maxBytes), done: 1 }
  } finally {
    await file.close()
  }
}

async function* membersOf(file: FileHandle, maxBytes: number): AsyncGenerator<Content> {
  const members = (await zipMembers(file)).filter(({ name }) => JSON_MEMBER.test(name))
  for (const [index, member] of members.entries()) {
    const content = await readZipMember(file, member, maxBytes).catch(refusal)
    yield { member: member.name, content, done: (index + 1) / members.length }
  }
}

function unpacked(path: string): Readable {
  const source = createReadStream(path)
  const gunzip = createGunzip()
  // pipe() passes no error on, and one that nobody hears ends the process
  source.on('error', (failure) => gunzip.destroy(failure))
  return source.pipe(gunzip)
}

async function collect(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new FileRefused('TOO_LARGE')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function textOf(content: Buffer): { text: string } | { reason: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content) }
  } catch (cause) {
    return { reason: new FileRefused('NOT_TEXT', { cause }).message }
  }
}

function refusal(failure: unknown): FileRefused {
  return failure instanceof FileRefused ? failure : new FileRefused('UNREADABLE', { cause: failure })
}
