import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { decodedText } from './decoded-text.ts'
import { FileRefused } from './file-refused.ts'
import { type JsonValue, jsonValues } from './json-values.ts'
import { isSource, kindOf, type SourceFile } from './source-files.ts'
import { zipMembers } from './zip.ts'

/** The largest value that is read, in characters: guards against archives that unpack without end. */
const MAX_VALUE_CHARACTERS = 200 * 1024 * 1024

/**
 * A JSON value, or a reason why a file or a line has none. `passedOver` is the kind of a member of an archive that is not read.
 * `doneBytes` is how much of all files is behind, packed as they are.
 */
export type SourceValue = { readonly name: string; readonly doneBytes: number } & (
  | JsonValue
  | { readonly reason: string }
  | { readonly passedOver: string }
)

type Content = () => AsyncIterable<Buffer>

/**
 * Reads the values of files one after the other. A file that is at fault has a reason, and the next one is read.
 *
 * @param before the bytes of the files that are behind
 * @param maxCharacters the limit for one value
 */
export async function* readValues(
  files: readonly SourceFile[],
  before = 0,
  maxCharacters: number = MAX_VALUE_CHARACTERS,
): AsyncGenerator<SourceValue> {
  for (const file of files) {
    const { path, name, bytes } = file
    const at = { name, doneBytes: before + bytes }
    try {
      const kind = await kindOfContent(path)
      if (kind === 'zip') yield* membersOf(file, before, maxCharacters)
      else {
        const content = (): AsyncIterable<Buffer> => createReadStream(path)
        const source = kind === 'gzip' ? unpacked(content) : content
        for await (const value of valuesOf(name, source, maxCharacters, kind)) yield { ...at, ...value }
      }
    } catch (failure) {
      yield { ...at, reason: refusal(failure).message }
    }
    before += bytes
  }
}

async function kindOfContent(path: string): Promise<'zip' | 'gzip' | 'plain'> {
  const file = await open(path).catch((cause: unknown) => {
    throw new FileRefused('NOT_FOUND', { cause })
  })
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    if (buffer.toString('latin1', 0, 2) === 'PK') return 'zip'
    return isGzip(buffer) ? 'gzip' : 'plain'
  } finally {
    await file.close()
  }
}

const isGzip = (head: Buffer): boolean => head[0] === 0x1f && head[1] === 0x8b
const ARCHIVE = /\.(?:zip|7z|rar|tar|tgz|tar\.gz)$/i
const LINES = /\.(?:ndjson|jsonl)(?:\.gz)?$/i

async function* membersOf({ path, name, bytes }: SourceFile, before: number, maxCharacters: number): AsyncGenerator<SourceValue> {
  let isEmpty = true
  for await (const member of zipMembers(path)) {
    const at = { name: `${name}/${member.name}`, doneBytes: before + bytes * member.done }
    if (ARCHIVE.test(member.name)) yield { ...at, reason: new FileRefused('ARCHIVE_WITHIN').message }
    else if (!isSource(member.name)) yield { ...at, passedOver: kindOf(member.name) }
    else for await (const value of valuesOf(at.name, member.content, maxCharacters, 'zip')) yield { ...at, ...value }
    isEmpty &&= !ARCHIVE.test(member.name) && !isSource(member.name)
  }
  if (isEmpty) yield { name, doneBytes: before + bytes, reason: new FileRefused('NOTHING').message }
}

/** @param kind the kind of its file. What is packed is checked before one of its lines is taken. */
async function* valuesOf(
  name: string,
  source: Content,
  maxCharacters: number,
  kind: 'zip' | 'gzip' | 'plain',
): AsyncGenerator<JsonValue | { readonly reason: string }> {
  try {
    const content = kind === 'zip' ? await unpackedMember(source) : source
    const verify = async (): Promise<void> => {
      if (kind !== 'plain') await drained(content())
    }
    yield* jsonValues(decodedText(content()), { isLines: LINES.test(name), maxCharacters, verify })
  } catch (failure) {
    yield { reason: refusal(failure).message }
  }
}

/** @throws FileRefused */
async function unpackedMember(content: Content): Promise<Content> {
  for await (const chunk of content()) return isGzip(chunk) ? unpacked(content) : content
  return content
}

const unpacked =
  (content: Content): Content =>
  () => {
    const source = Readable.from(content())
    const gunzip = createGunzip()
    // pipe() passes no error on, and one that nobody hears ends the process
    source.on('error', (failure) => gunzip.destroy(failure))
    gunzip.on('close', () => source.destroy())
    return source.pipe(gunzip) as AsyncIterable<Buffer>
  }

async function drained(content: AsyncIterable<Buffer>): Promise<void> {
  const chunks = content[Symbol.asyncIterator]()
  while ((await chunks.next()).done !== true);
}

function refusal(failure: unknown): FileRefused {
  return failure instanceof FileRefused ? failure : new FileRefused('UNREADABLE', { cause: failure })
}
