import type { WireItem, WireValue } from './item-size.ts'

// The expressions of DynamoDB that the gateway and the other contestants send: conditions, key conditions and updates.

/** The names and values that an expression refers to. */
export interface Bindings {
  readonly names: Readonly<Record<string, string>>
  readonly values: WireItem
}

type Test = (item: WireItem | undefined, bindings: Bindings) => boolean
type Operand = (item: WireItem | undefined, bindings: Bindings) => WireValue | undefined
type Change = (item: Record<string, WireValue>, bindings: Bindings) => void

/** An expression that this stand-in does not know. The bench stops: a wrong answer would make its figures wrong. */
class UnknownExpression extends Error {
  override readonly name = 'UnknownExpression'
}

const TOKEN = /\s*(<=|>=|<>|[=<>(),+-]|[#:]?[\w.]+)/y

class Reader {
  readonly #tokens: string[] = []
  #next = 0

  constructor(text: string) {
    TOKEN.lastIndex = 0
    while (TOKEN.lastIndex < text.trimEnd().length) {
      const [, token] = TOKEN.exec(text) ?? []
      if (token === undefined) throw new UnknownExpression(text)
      this.#tokens.push(token)
    }
  }

  get ended(): boolean {
    return this.#next === this.#tokens.length
  }

  take(): string {
    const token = this.#tokens[this.#next++]
    if (token === undefined) throw new UnknownExpression('the expression ends too soon')
    return token
  }

  /** Takes the next token if it is this word or sign. */
  takes(expected: string): boolean {
    const found = this.#tokens[this.#next]?.toUpperCase() === expected
    if (found) this.#next++
    return found
  }

  expect(expected: string): void {
    if (!this.takes(expected)) throw new UnknownExpression(`${expected} is missing`)
  }
}

const attributeOf = (token: string, { names }: Bindings): string => (token.startsWith('#') ? (names[token] ?? '') : token)

function operand(reader: Reader): Operand {
  const token = reader.take()
  if (token.startsWith(':')) return (_item, { values }) => values[token]
  if (token === 'if_not_exists') {
    reader.expect('(')
    const attribute = reader.take()
    reader.expect(',')
    const otherwise = operand(reader)
    reader.expect(')')
    return (item, bindings) => item?.[attributeOf(attribute, bindings)] ?? otherwise(item, bindings)
  }
  return (item, bindings) => item?.[attributeOf(token, bindings)]
}

const kindOf = (value: WireValue): string => Object.keys(value)[0] ?? ''
const heldBy = (value: WireValue): unknown => Object.values(value)[0]

/** Undefined if the values are not comparable: every comparison is then false. */
function compare(one: WireValue | undefined, other: WireValue | undefined): number | undefined {
  if (one === undefined || other === undefined || kindOf(one) !== kindOf(other)) return undefined
  const [a, b] = [heldBy(one), heldBy(other)]
  switch (kindOf(one)) {
    case 'N':
      return Number(a) - Number(b)
    case 'B':
      return Buffer.compare(Buffer.from(String(a), 'base64'), Buffer.from(String(b), 'base64'))
    case 'S':
      return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0
    default:
      return JSON.stringify(a) === JSON.stringify(b) ? 0 : undefined
  }
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

function primary(reader: Reader): Test {
  if (reader.takes('NOT')) {
    const test = primary(reader)
    return (item, bindings) => !test(item, bindings)
  }
  if (reader.takes('(')) {
    const test = disjunction(reader)
    reader.expect(')')
    return test
  }
  for (const exists of [true, false]) {
    if (!reader.takes(exists ? 'ATTRIBUTE_EXISTS' : 'ATTRIBUTE_NOT_EXISTS')) continue
    reader.expect('(')
    const attribute = reader.take()
    reader.expect(')')
    return (item, bindings) => (item?.[attributeOf(attribute, bindings)] !== undefined) === exists
  }
  if (reader.takes('BEGINS_WITH')) {
    reader.expect('(')
    const whole = operand(reader)
    reader.expect(',')
    const start = operand(reader)
    reader.expect(')')
    return (item, bindings) => {
      const [text, prefix] = [whole(item, bindings), start(item, bindings)]
      return text !== undefined && prefix !== undefined && String(heldBy(text)).startsWith(String(heldBy(prefix)))
    }
  }
  const left = operand(reader)
  if (reader.takes('BETWEEN')) {
    const low = operand(reader)
    reader.expect('AND')
    const high = operand(reader)
    return (item, bindings) => {
      const value = left(item, bindings)
      const [above, below] = [compare(value, low(item, bindings)), compare(value, high(item, bindings))]
      return above !== undefined && below !== undefined && above >= 0 && below <= 0
    }
  }
  const holds = COMPARISONS[reader.take()]
  if (!holds) throw new UnknownExpression('a comparison')
  const right = operand(reader)
  return (item, bindings) => {
    const order = compare(left(item, bindings), right(item, bindings))
    return order !== undefined && holds(order)
  }
}

function conjunction(reader: Reader): Test {
  const tests = [primary(reader)]
  while (reader.takes('AND')) tests.push(primary(reader))
  return (item, bindings) => tests.every((test) => test(item, bindings))
}

function disjunction(reader: Reader): Test {
  const tests = [conjunction(reader)]
  while (reader.takes('OR')) tests.push(conjunction(reader))
  return (item, bindings) => tests.some((test) => test(item, bindings))
}

function changes(reader: Reader): Change[] {
  const read: Change[] = []
  let clause = ''
  while (!reader.ended) {
    const found = ['SET', 'ADD', 'REMOVE'].find((name) => reader.takes(name))
    if (found !== undefined) clause = found
    else reader.expect(',')
    const name = reader.take()
    if (clause === 'SET') {
      reader.expect('=')
      const value = operand(reader)
      const sign = reader.takes('+') ? 1 : reader.takes('-') ? -1 : 0
      const added = sign === 0 ? undefined : operand(reader)
      read.push((item, bindings) => {
        const base = value(item, bindings) ?? { NULL: true }
        item[attributeOf(name, bindings)] = added ? sum(base, added(item, bindings), sign) : base
      })
    } else if (clause === 'ADD') {
      const value = operand(reader)
      read.push((item, bindings) => {
        const attribute = attributeOf(name, bindings)
        item[attribute] = sum(item[attribute] ?? { N: '0' }, value(item, bindings), 1)
      })
    } else {
      read.push((item, bindings) => Reflect.deleteProperty(item, attributeOf(name, bindings)))
    }
  }
  return read
}

const sum = (one: WireValue, other: WireValue | undefined, sign: number): WireValue => ({
  N: String(Number(one.N) + sign * Number(other?.N)),
})

function cached<T>(parse: (reader: Reader) => T): (text: string) => T {
  const parsed = new Map<string, T>()
  return (text) => {
    const known = parsed.get(text)
    if (known !== undefined) return known
    const reader = new Reader(text)
    const result = parse(reader)
    if (!reader.ended) throw new UnknownExpression(text)
    parsed.set(text, result)
    return result
  }
}

const conditionOf = cached(disjunction)
const updateOf = cached(changes)

/** Whether an item fulfills a condition. A missing item has no attributes. An empty condition always holds. */
export function holds(condition: string | undefined, item: WireItem | undefined, bindings: Bindings): boolean {
  return condition === undefined || conditionOf(condition)(item, bindings)
}

/** A copy of the item with the changes of an update expression. */
export function updated(expression: string, item: WireItem, bindings: Bindings): WireItem {
  const copy = { ...item }
  for (const change of updateOf(expression)) change(copy, bindings)
  return copy
}

/** The attributes that a projection names; the whole item without one. */
export function projected(projection: string | undefined, item: WireItem, bindings: Bindings): WireItem {
  if (projection === undefined) return item
  const copy: Record<string, WireValue> = {}
  for (const token of projection.split(',')) {
    const name = attributeOf(token.trim(), bindings)
    const value = item[name]
    if (value !== undefined) copy[name] = value
  }
  return copy
}
