import type { KeyObject } from 'node:crypto'
import { IntegrityFailure } from '../model/failures.ts'
import { hmacMatches, hmacSha256, sha256 } from './derive.ts'
import { isVersion } from './parts.ts'
import type { AadPrefix } from './record-binding.ts'

// The bytes of a record's manifest: `docs/sealed-field.md` section 6.

const FORMAT = 1
const METADATA_LENGTH_AT = 9
const METADATA_AT = 13
const DIGEST_BYTES = 16
const MAC_BYTES = 32
const MAX_PATHS = 0xffff
const MIN_BYTES = METADATA_AT + 2 + MAC_BYTES

/** Relative to the type: `birthDate`, `address.city`. */
const RELATIVE_PATH = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/

export interface ManifestContent {
  readonly recordVersion: number
  readonly keyVersion: number
  /** Still sealed. */
  readonly metadata: Uint8Array
  /** The digest of each sealed value, 16 bytes, by path relative to the type. */
  readonly digests: ReadonlyMap<string, Uint8Array>
}

/** The digest that a manifest lists: the first 16 bytes of the SHA-256 of a sealed value. */
export const sealedDigest = (sealed: Uint8Array): Buffer => sha256(sealed).subarray(0, DIGEST_BYTES)

/** @throws RangeError if a manifest cannot hold a version or a path, which is a fault of the caller and not of data */
export function encodeManifest(key: KeyObject, place: AadPrefix, content: ManifestContent): Buffer {
  const { recordVersion, keyVersion, metadata, digests } = content
  if (!isVersion(recordVersion) || !isVersion(keyVersion)) throw new RangeError('A version is out of range.')
  if (digests.size > MAX_PATHS) throw new RangeError('A record has too many fields.')
  const header = Buffer.allocUnsafe(METADATA_AT)
  header.writeUInt8(FORMAT)
  header.writeUInt32BE(recordVersion, 1)
  header.writeUInt32BE(keyVersion, 5)
  header.writeUInt32BE(metadata.length, METADATA_LENGTH_AT)
  const count = Buffer.allocUnsafe(2)
  count.writeUInt16BE(digests.size)
  const pieces: Uint8Array[] = [header, metadata, count]
  for (const [path, digest] of [...digests].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!RELATIVE_PATH.test(path) || path.length > 0xffff) throw new RangeError('A path does not belong to a record.')
    const length = Buffer.allocUnsafe(2)
    length.writeUInt16BE(path.length)
    pieces.push(length, Buffer.from(path, 'ascii'), digest)
  }
  const listed = Buffer.concat(pieces)
  return Buffer.concat([listed, hmacSha256(key, place, listed)])
}

/**
 * Returns the version of the patient key that `openManifest` needs. It is not authenticated yet.
 *
 * @throws IntegrityFailure if the bytes are not a manifest
 */
export function manifestKeyVersion(bytes: Uint8Array): number {
  if (bytes.length < MIN_BYTES || bytes[0] !== FORMAT) throw new IntegrityFailure()
  return viewOf(bytes).readUInt32BE(5)
}

/**
 * Authenticates a manifest for its place, then reads it.
 *
 * @throws IntegrityFailure if the manifest was not made for this record, or differs in form from the output of `encodeManifest`
 */
export function openManifest(key: KeyObject, place: AadPrefix, bytes: Uint8Array): ManifestContent {
  if (bytes.length < MIN_BYTES || bytes[0] !== FORMAT) throw new IntegrityFailure()
  const manifest = viewOf(bytes)
  const listed = manifest.subarray(0, -MAC_BYTES)
  if (!hmacMatches(key, manifest.subarray(-MAC_BYTES), place, listed)) throw new IntegrityFailure()

  const recordVersion = listed.readUInt32BE(1)
  const keyVersion = listed.readUInt32BE(5)
  if (!isVersion(recordVersion) || !isVersion(keyVersion)) throw new IntegrityFailure()
  const metadataEnd = METADATA_AT + listed.readUInt32BE(METADATA_LENGTH_AT)
  if (metadataEnd + 2 > listed.length) throw new IntegrityFailure()
  return {
    recordVersion,
    keyVersion,
    metadata: listed.subarray(METADATA_AT, metadataEnd),
    digests: digestsFrom(listed, metadataEnd),
  }
}

function digestsFrom(listed: Buffer, start: number): Map<string, Uint8Array> {
  const digests = new Map<string, Uint8Array>()
  const count = listed.readUInt16BE(start)
  let at = start + 2
  let before = ''
  for (let i = 0; i < count; i++) {
    if (at + 2 > listed.length) throw new IntegrityFailure()
    const pathEnd = at + 2 + listed.readUInt16BE(at)
    const next = pathEnd + DIGEST_BYTES
    if (next > listed.length) throw new IntegrityFailure()
    const path = listed.toString('latin1', at + 2, pathEnd)
    // paths ascend strictly, so that no path is listed twice with two digests
    if (path <= before || !RELATIVE_PATH.test(path)) throw new IntegrityFailure()
    digests.set(path, listed.subarray(pathEnd, next))
    before = path
    at = next
  }
  if (at !== listed.length) throw new IntegrityFailure()
  return digests
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
