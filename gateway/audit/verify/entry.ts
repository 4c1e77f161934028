import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import canonicalize from 'canonicalize'

/**
 * What the verifier reads of an audit record. The hash covers every other member too, whatever its name: a record of the
 * export (`AuditEntry`) is one of these.
 */
export interface ChainedEntry {
  readonly tenant: string
  readonly lane: string
  /** From 1, without a gap. */
  readonly sequence: number
  /** ISO 8601 in UTC. */
  readonly time: string
  /** In the first record of a lane that follows a retired one: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  /** 32 bytes, lower-case hex. */
  readonly prev: string
  /** 32 bytes, lower-case hex. */
  readonly hash: string
}

/** What the first record of a lane has before it. */
export const NOTHING_BEFORE = '0'.repeat(64)

const HEX_32 = /^[0-9a-f]{64}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** The entry that a JSON value is, or undefined. */
export function chainedEntry(value: unknown): ChainedEntry | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const entry = value as Partial<Record<keyof ChainedEntry, unknown>>
  const { tenant, lane, sequence, time, succeeds, prev, hash } = entry
  const texts = [tenant, lane, time, prev, hash, succeeds ?? '']
  if (!texts.every((text): text is string => typeof text === 'string')) return undefined
  if (tenant === '' || lane === '' || !Number.isSafeInteger(sequence) || Number(sequence) < 1) return undefined
  if (!TIME.test(String(time)) || Number.isNaN(Date.parse(String(time)))) return undefined
  if (!HEX_32.test(String(prev)) || !HEX_32.test(String(hash))) return undefined
  return value as ChainedEntry
}

/**
 * `SHA-256(prev, 32 raw bytes | RFC 8785 JSON of the entry without prev and hash)`, as lower-case hex; undefined where the
 * entry has no such form.
 */
export function chainHash(entry: ChainedEntry): string | undefined {
  const { prev } = entry
  if (!HEX_32.test(prev)) return undefined
  // what is undefined is no member of the JSON
  const text = canonical({ ...entry, prev: undefined, hash: undefined })
  if (text === undefined) return undefined
  return bytesToHex(sha256.create().update(hexToBytes(prev)).update(utf8ToBytes(text)).digest())
}

function canonical(content: object): string | undefined {
  try {
    return canonicalize(content)
  } catch {
    // half of a surrogate pair, a number that is none: no JSON text means that
    return undefined
  }
}
