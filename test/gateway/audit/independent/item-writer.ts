import { createHash } from 'node:crypto'
import type { AuditEntry } from '../../../../gateway/audit/entry.ts'
import type { ItemParts } from '../../../../gateway/audit/item.ts'
import type { AuditItem } from './alterations.ts'

/**
 * Writes items anew from their exported records: text, hashes and chain. Written from `docs/audit-log.md`, section "The text", alone.
 */
export function writtenAnew(items: readonly AuditItem[]): ItemParts[] {
  const ends = new Map<string, string>()
  return items
    .toSorted(([one], [other]) =>
      one?.lane === other?.lane ? sequenceOf(one) - sequenceOf(other) : laneOf(one) < laneOf(other) ? -1 : 1,
    )
    .map((item) => {
      const [record] = item
      if (record === undefined) throw new Error('an item without records')
      const { tenant, lane, sequence, user, patient } = record
      const prev = ends.get(lane) ?? '00'.repeat(32)
      const text = textOf(item)
      const hash = hashOf(record, prev, text)
      ends.set(lane, hash)
      return {
        tenant,
        lane,
        sequence,
        time: Date.parse(record.time),
        user,
        patient,
        text,
        bytes: Buffer.byteLength(text),
        prev,
        hash,
      }
    })
}

const laneOf = (record: AuditEntry | undefined): string => record?.lane ?? ''
const sequenceOf = (record: AuditEntry | undefined): number => record?.sequence ?? 0

export const hashOf = (
  { tenant, lane, sequence }: Pick<AuditEntry, 'tenant' | 'lane' | 'sequence'>,
  prev: string,
  text: string,
): string =>
  createHash('sha256').update(Buffer.from(prev, 'hex')).update(`${tenant}#${lane}/${sequence}\n`).update(text).digest('hex')

type Members = Readonly<Record<string, unknown>>
type Encoding = (value: unknown) => unknown

const plain: Encoding = (value) => value
const milliseconds: Encoding = (value) => (value === undefined ? undefined : Date.parse(value as string))
const digest: Encoding = (value) => (value === undefined ? undefined : Buffer.from(value as string, 'hex').toString('base64url'))
const ifTrue: Encoding = (value) => (value === true ? true : undefined)

/** The members of the export, with their name and encoding in the text. */
const CONTEXT: Readonly<Record<string, readonly [name: string, encoding: Encoding]>> = {
  format: ['f', plain],
  time: ['t', milliseconds],
  requestId: ['q', plain],
  traceId: ['tr', plain],
  part: ['pt', plain],
  parts: ['ps', plain],
  patient: ['p', plain],
  user: ['u', plain],
  roles: ['ro', plain],
  organization: ['or', plain],
  client: ['c', plain],
  session: ['s', plain],
  study: ['st', plain],
  authTime: ['at', milliseconds],
  mfa: ['m', ifTrue],
  app: ['ap', plain],
  appVersion: ['av', plain],
  sourceIp: ['ip', plain],
  userAgent: ['ua', plain],
  userAgentText: ['ut', plain],
  purpose: ['pu', plain],
  contract: ['ct', digest],
  operation: ['on', plain],
  operationHash: ['oh', digest],
  persisted: ['pe', ifTrue],
  policy: ['po', digest],
  succeeds: ['su', plain],
}
const HEAD: typeof CONTEXT = {
  recordType: ['rt', plain],
  origin: ['og', plain],
  basis: ['b', plain],
  basisId: ['bi', plain],
  since: ['si', milliseconds],
  limits: ['li', plain],
  listed: ['ls', ifTrue],
}
const ELSEWHERE = ['tenant', 'lane', 'sequence', 'index', 'prev', 'hash', 'recordId', 'recordVersion']
const OF_SHAPE = ['path', 'paths', 'action', 'outcome', 'view', 'reason', 'rule', 'count']

export function textOf(item: AuditItem): string {
  const heads = new Map<string, number>()
  const shapes = new Map<string, number>()
  const groups: { readonly key: string; readonly parts: readonly unknown[]; readonly shapes: number[] }[] = []
  for (const record of item as readonly (AuditEntry & Members)[]) {
    const parts = [placeOf(heads, canonical(membersOf(record, HEAD))), record.recordId ?? null, record.recordVersion ?? null]
    const key = JSON.stringify(parts)
    if (groups.at(-1)?.key !== key) groups.push({ key, parts, shapes: [] })
    groups.at(-1)?.shapes.push(placeOf(shapes, canonical(shapeOf(record))))
  }
  const [first = {}] = item as readonly object[]
  const list = (texts: ReadonlyMap<string, number>): string => `[${[...texts.keys()].join(',')}]`
  const grouped = canonical(groups.map((group) => [...group.parts, group.shapes]))
  return `{"c":${canonical(membersOf(first, CONTEXT))},"g":${grouped},"h":${list(heads)},"s":${list(shapes)}}`
}

const membersOf = (record: object, table: typeof CONTEXT): Members =>
  Object.fromEntries(Object.entries(table).map(([from, [name, encoding]]) => [name, encoding((record as Members)[from])]))

function shapeOf(record: AuditEntry & Members): unknown {
  const { path, paths, action, outcome, view, reason, rule, count, recordType } = record
  const short = (text: string): string =>
    recordType !== undefined && text.startsWith(`${recordType}.`) ? text.slice(recordType.length) : text
  const both = view === undefined ? outcome : `${outcome} ${view}`
  const known = [...Object.keys(CONTEXT), ...Object.keys(HEAD), ...ELSEWHERE, ...OF_SHAPE]
  const others = Object.fromEntries(Object.entries(record).filter(([name]) => !known.includes(name)))
  const shape = {
    ...others,
    p: short(path),
    ps: paths?.map(short),
    a: action === 'READ' ? undefined : action,
    o: both === 'DISCLOSED FULL' ? undefined : both,
    re: reason,
    ru: rule === `${path}#1` ? undefined : rule === undefined ? null : rule.startsWith(`${path}#`) ? rule.slice(path.length) : rule,
    n: count,
  }
  return Object.entries(shape).every(([name, value]) => name === 'p' || value === undefined) ? shape.p : shape
}

function placeOf(places: Map<string, number>, text: string): number {
  const place = places.get(text) ?? places.size
  places.set(text, place)
  return place
}

/** RFC 8785, for values without undefined members and with numbers that are integers. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  // names are sorted by their UTF-16 code units, as `<` compares them
  const sorted = members.toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `{${sorted.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}
