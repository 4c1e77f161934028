import type { FileHandle } from 'node:fs/promises'
import { crc32, inflateRawSync } from 'node:zlib'
import { FileRefused } from './file-refused.ts'

/** One member of an archive, as its central directory has it. */
export interface ZipMember {
  readonly name: string
  readonly method: number
  readonly encrypted: boolean
  readonly crc: number
  readonly packedBytes: number
  readonly bytes: number
  readonly offset: number
}

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const LOCAL_HEADER = 0x04034b50
const END_BYTES = 22
const MAX_COMMENT = 0xffff
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024
const STORED = 0
const DEFLATED = 8

/**
 * The members of a zip archive, in the order of its central directory. Members are read one by one from the file, so that
 * memory holds one of them and never the archive; a stream reader would have to believe local headers and cannot check
 * the sums, and a flipped bit in a clinical value must not pass.
 *
 * @throws FileRefused when this is no archive, or one in a form that is not read (zip64, several volumes)
 * @source PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16
 */
export async function zipMembers(file: FileHandle): Promise<readonly ZipMember[]> {
  const { size } = await file.stat()
  const tail = await bytesAt(file, Math.max(0, size - END_BYTES - MAX_COMMENT), Math.min(size, END_BYTES + MAX_COMMENT))
  const end = tail.subarray(endOfDirectory(tail))
  const count = end.readUInt16LE(10)
  const length = end.readUInt32LE(12)
  const offset = end.readUInt32LE(16)
  if (count === 0xffff || offset === 0xffffffff || end.readUInt16LE(4) !== 0) throw new FileRefused('ARCHIVE_FORM')
  if (length > MAX_DIRECTORY_BYTES || offset + length > size) throw new FileRefused('ARCHIVE')
  const directory = await bytesAt(file, offset, length)
  const members: ZipMember[] = []
  for (let at = 0; members.length < count; ) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== DIRECTORY_ENTRY) throw new FileRefused('ARCHIVE')
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28)
    members.push({
      name: directory.toString('utf8', at + 46, nameEnd),
      method: directory.readUInt16LE(at + 10),
      encrypted: (directory.readUInt16LE(at + 8) & 1) === 1,
      crc: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    })
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return members
}

/**
 * The content of one member.
 *
 * @param maxBytes what it may have unpacked; unpacking stops there, whatever the archive says of itself
 * @throws FileRefused when it is too large, damaged, encrypted or packed in another way than deflate
 */
export async function readZipMember(file: FileHandle, member: ZipMember, maxBytes: number): Promise<Buffer> {
  if (member.encrypted || (member.method !== STORED && member.method !== DEFLATED)) throw new FileRefused('ARCHIVE_FORM')
  if (member.bytes > maxBytes || member.packedBytes > maxBytes) throw new FileRefused('TOO_LARGE')
  const header = await bytesAt(file, member.offset, 30)
  if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new FileRefused('ARCHIVE')
  const start = member.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  const packed = await bytesAt(file, start, member.packedBytes)
  const content = member.method === STORED ? packed : inflate(packed, member.bytes)
  if (content.length !== member.bytes || crc32(content) !== member.crc) throw new FileRefused('ARCHIVE')
  return content
}

function inflate(packed: Buffer, bytes: number): Buffer {
  try {
    // one byte more than promised is enough to see that the promise was false
    return inflateRawSync(packed, { maxOutputLength: bytes + 1 })
  } catch (cause) {
    throw new FileRefused('ARCHIVE', { cause })
  }
}

function endOfDirectory(tail: Buffer): number {
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) === END_OF_DIRECTORY) return at
  }
  throw new FileRefused('ARCHIVE')
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) throw new FileRefused('ARCHIVE')
    filled += bytesRead
  }
  return buffer
}
