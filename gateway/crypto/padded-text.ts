import { isUtf8 } from 'node:buffer'
import canonicalize from 'canonicalize'
import { Failure, IntegrityFailure } from '../model/failures.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Json } from '../model/record.ts'

/** The longest text of a value, in bytes of UTF-8: DynamoDB's item of 400 KB has to hold more than one. */
export const MAX_TEXT_BYTES = 200 * 1024

const LENGTH_BYTES = 4
const SMALLEST_BUCKET = 48
const MAX_DOUBLED_BUCKET = 6144

/** A value that cannot be sealed, refused before anything is written. */
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

/** The size of the padded text, in bytes, for so many bytes of length and text: 48, 96, ... 6144, 12288, 18432, ... */
export function bucketFor(bytes: number): number {
  let bucket = SMALLEST_BUCKET
  while (bucket < bytes && bucket < MAX_DOUBLED_BUCKET) bucket *= 2
  return bucket >= bytes ? bucket : Math.ceil(bytes / MAX_DOUBLED_BUCKET) * MAX_DOUBLED_BUCKET
}

/**
 * `u32 length | canonical JSON (RFC 8785) | zeros up to the bucket`.
 *
 * @param path names the field in the error, nothing else
 * @throws ValueNotSealable when it is no JSON or over `MAX_TEXT_BYTES`
 */
export function toPaddedText(value: Json, path?: SchemaPath): Buffer {
  return toPaddedBytes(Buffer.from(canonicalText(value, path), 'utf8'), path)
}

/**
 * `u32 length | bytes | zeros up to the bucket`.
 *
 * @throws ValueNotSealable over `MAX_TEXT_BYTES`
 */
export function toPaddedBytes(bytes: Uint8Array, path?: SchemaPath): Buffer {
  if (bytes.length > MAX_TEXT_BYTES) throw new ValueNotSealable('TOO_LONG', path)
  const padded = Buffer.alloc(bucketFor(LENGTH_BYTES + bytes.length))
  padded.writeUInt32BE(bytes.length)
  padded.set(bytes, LENGTH_BYTES)
  return padded
}

/**
 * The value in a padded text that has been authenticated.
 *
 * @throws IntegrityFailure when bucket, padding or text are not what `toPaddedText` makes
 */
export function fromPaddedText(padded: Buffer): Json {
  const text = fromPaddedBytes(padded)
  if (!isUtf8(text)) throw new IntegrityFailure()
  return parsed(text.toString('utf8'))
}

/** @throws IntegrityFailure when bucket or padding are not what `toPaddedBytes` makes */
export function fromPaddedBytes(padded: Buffer): Buffer {
  if (padded.length < SMALLEST_BUCKET) throw new IntegrityFailure()
  const end = LENGTH_BYTES + padded.readUInt32BE()
  if (end > LENGTH_BYTES + MAX_TEXT_BYTES || bucketFor(end) !== padded.length) throw new IntegrityFailure()
  for (let i = end; i < padded.length; i++) if (padded[i] !== 0) throw new IntegrityFailure()
  return padded.subarray(LENGTH_BYTES, end)
}

/** The canonical JSON of a value, RFC 8785. @throws ValueNotSealable when it is no JSON */
export function canonicalText(value: Json, path?: SchemaPath): string {
  let text: string | undefined
  try {
    text = canonicalize(value)
  } catch {
    // below
  }
  if (text === undefined) throw new ValueNotSealable('NOT_JSON', path)
  return text
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // the parser's message quotes the text, which is PHI: it must not travel as a cause
    throw new IntegrityFailure()
  }
}
