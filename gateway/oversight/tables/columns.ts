import type { RecordMembers } from '../../audit/verify/item-text.ts'

/**
 * The columns of the audit tables. A row is a field-level record, and a column is a member of its export form (`docs/audit-log.md`).
 * `prev` and `hash` are no columns: they prove something only in a segment, at the `position` of the row.
 */

/** TEXTS is a list. INSTANT is a timestamp in UTC. JSON is a text. */
type Kind = 'TEXT' | 'TEXTS' | 'NUMBER' | 'FLAG' | 'INSTANT' | 'JSON'
type Columns = Readonly<Record<string, Kind>>

/** Columns with one value for all records of an item. `position` is that of the item in the log, from 0. */
export const ITEM_COLUMNS = {
  tenant: 'TEXT',
  position: 'NUMBER',
  lane: 'TEXT',
  sequence: 'NUMBER',
  format: 'NUMBER',
  time: 'INSTANT',
  requestId: 'TEXT',
  traceId: 'TEXT',
  part: 'NUMBER',
  parts: 'NUMBER',
  user: 'TEXT',
  roles: 'TEXTS',
  purpose: 'TEXT',
  patient: 'TEXT',
  organization: 'TEXT',
  client: 'TEXT',
  session: 'TEXT',
  study: 'TEXT',
  authTime: 'INSTANT',
  mfa: 'FLAG',
  app: 'TEXT',
  appVersion: 'TEXT',
  sourceIp: 'TEXT',
  userAgent: 'TEXT',
  userAgentText: 'TEXT',
  contract: 'TEXT',
  operation: 'TEXT',
  operationHash: 'TEXT',
  persisted: 'FLAG',
  policy: 'TEXT',
  succeeds: 'TEXT',
} as const satisfies Columns

/** Columns of one record. `others` has the members that a later writer adds, as a JSON object. */
export const RECORD_COLUMNS = {
  index: 'NUMBER',
  recordType: 'TEXT',
  recordId: 'TEXT',
  recordVersion: 'NUMBER',
  listed: 'FLAG',
  origin: 'TEXT',
  path: 'TEXT',
  paths: 'TEXTS',
  action: 'TEXT',
  outcome: 'TEXT',
  view: 'TEXT',
  reason: 'TEXT',
  rule: 'TEXT',
  basis: 'TEXT',
  basisId: 'TEXT',
  since: 'INSTANT',
  limits: 'JSON',
  count: 'NUMBER',
  others: 'JSON',
} as const satisfies Columns

const ITEM_ENTRIES = Object.entries<Kind>(ITEM_COLUMNS)
const RECORD_ENTRIES = Object.entries<Kind>(RECORD_COLUMNS)
const isColumn = (name: string): boolean =>
  name !== 'others' && name !== 'position' && (Object.hasOwn(ITEM_COLUMNS, name) || Object.hasOwn(RECORD_COLUMNS, name))

/** The names of all columns. */
export const ALL_NAMES: readonly string[] = [...ITEM_ENTRIES, ...RECORD_ENTRIES].map(([name]) => name)

/** Separates the texts of a list in `RECORD_SELECTION`. No name of a role or a path has a control character. */
const UNIT_SEPARATOR = 31

/**
 * The columns of a SELECT whose rows `recordOf` reads. A list is one text, because a result of Athena has a list in a form that cannot be
 * read back.
 */
export const RECORD_SELECTION = [...ITEM_ENTRIES, ...RECORD_ENTRIES]
  .filter(([name]) => name !== 'position')
  .map(([name, kind]) => (kind === 'TEXTS' ? `array_join("${name}", chr(${UNIT_SEPARATOR})) AS "${name}"` : `"${name}"`))
  .join(', ')

/** A row of `RECORD_SELECTION` as a record of an export. A null is an absent member. */
export function recordOf(row: Readonly<Record<string, unknown>>): RecordMembers {
  const members: Record<string, unknown> = {}
  for (const [name, kind] of [...ITEM_ENTRIES, ...RECORD_ENTRIES]) {
    const value = row[name]
    if (value === null || value === undefined || name === 'position') continue
    if (name === 'others') Object.assign(members, parsedText(value))
    else members[name] = memberOf(kind, value)
  }
  return members
}

function memberOf(kind: Kind, value: unknown): unknown {
  if (kind === 'JSON') return parsedText(value)
  if (kind === 'TEXTS') return value === '' ? [] : asText(value).split(String.fromCharCode(UNIT_SEPARATOR))
  return value instanceof Date ? value.toISOString() : value
}

const parsedText = (value: unknown): unknown => JSON.parse(asText(value))

/** An item expands at most to this many characters. The writer's items have some ten thousand. */
const MAX_EXPANDED = 16_777_216

/** The place of an item in its log. */
export interface ItemPlace {
  readonly tenant: string
  /** From 0. Absent for an item that is not sealed yet. */
  readonly position?: number
  readonly lane: string
  readonly sequence: number
}

/**
 * An item as one JSON object on a line, with its records in `r`: the input of `itemSelection`.
 *
 * @param records those of one item, in the order of `index`
 * @throws TypeError if a value has another type than its column, is no well-formed text, or expands to too much
 */
export function itemLine(place: ItemPlace, records: readonly RecordMembers[]): string {
  const [first = {}] = records
  const size = { left: MAX_EXPANDED }
  const context = valuesOf({ ...first, ...place }, ITEM_ENTRIES, size)
  const r = records.map((record, at) => valuesOf({ ...record, index: at + 1, others: othersOf(record) }, RECORD_ENTRIES, size))
  return `${JSON.stringify({ ...context, r })}\n`
}

function valuesOf(members: RecordMembers, columns: readonly (readonly [string, Kind])[], size: { left: number }): object {
  const values: Record<string, unknown> = {}
  for (const [name, kind] of columns) {
    const value = members[name]
    if (value === undefined) continue
    const cell = cellOf(kind, value)
    size.left -= name.length + (typeof cell === 'string' ? cell.length : Array.isArray(cell) ? cell.join().length : 8)
    values[name] = cell
  }
  if (size.left < 0) throw new TypeError('an audit item expands to too much text')
  return values
}

function cellOf(kind: Kind, value: unknown): unknown {
  switch (kind) {
    case 'TEXT':
      return asText(value)
    case 'TEXTS':
      if (!Array.isArray(value)) throw new TypeError('an audit record has a member that must be a list')
      return value.map(asText)
    case 'NUMBER':
      if (!Number.isSafeInteger(value)) throw new TypeError('an audit record has a member that must be a number')
      return value
    case 'FLAG':
      if (typeof value !== 'boolean') throw new TypeError('an audit record has a member that must be a boolean')
      return value
    case 'INSTANT': {
      const time = Date.parse(asText(value))
      if (Number.isNaN(time)) throw new TypeError('an audit record has a member that must be a time')
      return time
    }
    case 'JSON':
      // escapes of half a surrogate pair are ASCII here
      return asText(JSON.stringify(value))
    default:
      return kind satisfies never
  }
}

function asText(value: unknown): string {
  // a table would have another text: UTF-8 has no half of a surrogate pair
  if (typeof value !== 'string' || !value.isWellFormed()) throw new TypeError('an audit record has a member that must be a text')
  return value
}

function othersOf(record: RecordMembers): object | undefined {
  const others = Object.entries(record).filter(([name]) => !isColumn(name))
  return others.length === 0 ? undefined : Object.fromEntries(others)
}

const STORED: Readonly<Record<Kind, string>> = {
  TEXT: 'VARCHAR',
  TEXTS: 'VARCHAR[]',
  NUMBER: 'BIGINT',
  FLAG: 'BOOLEAN',
  // milliseconds since the epoch
  INSTANT: 'BIGINT',
  JSON: 'VARCHAR',
}

const selected = (entries: readonly (readonly [string, Kind])[], from: string): string =>
  entries
    .map(([name, kind]) => (kind === 'INSTANT' ? `epoch_ms(${from}"${name}") AS "${name}"` : `${from}"${name}" AS "${name}"`))
    .join(', ')

/** A SELECT of all columns over a file of `itemLine`. @param file a quoted text of SQL */
export function itemSelection(file: string): string {
  const record = RECORD_ENTRIES.map(([name, kind]) => `"${name}" ${STORED[kind]}`).join(', ')
  const item = ITEM_ENTRIES.map(([name, kind]) => `'${name}': '${STORED[kind]}'`).join(', ')
  const options = `columns = {${item}, 'r': 'STRUCT(${record})[]'}, maximum_object_size = ${4 * MAX_EXPANDED}`
  const unnested = `SELECT * EXCLUDE (r), unnest(r) AS r FROM read_ndjson(${file}, ${options})`
  return `SELECT ${selected(ITEM_ENTRIES, '')}, ${selected(RECORD_ENTRIES, 'r.')} FROM (${unnested})`
}

/** A SELECT of all columns without any row. */
export function emptySelection(): string {
  const types = [...ITEM_ENTRIES, ...RECORD_ENTRIES].map(
    ([name, kind]) => `CAST(NULL AS ${kind === 'INSTANT' ? 'TIMESTAMP' : STORED[kind]}) AS "${name}"`,
  )
  return `SELECT ${types.join(', ')} WHERE false`
}
