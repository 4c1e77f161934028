import { buildSchema, type DocumentNode, Kind } from 'graphql'
import { describe, expect, it } from 'vitest'
import { type DocumentRefusal, Documents, readDocument } from '../../../gateway/operations/documents.ts'

const schema = buildSchema(`
  type Query { me: Me, other: Me, node(id: ID): Me }
  type Me { name(form: String): String, friend: Me, friends(first: Int): [Me!] }
`)
const MINUTE = 60_000

function documentsAt(clock: { now: number }, introspection = false): Documents {
  return new Documents({ schema, introspection, monotonic: () => clock.now })
}

const times = (count: number, one: (number: number) => string): string => Array.from({ length: count }, (_, n) => one(n)).join(' ')
const codeOf = (read: DocumentNode | DocumentRefusal): string => ('refused' in read ? read.refused : read.kind)
const doubling = (levels: number): string =>
  times(levels, (n) => `fragment F${n} on Me { ...F${n + 1} ...F${n + 1} }`) + ` fragment F${levels} on Me { name }`

describe('the limits on the shape of a document precede its validation', () => {
  it.each([
    ['aliases', `{ me { ${times(101, (n) => `a${n}: missing`)} } }`],
    ['directives', `{ me { ${times(101, () => 'missing @include(if: true)')} } }`],
    ['directives on one field', `{ me { missing ${times(101, () => '@unknown')} } }`],
    ['roots', `{ ${times(21, () => 'missing')} }`],
    ['depth', `{ me ${times(16, () => '{ missing')} ${times(16, () => '}')} }`],
    ['fields, by fragments', `{ me { ...F0 } } ${doubling(12)} fragment X on Missing { name }`],
    ['operations', times(51, (n) => `query Q${n} { missing }`)],
    ['one field many times', `{ me { ${times(143, () => 'missing')} } }`],
    ['one field many times, within one another', `{ ${times(12, () => `me { ${times(12, () => 'missing')} }`)} }`],
    [
      'one field in many fragments',
      `{ me { ${times(143, (n) => `...F${n}`)} } } ${times(143, (n) => `fragment F${n} on Me { a }`)}`,
    ],
    ['one fragment many times', `{ me { ${times(143, () => '...F')} } } fragment F on Me { missing }`],
    ['a fragment without a spread', `{ me { name } } fragment F on Me { ${times(143, () => 'missing')} }`],
  ])('%s', (_what, text) => {
    expect(readDocument(schema, text)).toEqual({ refused: 'OPERATION_TOO_COSTLY' })
  })

  it.each([
    [
      'one field in thirty fragments at five places',
      `{ ${times(5, (n) => `p${n}: me { ${times(29, (m) => `...F${m}`)} }`)} } ${times(29, (n) => `fragment F${n} on Me { name(form: "a") friend { name } }`)}`,
    ],
    ['a hundred aliases', `{ me { ${times(100, (n) => `a${n}: name`)} } }`],
    ['fifty operations', times(50, (n) => `query Q${n} { me { name } }`)],
  ])('and allow %s', (_what, text) => {
    expect(codeOf(readDocument(schema, text))).toBe(Kind.DOCUMENT)
  })

  it.each([
    ['itself', 'fragment A on Me { name ...A }'],
    ['itself, by another one', 'fragment A on Me { ...B } fragment B on Me { ...A }'],
    ['itself, within a field', 'fragment A on Me { friend { ...A } }'],
    ['itself, within several fields', 'fragment A on Me { friend { ...A ...B } } fragment B on Me { friend { ...B ...A } }'],
  ])('end at a fragment that contains %s', (_what, fragments) => {
    expect(codeOf(readDocument(schema, `{ me { ...A } } ${fragments}`))).toBe('GRAPHQL_VALIDATION_FAILED')
  })

  it.each([
    ['fields', (levels: number) => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`],
    ['lists', (levels: number) => `{ a(b: ${'['.repeat(levels - 2)}${']'.repeat(levels - 2)}) }`],
    ['objects', (levels: number) => `{ a(b: ${'{ c: '.repeat(levels - 2)}1${' }'.repeat(levels - 2)}) }`],
  ])('end %s within each other before the parser calls itself for each of them', (_name, nested) => {
    expect(codeOf(readDocument(schema, nested(200)))).not.toBe('GRAPHQL_PARSE_FAILED')
    expect(readDocument(schema, nested(201))).toEqual({ refused: 'OPERATION_TOO_COSTLY' })
    expect(codeOf(readDocument(schema, nested(1_300)))).toMatch(/OPERATION_TOO_COSTLY|GRAPHQL_PARSE_FAILED/)
    expect(readDocument(schema, nested(50_000))).toEqual({ refused: 'GRAPHQL_PARSE_FAILED' })
  })

  it('end at fragments that contain one another in very many ways', () => {
    const names = Array.from({ length: 20 }, (_, n) => `F${n}`)
    const all = names.map((name) => `...${name}`).join(' ')
    const text = `{ me { ...F0 } } ${names.map((name) => `fragment ${name} on Me { a: friend { ${all} } b: friend { ${all} } }`).join(' ')}`
    expect(codeOf(readDocument(schema, text))).not.toBe(Kind.DOCUMENT)
  })
})

describe('one fault', () => {
  it.each([
    ['of many', `{ me { ${times(90, (n) => `missing${n}`)} } }`],
    ['of many at one field', `{ __typename ${times(10, () => '@aa')} }`],
  ])('%s is one error with its places', (_what, text) => {
    const read = readDocument(schema, text)
    expect(read).toEqual({ refused: 'GRAPHQL_VALIDATION_FAILED', locations: expect.any(Array) as unknown })
    expect('refused' in read && read.locations?.length).toBe(1)
  })
})

describe('a document is read once', () => {
  const REFUSED = ['{ me', '{ missing }', `{ ${times(21, () => 'me')} }`]

  it('if it is valid', () => {
    const documents = documentsAt({ now: 0 })
    expect(documents.read('{ me { name } }')).toBe(documents.read('{ me { name } }'))
    expect(documents.refusals).toBe(0)
  })

  it.each(REFUSED)('in a minute, if it is refused: %s', (text) => {
    const clock = { now: 1_000 }
    const documents = documentsAt(clock)
    const refusal = documents.read(text)
    clock.now += MINUTE - 1
    expect(documents.read(text)).toBe(refusal)
    expect(documents.read(`${text} `)).not.toBe(refusal)
    clock.now += 2
    expect(documents.read(text)).not.toBe(refusal)
    expect(documents.read(text)).toEqual(refusal)
  })

  it('and at most a thousand refusals are remembered, without their text', () => {
    const documents = documentsAt({ now: 0 })
    const first = documents.read('{ missing }')
    for (let n = 0; n < 1_000; n++) documents.read(`{ missing${n} }`)
    expect(documents.refusals).toBe(1_000)
    expect(documents.read('{ missing }')).not.toBe(first)
    expect(JSON.stringify(documents.read('{ missing999 }'))).not.toContain('missing')
  })

  it('by each gateway: a refusal of introspection is not that of another stage', () => {
    const clock = { now: 0 }
    const text = '{ __schema { types { name } } }'
    expect(codeOf(documentsAt(clock).read(text))).toBe('GRAPHQL_VALIDATION_FAILED')
    expect(codeOf(documentsAt(clock, true).read(text))).toBe(Kind.DOCUMENT)
  })

  it('and half of a surrogate pair refuses no other text', () => {
    const documents = documentsAt({ now: 0 })
    expect(codeOf(documents.read('{ node(id: "\ud800") { name } }'))).toBe('GRAPHQL_PARSE_FAILED')
    expect(codeOf(documents.read('{ node(id: "\ufffd") { name } }'))).toBe(Kind.DOCUMENT)
    expect(codeOf(documents.read('{ node(id: "\ud800") { name } }'))).toBe('GRAPHQL_PARSE_FAILED')
  })
})
