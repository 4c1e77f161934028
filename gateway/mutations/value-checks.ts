import {
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isListType,
  isObjectType,
} from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { dateSpan, partialDateSpan } from '../model/date-span.ts'
import { isExactNumber, isNumberText } from '../model/exact-number.ts'
import type { Json } from '../model/record.ts'
import type { ValueFault } from '../model/record-rules.ts'
import { MAX_RECORD_BYTES, MAX_TEXT_BYTES } from '../model/record-size.ts'

/** The maximum number of levels of lists and objects in one value. */
const MAX_DEPTH = 12
/** The maximum number of items in one list. */
const MAX_ITEMS = 500
/** The first and the last year of a date. Times at the ends of this range have four digits in every time zone. */
const YEARS = { first: 1850, last: 9997 } as const

/** The rules. A fault consists of a place and one of these texts, so that it never carries a value (P8). */
const RULES = {
  path: 'is not a stored field of its type',
  type: 'is not of the type that the schema has there',
  key: 'has a key that its type does not have',
  null: 'has a null in a list',
  blank: 'is blank. Leave it out, or send null to clear it',
  unicode: 'is not well-formed Unicode',
  control: 'has a control character. Only tab, newline and carriage return are allowed',
  text: 'is longer than 200 KB as JSON',
  record: 'is in a record of more than 320 KB as JSON',
  depth: `has more than ${MAX_DEPTH} levels`,
  items: `has more than ${MAX_ITEMS} items`,
  number: 'is not a number that can be stored without a change',
  integer: 'is not an integer of 32 bits',
  enum: 'is not a value of its enum',
  date: `is not a date from ${YEARS.first} to ${YEARS.last} in ISO 8601: YYYY, YYYY-MM or YYYY-MM-DD`,
  dateTime: `is not a date from ${YEARS.first} to ${YEARS.last} in ISO 8601: YYYY, YYYY-MM, YYYY-MM-DD, or a time with its zone`,
} as const
type Rule = (typeof RULES)[keyof typeof RULES]

/**
 * The faults of given values that follow from the schema alone, whatever the record is about. Each value has at most one fault. The
 * check is total: it takes any value, cyclic and foreign objects included.
 *
 * @param values by path. A composite or a list is one value, and null clears a value
 */
export function valueFaults(schema: GraphQLSchema, type: TypeName, values: ReadonlyMap<SchemaPath, Json>): readonly ValueFault[] {
  const faults: ValueFault[] = []
  let total = 0
  let largest: { readonly path: SchemaPath; readonly bytes: number } | undefined
  for (const [path, value] of values) {
    if (value === null) continue
    const expected = typeAt(schema, type, path)
    const found = expected === undefined ? { place: path, rule: RULES.path } : faultOf(value, expected, path)
    if (found !== undefined) {
      faults.push({ path, detail: `${found.place} ${found.rule}.` })
      continue
    }
    // a value without a fault is finite, so that its JSON is too
    const bytes = Buffer.byteLength(JSON.stringify(value))
    if (bytes > MAX_TEXT_BYTES) faults.push({ path, detail: `${path} ${RULES.text}.` })
    total += bytes
    if (largest === undefined || bytes > largest.bytes) largest = { path, bytes }
  }
  if (total > MAX_RECORD_BYTES && largest !== undefined && faults.length === 0)
    faults.push({ path: largest.path, detail: `${largest.path} ${RULES.record}.` })
  return faults
}

/** The type of a path below a record type. Undefined for a path that the schema does not have. */
function typeAt(schema: GraphQLSchema, type: TypeName, path: SchemaPath): GraphQLOutputType | undefined {
  const [root, ...fields] = path.split('.')
  if (root !== type || fields.length === 0) return undefined
  let at: GraphQLOutputType | undefined = memberType(schema.getType(type), fields[0])
  for (const field of fields.slice(1)) at = at === undefined ? undefined : memberType(getNamedType(at), field)
  return at
}

function memberType(of: unknown, field: string | undefined): GraphQLOutputType | undefined {
  if (!isObjectType(of) || field === undefined) return undefined
  // the map of fields has no prototype: `constructor` is no field
  return of.getFields()[field]?.type
}

interface Found {
  /** The path, with the places in lists and the members of composites: names of the schema only. */
  readonly place: string
  readonly rule: Rule
}

interface Part {
  readonly value: unknown
  readonly type: GraphQLOutputType
  readonly place: string
  readonly depth: number
}

/** The first fault of a value. Without recursion: a value that is nested a million times must not exhaust the stack. */
function faultOf(whole: unknown, type: GraphQLOutputType, path: SchemaPath): Found | undefined {
  const open: Part[] = [{ value: whole, type, place: path, depth: 1 }]
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const rule = part.depth > MAX_DEPTH ? RULES.depth : ruleBrokenBy(part, open)
    if (rule !== undefined) return { place: part.place, rule }
  }
  return undefined
}

/** @param open receives the parts of a list or of an object */
function ruleBrokenBy({ value, type, place, depth }: Part, open: Part[]): Rule | undefined {
  const expected = getNullableType(type)
  if (isListType(expected)) {
    if (!Array.isArray(value)) return RULES.type
    if (value.length > MAX_ITEMS) return RULES.items
    // the last part that is added is the first to be checked, so that the first fault of a list is named
    for (let index = value.length - 1; index >= 0; index--) {
      const item: unknown = value[index]
      if (item === null || item === undefined) return RULES.null
      open.push({ value: item, type: expected.ofType, place: `${place}[${index}]`, depth: depth + 1 })
    }
    return undefined
  }
  if (isObjectType(expected)) {
    if (!isPlainObject(value)) return RULES.type
    const fields = expected.getFields()
    // own keys: a key that is named like a property of every object is not a field
    for (const key of Reflect.ownKeys(value).toReversed()) {
      const field = typeof key === 'string' && Object.hasOwn(fields, key) ? fields[key] : undefined
      if (field === undefined) return RULES.key
      const member = value[field.name]
      if (member === null || member === undefined) continue
      open.push({ value: member, type: field.type, place: `${place}.${field.name}`, depth: depth + 1 })
    }
    return undefined
  }
  if (isEnumType(expected)) return expected.getValues().some((one) => one.value === value) ? undefined : RULES.enum
  return scalarRule(value, getNamedType(type).name)
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isExactNumber(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function scalarRule(value: unknown, name: string): Rule | undefined {
  switch (name) {
    case 'String':
    case 'ID':
      return typeof value === 'string' ? textRule(value) : RULES.type
    case 'Float':
      return isStorableNumber(value) ? undefined : RULES.number
    case 'Int':
      return typeof value === 'number' && (value | 0) === value ? undefined : RULES.integer
    case 'Boolean':
      return typeof value === 'boolean' ? undefined : RULES.type
    case 'DateTime':
      return isWithinYears(value, dateSpan) ? undefined : RULES.dateTime
    case 'PartialDate':
      return isWithinYears(value, partialDateSpan) ? undefined : RULES.date
    default:
      // a scalar of a deployment is a text, a number or a boolean
      if (typeof value === 'string') return textRule(value)
      if (typeof value === 'number') return isStorableNumber(value) ? undefined : RULES.number
      return typeof value === 'boolean' ? undefined : RULES.type
  }
}

/** `\p{Cc}` without tab, newline and carriage return. NUL is one of them. */
const CONTROL = /[^\P{Cc}\t\n\r]/u

function textRule(text: string): Rule | undefined {
  if (text.length > MAX_TEXT_BYTES) return RULES.text
  if (!text.isWellFormed()) return RULES.unicode
  if (CONTROL.test(text)) return RULES.control
  return text.trim() === '' ? RULES.blank : undefined
}

/**
 * Whether a number is stored as it was sent. An integer above 2^53 - 1 may have been rounded before it came here. A number as text keeps
 * its digits: see `gateway/model/exact-number.ts`.
 */
function isStorableNumber(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
  if (typeof value === 'string') return value.length <= MAX_DIGITS && isNumberText(value)
  return isExactNumber(value) && value.rawJSON.length <= MAX_DIGITS && isNumberText(value.rawJSON)
}

/** The maximum length of a number as text. */
const MAX_DIGITS = 100

function isWithinYears(value: unknown, spanOf: (text: string) => object | undefined): boolean {
  // the year is read from the text: a time zone does not move a date out of the range
  if (typeof value !== 'string' || value.length > MAX_DATE || spanOf(value) === undefined) return false
  const year = Number(value.slice(0, 4))
  return year >= YEARS.first && year <= YEARS.last
}

/** The length of the longest date: nine digits of a second, and an offset. */
const MAX_DATE = '1850-01-01T00:00:00.000000000+00:00'.length
