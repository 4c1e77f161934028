import type { AccessRecord } from '../model/access-record.ts'
import type { AuditContext } from './entry.ts'
import { ITEM_FORMAT, MOST_FREQUENT_OUTCOME } from './verify/item-members.ts'

/** The members of an item's context that the request does not know. */
export interface ItemPosition {
  /** Milliseconds since the epoch. */
  readonly time: number
  readonly patient?: string
  readonly part: number
  readonly parts?: number
  readonly succeeds?: string
  readonly userAgent?: string
  readonly userAgentText?: string
}

/**
 * Encodes the records of one item into its text, one record at a time: RFC 8785 JSON, with members in a fixed order.
 *
 * Records of one FHIR record and basis form a group. Equal heads and equal shapes occur once, in the order of the groups: a server
 * resolves field by field, so the records of one group do not come one after the other. `itemText` of `verify/item-text.ts` computes
 * the same bytes from an export.
 */
export class ItemEncoder {
  readonly #heads = new Table()
  /** The distinct shapes, in the order in which they came. */
  readonly #shapes = new Table()
  readonly #groups = new Map<string, { readonly at: string; readonly shapes: string[] }>()
  /** The group of the record before, and that record: the fields of one record mostly come one after the other. */
  #latest: { readonly record: AccessRecord; readonly shapes: string[] } | undefined
  #groupBytes = 0
  #records = 0

  /** The length of the records in the text, in bytes, at most. */
  get bytes(): number {
    return this.#groupBytes + this.#records * (digits(this.#shapes.size) + 1) + this.#heads.bytes + this.#shapes.bytes
  }

  add(record: AccessRecord): void {
    const shape = shapeText(record)
    this.#shapes.place(shape)
    const known = this.#latest
    const shapes = known !== undefined && inOneGroup(known.record, record) ? known.shapes : this.#shapesOf(record)
    shapes.push(shape)
    this.#latest = { record, shapes }
    this.#records++
  }

  #shapesOf(record: AccessRecord): string[] {
    const recordId = wellFormed(record.recordId)
    const head = this.#heads.place(headText(record))
    const at = `${head},${recordId === undefined ? 'null' : JSON.stringify(recordId)},${record.recordVersion ?? 'null'}`
    let group = this.#groups.get(at)
    if (group === undefined) {
      group = { at, shapes: [] }
      this.#groups.set(at, group)
      this.#groupBytes += Buffer.byteLength(at) + GROUP_BYTES
    }
    return group.shapes
  }

  /** The members of the text after the context. */
  text(): string {
    const shapes = new Table()
    const groups = [...this.#groups.values()].map(
      ({ at, shapes: ofGroup }) => `[${at},[${ofGroup.map((shape) => shapes.place(shape)).join(',')}]]`,
    )
    return `"g":[${groups.join(',')}],"h":[${this.#heads.text}],"s":[${shapes.text}]`
  }
}

/** Whether two records have the same group for certain: the same members, and the same object of limits. */
const inOneGroup = (one: AccessRecord, other: AccessRecord): boolean =>
  one.recordId === other.recordId &&
  one.recordVersion === other.recordVersion &&
  one.recordType === other.recordType &&
  one.basis === other.basis &&
  one.basisId === other.basisId &&
  one.since === other.since &&
  one.limits === other.limits &&
  one.listed === other.listed &&
  one.origin === other.origin

/** `[,[]],` around a group. */
const GROUP_BYTES = 6

/** Distinct texts, in the order of their first use. */
class Table {
  readonly #places = new Map<string, number>()
  bytes = 0

  get size(): number {
    return this.#places.size
  }

  place(text: string): number {
    const known = this.#places.get(text)
    if (known !== undefined) return known
    const place = this.#places.size
    this.#places.set(text, place)
    this.bytes += Buffer.byteLength(text) + 1
    return place
  }

  get text(): string {
    return [...this.#places.keys()].join(',')
  }
}

const digits = (number: number): number => (number < 10 ? 1 : number < 100 ? 2 : String(number).length)

// The members of each object are in the order of their names: RFC 8785, section 3.2.3. JSON.stringify leaves out undefined ones.

function shapeText({ action, count, filter, finding, outcome, path, paths, reason, recordType, rule, view }: AccessRecord): string {
  const o = view === undefined ? outcome : `${outcome} ${view}`
  const p = shortPath(path, recordType)
  const isUsual = action === 'READ' && count === undefined && o === MOST_FREQUENT_OUTCOME && paths === undefined
  if (isUsual && filter === undefined && finding === undefined && reason === undefined && rule === `${path}#1`)
    return JSON.stringify(p)
  return JSON.stringify({
    a: action === 'READ' ? undefined : action,
    filter: wellFormed(filter),
    finding: wellFormed(finding),
    n: count,
    o: o === MOST_FREQUENT_OUTCOME ? undefined : o,
    p,
    ps: paths?.map((one) => shortPath(one, recordType)),
    re: reason,
    ru: rule === `${path}#1` ? undefined : rule === undefined ? null : rule.startsWith(`${path}#`) ? rule.slice(path.length) : rule,
  })
}

function headText({ basis, basisId, limits, listed, origin, recordType, since }: AccessRecord): string {
  return JSON.stringify({
    b: basis,
    bi: wellFormed(basisId),
    li: limits?.map(({ categories, labeled }) => ({ categories, labeled })),
    ls: listed === true ? true : undefined,
    og: wellFormed(origin),
    rt: recordType,
    si: since,
  })
}

/** The length of a context in the text, in bytes, at most: without a patient and without the text of a user agent. */
export const contextBytes = (context: AuditContext): number =>
  Buffer.byteLength(contextText(context, { time: 10 ** 12, part: 10 ** 4, parts: 10 ** 4, userAgent: ' '.repeat(11) }))

export function contextText(context: AuditContext, position: ItemPosition): string {
  return JSON.stringify({
    ap: wellFormed(context.app),
    at: context.authTime,
    av: wellFormed(context.appVersion),
    c: wellFormed(context.client),
    ct: base64url(context.contract),
    f: ITEM_FORMAT,
    ip: wellFormed(context.sourceIp),
    m: context.mfa === true ? true : undefined,
    oh: base64url(context.operationHash),
    on: wellFormed(context.operation),
    or: wellFormed(context.organization),
    p: wellFormed(position.patient),
    pe: context.persisted ? true : undefined,
    po: base64url(context.policy),
    ps: position.parts,
    pt: position.part,
    pu: context.purpose,
    q: context.requestId,
    ro: context.roles.map(wellFormed),
    s: wellFormed(context.session),
    st: wellFormed(context.study),
    su: position.succeeds,
    t: position.time,
    tr: wellFormed(context.traceId),
    u: wellFormed(context.user),
    ua: position.userAgent,
    ut: position.userAgentText,
  })
}

const shortPath = (path: string, type: string | undefined): string =>
  type !== undefined && path.startsWith(`${type}.`) ? path.slice(type.length) : path

const base64url = (hex: string | undefined): string | undefined =>
  hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('base64url')

/** Half of a surrogate pair has no canonical JSON, and UTF-8 would store another character. */
const wellFormed = (text: string | undefined): string | undefined => text?.toWellFormed()
