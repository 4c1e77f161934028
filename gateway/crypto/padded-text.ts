import { isUtf8 } from 'node:buffer'
import canonicalize from 'canonicalize'
import { Failure, IntegrityFailure } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json } from '../model/record.ts'
import { MAX_TEXT_BYTES } from '../model/record-size.ts'

const LENGTH_BYTES = 4
const SMALLEST_BUCKET = 48
const MAX_DOUBLED_BUCKET = 6144

/** A value cannot be sealed. Thrown before anything is written. */
export class ValueNotSealable extends Failure {
  override readonly name = 'ValueNotSealable'
  readonly code = 'BAD_USER_INPUT'
  readonly reason: 'TOO_LONG' | 'NOT_JSON'
  readonly path: SchemaPath | undefined
  constructor(reason: 'TOO_LONG' | 'NOT_JSON', path?: SchemaPath) {
    super('A value cannot be sealed.')
    this.reason = reason
    this.path = path
  }
}

/** Returns the bytes of the padded text for the given bytes of length and text: 48, 96, ... 6144, 12288, 18432, ... */
export function bucketFor(bytes: number): number {
  let bucket = SMALLEST_BUCKET
  while (bucket < bytes && bucket < MAX_DOUBLED_BUCKET) bucket *= 2
  return bucket >= bytes ? bucket : Math.ceil(bytes / MAX_DOUBLED_BUCKET) * MAX_DOUBLED_BUCKET
}

/**
 * `u32 length | canonical JSON (RFC 8785) | zeros up to the bucket`.
 *
 * @param path used only to name the field in the error
 * @throws ValueNotSealable if the value is not JSON or exceeds `MAX_TEXT_BYTES`
 */
export function toPaddedText(value: Json, path?: SchemaPath): Buffer {
  return toPaddedBytes(Buffer.from(canonicalText(value, path), 'utf8'), path)
}

/**
 * `u32 length | bytes | zeros up to the bucket`.
 *
 * @throws ValueNotSealable if the bytes exceed `MAX_TEXT_BYTES`
 */
export function toPaddedBytes(bytes: Uint8Array, path?: SchemaPath): Buffer {
  if (bytes.length > MAX_TEXT_BYTES) throw new ValueNotSealable('TOO_LONG', path)
  const padded = Buffer.alloc(bucketFor(LENGTH_BYTES + bytes.length))
  padded.writeUInt32BE(bytes.length)
  padded.set(bytes, LENGTH_BYTES)
  return padded
}

/**
 * Returns the value of an authenticated padded text.
 *
 * @throws IntegrityFailure if the bucket, padding or text is not in the form that `toPaddedText` makes
 */
export function fromPaddedText(padded: Buffer): Json {
  const text = fromPaddedBytes(padded)
  if (!isUtf8(text)) throw new IntegrityFailure()
  return parsed(text.toString('utf8'))
}

/** @throws IntegrityFailure if the bucket or padding is not in the form that `toPaddedBytes` makes */
export function fromPaddedBytes(padded: Buffer): Buffer {
  if (padded.length < SMALLEST_BUCKET) throw new IntegrityFailure()
  const end = LENGTH_BYTES + padded.readUInt32BE()
  if (end > LENGTH_BYTES + MAX_TEXT_BYTES || bucketFor(end) !== padded.length) throw new IntegrityFailure()
  for (let i = end; i < padded.length; i++) if (padded[i] !== 0) throw new IntegrityFailure()
  return padded.subarray(LENGTH_BYTES, end)
}

/** The maximum text of a padded text of this length, in bytes. */
export const maxTextBytes = (paddedBytes: number): number => Math.max(0, paddedBytes - LENGTH_BYTES)

/** Returns the canonical JSON of a value, RFC 8785. @throws ValueNotSealable if the value is not JSON */
export function canonicalText(value: Json, path?: SchemaPath): string {
  let text: string | undefined
  try {
    text = canonicalize(value)
  } catch {
    // `text` stays undefined
  }
  if (text === undefined) throw new ValueNotSealable('NOT_JSON', path)
  return text
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // the parser's message quotes the text, which is PHI, so it must not become the cause
    throw new IntegrityFailure()
  }
}
