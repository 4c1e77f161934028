import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { itemText } from './item-text.ts'

/**
 * The members of a field-level record that the verifier reads. The hash covers every other member too, whatever its name: a record
 * of the export (`AuditEntry`) is one of these.
 */
export interface ChainedRecord {
  readonly tenant: string
  readonly lane: string
  /** The number of the item in its lane, from 1, without a gap. */
  readonly sequence: number
  /** The number of the record in its item, from 1, without a gap. */
  readonly index: number
  readonly format: number
  /** ISO 8601 in UTC. */
  readonly time: string
  readonly requestId: string
  /** The number of the item in its request, from 1. */
  readonly part: number
  /** In the last item of a request, and in an item with a write: the number of the request's items up to here. */
  readonly parts?: number
  /** In the first item of a lane that follows another one: `lane/last acknowledged sequence`. */
  readonly succeeds?: string
  /** Hash of the item before, 32 bytes in lower-case hex; zeros for the first item of a lane. */
  readonly prev: string
  /** Hash of the item, 32 bytes in lower-case hex. It covers all records of the item. */
  readonly hash: string
}

/** An item: the records of one request about one patient. Members other than `records` are those of its first record. */
export interface ChainedItem extends Omit<ChainedRecord, 'index'> {
  /** In the order of `index`. */
  readonly records: readonly ChainedRecord[]
}

/** The previous hash in the first item of a lane. */
export const NOTHING_BEFORE = '0'.repeat(64)

const HEX_32 = /^[0-9a-f]{64}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** The record that a JSON value is, or undefined. */
export function chainedRecord(value: unknown): ChainedRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const record = value as Partial<Record<keyof ChainedRecord, unknown>>
  const { tenant, lane, sequence, index, format, time, requestId, part, parts, succeeds, prev, hash } = record
  const texts = [tenant, lane, time, requestId, prev, hash, succeeds ?? '']
  if (!texts.every((text): text is string => typeof text === 'string')) return undefined
  if (tenant === '' || lane === '' || ![sequence, index, format, part, parts ?? 1].every(isNumber)) return undefined
  if (!TIME.test(String(time)) || Number.isNaN(Date.parse(String(time)))) return undefined
  if (!HEX_32.test(String(prev)) || !HEX_32.test(String(hash))) return undefined
  return value as ChainedRecord
}

const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1

/** The items of records in any order, each where its first record occurs. Records of one item have the same `prev` and `hash`. */
export function chainedItems(records: readonly ChainedRecord[]): ChainedItem[] {
  const groups = Map.groupBy(records, ({ tenant, lane, sequence, prev, hash }) =>
    JSON.stringify([tenant, lane, sequence, prev, hash]),
  )
  return [...groups.values()].flatMap((group) => {
    const sorted = group.toSorted((one, other) => one.index - other.index)
    const [first] = sorted
    if (first === undefined) return []
    const { tenant, lane, sequence, format, time, requestId, part, parts, succeeds, prev, hash } = first
    const place = { tenant, lane, sequence, format, time, requestId, part, prev, hash }
    return { ...place, ...(parts !== undefined && { parts }), ...(succeeds !== undefined && { succeeds }), records: sorted }
  })
}

/**
 * `SHA-256(prev, 32 raw bytes | tenant#lane/sequence, newline | text of the item)`, as lower-case hex.
 *
 * @returns undefined if the records are not exactly those of one item
 */
export function chainHash({ tenant, lane, sequence, prev, records }: ChainedItem): string | undefined {
  if (!HEX_32.test(prev) || records.some(({ index }, at) => index !== at + 1)) return undefined
  const text = itemText(records as readonly object[] as readonly Readonly<Record<string, unknown>>[])
  if (text === undefined) return undefined
  const place = utf8ToBytes(`${tenant}#${lane}/${sequence}\n`)
  return bytesToHex(sha256.create().update(hexToBytes(prev)).update(place).update(utf8ToBytes(text)).digest())
}
