import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { createHash } from 'node:crypto'
import type { AuditEntry } from './entry.ts'

/**
 * How an entry lies in the table: short names, binary hashes, nothing twice, so that it stays below 1 KiB and costs two write
 * units in its transaction and one for each index. The names that people read are those of `AuditEntry`.
 */
export type Item = Record<string, AttributeValue>

/**
 * Spreads one patient, user or field over several index partitions: a popular field or a bulk reader must not throttle
 * everybody. Readers merge all shards; the number may grow and must never shrink.
 */
export const INDEX_SHARDS = 8

/** The three indexes, each with time as its sort key. */
export const AUDIT_INDEX = {
  patient: { name: 'byPatient', key: 'gp' },
  user: { name: 'byUser', key: 'gu' },
  path: { name: 'byPath', key: 'gf' },
} as const

export const laneKey = (tenant: string, lane: string): string => `${tenant}#${lane}`
export const sequenceKey = (sequence: number): string => String(sequence).padStart(12, '0')
export const indexKey = (tenant: string, subject: string, shard: number): string => `${tenant}#${subject}#${shard}`
/** Where the lanes of a tenant are registered; no lane is called so. */
export const LANES = 'LANES'

/** Text attributes by their short name. */
const TEXT = {
  q: 'requestId',
  tr: 'traceId',
  or: 'organization',
  c: 'client',
  s: 'session',
  st: 'study',
  ip: 'sourceIp',
  ua: 'userAgent',
  ut: 'userAgentText',
  rt: 'recordType',
  ri: 'recordId',
  a: 'action',
  v: 'view',
  o: 'outcome',
  re: 'reason',
  ru: 'rule',
  b: 'basis',
  w: 'purpose',
  on: 'operation',
  su: 'succeeds',
} as const satisfies Record<string, keyof AuditEntry>
const LISTS = { ro: 'roles', ps: 'paths' } as const satisfies Record<string, keyof AuditEntry>
const NUMBERS = { rv: 'recordVersion', ct: 'count' } as const satisfies Record<string, keyof AuditEntry>
const HASHES = { oh: 'operationHash', po: 'policy', pv: 'prev', h: 'hash' } as const satisfies Record<string, keyof AuditEntry>

export function toItem(entry: AuditEntry): Item {
  const shard = createHash('sha256').update(entry.lane).update(String(entry.sequence)).digest().readUInt32BE(0) % INDEX_SHARDS
  const item: Item = {
    l: { S: laneKey(entry.tenant, entry.lane) },
    n: { S: sequenceKey(entry.sequence) },
    at: { N: String(Date.parse(entry.time)) },
    gu: { S: indexKey(entry.tenant, entry.user, shard) },
    gf: { S: indexKey(entry.tenant, entry.path, shard) },
    p: { BOOL: entry.persisted },
  }
  if (entry.patient !== undefined) item['gp'] = { S: indexKey(entry.tenant, entry.patient, shard) }
  for (const [short, name] of Object.entries(TEXT)) {
    const text = entry[name]
    if (text !== undefined) item[short] = { S: text }
  }
  for (const [short, name] of Object.entries(LISTS)) {
    const list = entry[name]
    if (list !== undefined) item[short] = { S: list.map((part) => shortened(part, entry.recordType)).join(' ') }
  }
  for (const [short, name] of Object.entries(NUMBERS)) {
    const number = entry[name]
    if (number !== undefined) item[short] = { N: String(number) }
  }
  for (const [short, name] of Object.entries(HASHES)) {
    const hex = entry[name]
    if (hex !== undefined) item[short] = { B: Buffer.from(hex, 'hex') }
  }
  return item
}

/** The entry of an item; a malformed item throws a TypeError, which a reader reports with the item's key. */
export function fromItem(item: Item): AuditEntry {
  const [tenant, lane] = splitOnce(text(item, 'l'))
  const patient = item['gp']?.S
  const entry: Record<string, unknown> = {
    tenant,
    lane,
    sequence: Number(text(item, 'n')),
    time: new Date(Number(item['at']?.N)).toISOString(),
    user: subject(text(item, 'gu'), tenant),
    path: subject(text(item, 'gf'), tenant),
    persisted: item['p']?.BOOL ?? false,
    ...(patient !== undefined && { patient: subject(patient, tenant) }),
  }
  for (const [short, name] of Object.entries(TEXT)) if (item[short]?.S !== undefined) entry[name] = item[short].S
  for (const [short, name] of Object.entries(LISTS)) {
    const list = item[short]?.S
    if (list !== undefined) entry[name] = list === '' ? [] : list.split(' ').map((part) => lengthened(part, item['rt']?.S))
  }
  for (const [short, name] of Object.entries(NUMBERS)) if (item[short]?.N !== undefined) entry[name] = Number(item[short].N)
  for (const [short, name] of Object.entries(HASHES)) {
    const bytes = item[short]?.B
    if (bytes !== undefined) entry[name] = Buffer.from(bytes).toString('hex')
  }
  return entry as unknown as AuditEntry
}

function text(item: Item, name: string): string {
  const value = item[name]?.S
  if (value === undefined) throw new TypeError(`an audit item lacks ${name}`)
  return value
}

/** The paths of a record that was written all begin with its type, which stands there already. */
function shortened(part: string, recordType: string | undefined): string {
  return recordType !== undefined && part.startsWith(`${recordType}.`) ? part.slice(recordType.length) : part
}

const lengthened = (part: string, recordType: string | undefined): string =>
  part.startsWith('.') ? `${recordType ?? ''}${part}` : part

function splitOnce(key: string): [string, string] {
  const at = key.indexOf('#')
  return [key.slice(0, at), key.slice(at + 1)]
}

/** Between the tenant and the shard stands the subject, which may itself hold the separator. */
function subject(key: string, tenant: string): string {
  return key.slice(tenant.length + 1, key.lastIndexOf('#'))
}
