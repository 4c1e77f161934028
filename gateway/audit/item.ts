import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { AuditEntry, ItemAddress } from './entry.ts'
import { recordsOf } from './verify/item-text.ts'

/** An item of the audit table: the records of one request about one patient. `docs/audit-log.md`, section "An item". */
export type Item = Record<string, AttributeValue>

/**
 * Spreads one patient or user over several index partitions: a popular patient or a bulk reader must not throttle other requests.
 * Readers merge all shards. The number may grow and must never shrink.
 */
export const INDEX_SHARDS = 8

/** The two indexes, each with time as its sort key. */
export const AUDIT_INDEX = {
  patient: { name: 'byPatient', key: 'gp' },
  user: { name: 'byUser', key: 'gu' },
} as const

/** DynamoDB bills writes by the KiB. An item of a whole number of KiB reveals nothing by its length within one. */
const UNIT_BYTES = 1_024
/** Attribute names but `gp`, and the values of one length: sequence (8), two hashes (32 each). */
const FIXED_BYTES = 1 + 1 + 8 + 2 + 2 + 1 + 1 + 32 + 2 + 32 + 1

const HASH_BYTES = 32

export const laneKey = (tenant: string, lane: string): string => `${tenant}#${lane}`
export const sequenceKey = (sequence: number): string => String(sequence).padStart(8, '0')
export const indexKey = (tenant: string, subject: string, shard: number): string => `${tenant}#${subject}#${shard}`
/** The partition of the registry of lanes for an hour, `2026-11-28T17`. No lane has such a name. */
export const registryKey = (tenant: string, hour: string): string => `${tenant}#LANES#${hour}`

/** The parts of an item that are stored beside its text. */
export interface ItemParts extends ItemAddress {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly user: string
  readonly patient: string | undefined
  readonly text: string
  /** The length that the item is padded for, at least that of its text. */
  readonly bytes: number
  readonly prev: string
  readonly hash: string
}

/** The item, padded to a whole number of KiB. */
export function toItem({ tenant, lane, sequence, time, user, patient, text, bytes, prev, hash }: ItemParts): Item {
  const shard = createHash('sha256').update(lane).update(String(sequence)).digest().readUInt32BE(0) % INDEX_SHARDS
  const l = laneKey(tenant, lane)
  const gu = indexKey(tenant, user, shard)
  const gp = patient === undefined ? undefined : indexKey(tenant, patient, shard)
  const patientBytes = gp === undefined ? 0 : 2 + Buffer.byteLength(gp)
  const size = FIXED_BYTES + numberBytes(time) + Buffer.byteLength(l) + Buffer.byteLength(gu) + patientBytes + bytes
  const padding = Math.ceil(size / UNIT_BYTES) * UNIT_BYTES - size + bytes - Buffer.byteLength(text)
  return {
    l: { S: l },
    n: { S: sequenceKey(sequence) },
    at: { N: String(time) },
    gu: { S: gu },
    ...(gp !== undefined && { gp: { S: gp } }),
    e: { S: text },
    pv: { B: Buffer.from(prev, 'hex') },
    h: { B: Buffer.from(hash, 'hex') },
    z: { S: ' '.repeat(padding) },
  }
}

/** DynamoDB takes a byte for two digits and one more. Zeros at the end are no digits: one time in ten is shorter than the others. */
const numberBytes = (number: number): number => 1 + Math.ceil(String(number).replace(/0+$/, '').length / 2)

/** The write units of an item in a transaction: two a KiB, and one for each index. */
export function writeUnits(bytes: number, indexes: number): number {
  return 2 * Math.ceil(bytes / UNIT_BYTES) + indexes
}

/** The records of an item. A malformed item throws a TypeError, which a reader reports with the item's key. */
export function entriesOf(item: Item): AuditEntry[] {
  const address = { ...laneOf(text(item, 'l')), sequence: sequenceOf(text(item, 'n')) }
  const chain = { prev: hex(item, 'pv'), hash: hex(item, 'h') }
  return recordsOf(text(item, 'e')).map(
    (record, at) => ({ ...address, index: at + 1, ...record, ...chain }) as unknown as AuditEntry,
  )
}

function text(item: Item, name: string): string {
  const value = item[name]?.S
  if (value === undefined) throw new TypeError(`an audit item has no ${name}`)
  return value
}

function hex(item: Item, name: string): string {
  const value = item[name]?.B
  if (value?.length !== HASH_BYTES) throw new TypeError(`an audit item has no ${name} of 32 bytes`)
  return Buffer.from(value).toString('hex')
}

/** The tenant and the lane of a partition key. @throws TypeError */
export function laneOf(key: string): Pick<ItemAddress, 'tenant' | 'lane'> {
  // neither part has the separator: a tenant is a name of letters, digits and -, a lane is base64url and a number
  const [tenant = '', lane = '', ...more] = key.split('#')
  if (tenant === '' || lane === '' || more.length > 0) throw new TypeError('an audit item has a malformed l')
  return { tenant, lane }
}

/** The number of a sort key. @throws TypeError */
export function sequenceOf(key: string): number {
  const sequence = Number(key)
  if (!Number.isSafeInteger(sequence) || sequence < 1 || sequenceKey(sequence) !== key)
    throw new TypeError('an audit item has a malformed n')
  return sequence
}
