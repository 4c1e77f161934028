import canonicalize from 'canonicalize'
import { CONTEXT, HEAD, ITEM_FORMAT, MOST_FREQUENT_OUTCOME, OUTCOME, SHAPE } from './item-members.ts'
import { asText, longPath, longValue, type RecordNames, shortValue } from './member-forms.ts'

/** A field-level record as an export has it, without its address and its place in the chain. */
export type RecordMembers = Readonly<Record<string, unknown>>

type Members = Readonly<Record<string, unknown>>
/** A shape that has only a path is the path. */
type Shape = Members | string
type Entries = [string, unknown][]
type Table = typeof CONTEXT
/** The members of one group: `[head, recordId, recordVersion, shapes]`, with heads and shapes by their positions in the lists. */
type Group = readonly [number, string | null, number | null, readonly number[]]

/** The parsed text of an item. */
export interface ItemContent {
  readonly c: Members
  readonly g: readonly Group[]
  readonly h: readonly Members[]
  readonly s: readonly Shape[]
}

const shortsOf = (table: Table): ReadonlySet<string> => new Set(Object.values(table).map(({ short }) => short))
const CONTEXT_SHORTS = shortsOf(CONTEXT)
const HEAD_SHORTS = shortsOf(HEAD)
/** Members of an export that are part of no text: the address of a record, and its place in the chain. */
const ADDRESS: ReadonlySet<string> = new Set(['tenant', 'lane', 'sequence', 'index', 'prev', 'hash'])
/** Members that a group or the member `o` of a shape holds. */
const SHARED: ReadonlySet<string> = new Set(['recordId', 'recordVersion', 'outcome', 'view'])

/**
 * The text of an item from its records, in the order of `index`: RFC 8785 JSON.
 *
 * No two lists of records have the same text, so that an export without the text proves as much as the item.
 *
 * @returns undefined if the records do not form one item, such as records of two contexts, or if they are not as `recordsOf`
 *   returns them
 */
export function itemText(records: readonly RecordMembers[]): string | undefined {
  try {
    const text = packed(records)
    const exported = text === undefined ? [] : recordsOf(text)
    return records.every((record, at) => isSame(contentOf(record), exported[at])) ? text : undefined
  } catch {
    // half of a surrogate pair, a digest that is not hex: the writer produces no such text
    return undefined
  }
}

function packed(records: readonly RecordMembers[]): string | undefined {
  const [heads, shapes] = [new Listed<Members>(), new Listed<Shape>()]
  const groups = new Map<string, { readonly at: readonly unknown[]; readonly places: number[] }>()
  let [c, before]: [Members, string] = [{}, '']
  for (const record of records) {
    const { context, head, shape } = split(record)
    // `itemText` compares the contexts of the others
    if (before === '') c = context
    const at = [heads.place(head), record['recordId'] ?? null, record['recordVersion'] ?? null]
    const key = canonical(at)
    const place = shapes.place(onlyPath(shape) ?? shape)
    const group = groups.get(key)
    // the records of a group follow each other
    if (group !== undefined && key !== before) return undefined
    if (group === undefined) groups.set(key, { at, places: [place] })
    else group.places.push(place)
    before = key
  }
  return canonical({ c, g: [...groups.values()].map(({ at, places }) => [...at, places]), h: heads.list, s: shapes.list })
}

/**
 * The records of a text, in the order of `index`.
 *
 * @throws TypeError for a text that no writer of this format produces. A changed text may have records all the same
 */
export function recordsOf(text: string): RecordMembers[] {
  const { c, g, h, s } = contentIn(parsed(text))
  const context = named(c, CONTEXT)
  const records = g.flatMap(([head, recordId, recordVersion, shapes]) => {
    const common = h[head]
    if (common === undefined) throw new TypeError('an audit item names a head that it does not have')
    const ofGroup = named(common, HEAD)
    return shapes.map((place): Members => {
      const shape = s[place]
      if (shape === undefined) throw new TypeError('an audit item names a shape that it does not have')
      return {
        ...context,
        ...ofGroup,
        ...(recordId !== null && { recordId }),
        ...(recordVersion !== null && { recordVersion }),
        ...ofShape(typeof shape === 'string' ? { p: shape } : shape, textOrNone(ofGroup['recordType'])),
      }
    })
  })
  if (records.length === 0) throw new TypeError('an audit item has no record')
  return records
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // without the message of the parser, which quotes the text
    throw new TypeError('an audit item has a text that is not JSON')
  }
}

/** The content of a parsed text. @throws TypeError for any other content than that of an item */
export function contentIn(value: unknown): ItemContent {
  if (!isMembers(value) || Object.keys(value).sort().join() !== 'c,g,h,s') throw new TypeError('an audit item has c, g, h and s')
  const { c, g, h, s } = value
  if (!isMembers(c) || !areKnown(c, CONTEXT_SHORTS)) throw new TypeError('an audit item has a context that is not known')
  if (c['f'] !== ITEM_FORMAT) throw new TypeError('an audit item has a format that is not known')
  if (c['t'] === undefined) throw new TypeError('an audit item has no time')
  if (!Array.isArray(g) || !g.every(isGroup)) throw new TypeError('an audit item has a malformed group')
  if (!Array.isArray(h) || !h.every((head): head is Members => isMembers(head) && areKnown(head, HEAD_SHORTS)))
    throw new TypeError('an audit item has a head that is not known')
  if (!Array.isArray(s) || !s.every(isShape)) throw new TypeError('an audit item has a malformed shape')
  return { c, g, h, s }
}

const isMembers = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value)

const areKnown = (members: Members, table: typeof CONTEXT_SHORTS): boolean => {
  for (const name of Object.keys(members)) if (!table.has(name)) return false
  return true
}

function isGroup(value: unknown): value is Group {
  if (!Array.isArray(value) || value.length !== 4) return false
  const [head, recordId, recordVersion, shapes] = value as unknown[]
  if (recordId !== null && typeof recordId !== 'string') return false
  if (recordVersion !== null && !Number.isSafeInteger(recordVersion)) return false
  return isPlace(head) && Array.isArray(shapes) && shapes.length > 0 && shapes.every(isPlace)
}

const isPlace = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const isShape = (value: unknown): value is Shape =>
  typeof value === 'string' ||
  (isMembers(value) && typeof value['p'] === 'string' && !Object.keys(value).some((name) => isMemberOfItem(name)))

/** Whether an export has a member of this name that is not of a shape, or that the shape has under a short name. */
const isMemberOfItem = (name: string): boolean =>
  ADDRESS.has(name) || SHARED.has(name) || [CONTEXT, HEAD, SHAPE].some((table) => Object.hasOwn(table, name))

/** The members of a record that the hash covers as its own. Undefined members are left out, as in JSON. */
const contentOf = (record: RecordMembers): RecordMembers =>
  Object.fromEntries(Object.entries(record).filter(([name, value]) => value !== undefined && !ADDRESS.has(name)))

function split(record: RecordMembers): { context: Members; head: Members; shape: Members } {
  // entries keep a member with any name, such as __proto__
  const [context, head, shape]: [Entries, Entries, Entries] = [[], [], []]
  const names: RecordNames = { type: textOrNone(record['recordType']), path: asText(record['path']) }
  for (const [name, value] of Object.entries(contentOf(record))) {
    if (SHARED.has(name)) continue
    const table = [CONTEXT, HEAD, SHAPE].find((members) => Object.hasOwn(members, name))
    const { short, form } = table?.[name] ?? { short: name, form: 'PLAIN' }
    const given = shortValue(form, value, names)
    const members = table === CONTEXT ? context : table === HEAD ? head : shape
    if (given !== undefined) members.push([short, given])
  }
  const outcome = [record['outcome'], record['view']].filter((part) => part !== undefined).map(asText)
  if (outcome.join(' ') !== MOST_FREQUENT_OUTCOME) shape.push([OUTCOME, outcome.join(' ')])
  if (record['rule'] === undefined) shape.push(['ru', null])
  return { context: Object.fromEntries(context), head: Object.fromEntries(head), shape: Object.fromEntries(shape) }
}

/** The members of a table by their names in an export. */
function named(members: Members, table: Table, names: RecordNames = {}): Members {
  const entries = Object.entries(table).map(([name, { short, form }]) => [name, longValue(form, members[short], names)] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function ofShape(shape: Members, type: string | undefined): Members {
  const path = longPath(asText(shape['p']), type)
  const [outcome, view, ...more] = asText(shape[OUTCOME] ?? MOST_FREQUENT_OUTCOME).split(' ')
  if (more.length > 0) throw new TypeError('an audit item has a malformed outcome')
  const shorts = new Set([OUTCOME, ...Object.values(SHAPE).map(({ short }) => short)])
  const others = Object.entries(shape).filter(([name]) => !shorts.has(name))
  const known = named(shape, SHAPE, { type, path })
  return { ...known, outcome, ...(view !== undefined && { view }), ...Object.fromEntries(others) }
}

const textOrNone = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The path of a shape that has nothing else. */
function onlyPath({ p, ...others }: Members): string | undefined {
  return typeof p === 'string' && Object.keys(others).length === 0 ? p : undefined
}

/** Distinct contents, in the order of their first use. */
class Listed<T> {
  readonly list: T[] = []
  readonly #places = new Map<string, number>()

  place(content: T): number {
    const key = canonical(content)
    const known = this.#places.get(key)
    if (known !== undefined) return known
    this.#places.set(key, this.list.length)
    return this.list.push(content) - 1
  }
}

/** Whether two JSON values are equal. */
function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return one === other
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && isSame((one as Members)[name], (other as Members)[name]))
  )
}

function canonical(content: unknown): string {
  const text = canonicalize(content)
  if (text === undefined) throw new TypeError('an audit item is JSON')
  return text
}
