import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type GraphQLRequest, parseBody, parseQueryString } from '../../../gateway/http/graphql-request.ts'
import { BadRequest, BadUserInput } from '../../../gateway/model/failures.ts'

const TEXT: GraphQLRequest = { query: '{ a }', id: undefined, operationName: undefined, variables: undefined }
const ID = '0f'.repeat(32)
const hash = (sha256Hash: unknown, more: object = {}): object => ({
  extensions: { persistedQuery: { version: 1, sha256Hash, ...more } },
})
const body = (members: object): string => JSON.stringify(members)

describe('a body', () => {
  it('P8: is refused if malformed, and the error quotes no part of it', () => {
    for (const body of ['999-62-6858', '"999-62-6858"', '{"query":["999-62-6858"]}', `{"query":"${'9'.repeat(262_144)}"}`]) {
      expect(() => parseBody(body)).toThrow(new BadRequest())
    }
    expect(parseBody('{"query":"{ a }","variables":null,"extensions":null,"operationName":null}')).toEqual(TEXT)
  })
})

describe('the id of an operation', () => {
  it.each<[string, object]>([
    ['persistedQuery', hash(ID)],
    ['documentId', { documentId: ID }],
    ['doc_id', { doc_id: ID }],
    ['id', { id: ID }],
  ])('has the form %s, bare or with a prefix, beside an empty text or none', (form, members) => {
    const prefixed = body(members).replace(ID, `sha256:${ID}`)
    for (const text of [body(members), prefixed, body({ ...members, query: null }), body({ ...members, query: '' })]) {
      expect(parseBody(text)).toEqual({ ...TEXT, query: undefined, id: { form, id: ID } })
    }
    expect(parseBody(body({ ...members, query: '{ a }' }))).toMatchObject({ query: '{ a }', id: { form, id: ID } })
  })

  it.each<[string, object]>([
    ['none, and no text', {}],
    ['none, and an empty text', { query: '' }],
    ['no hash in the extensions', { extensions: {} }],
    ['null', { extensions: { persistedQuery: null } }],
    ['a text in place of the object', { extensions: { persistedQuery: ID } }],
    ['another version', hash(ID, { version: 2 })],
    ['no version', { extensions: { persistedQuery: { sha256Hash: ID } } }],
    ['a number', { documentId: 7 }],
    ['empty', { documentId: '' }],
    ['only the prefix', { doc_id: 'sha256:' }],
    ['too long', { id: 'a'.repeat(257) }],
    ['a space', { id: 'a b' }],
    ['a line break', { id: 'a\n' }],
    ['another script', { documentId: 'ä' }],
    ['half of a surrogate pair', { documentId: '\ud800' }],
    ['two forms', { documentId: ID, id: ID }],
    ['two forms, one in the extensions', { doc_id: ID, ...hash(ID) }],
    ['a malformed one beside a text', { query: '{ a }', documentId: 'a b' }],
  ])('is refused: %s', (_what, members) => {
    expect(() => parseBody(body(members))).toThrow(new BadRequest())
  })
})

describe('a query string', () => {
  it('has the members of a body, with variables and extensions as JSON', () => {
    const request = parseQueryString(`documentId=sha256%3A${ID}&operationName=A&variables=%7B%22first%22%3A+2%7D&extensions=%7B%7D`)
    expect(request).toEqual({ query: undefined, id: { form: 'documentId', id: ID }, operationName: 'A', variables: { first: 2 } })
    const persisted = encodeURIComponent(JSON.stringify({ persistedQuery: { version: 1, sha256Hash: ID } }))
    expect(parseQueryString(`extensions=${persisted}`).id).toEqual({ form: 'persistedQuery', id: ID })
    expect(parseQueryString('query=%7B+a+%7D')).toEqual(TEXT)
  })

  it.each([
    ['empty', ''],
    ['a parameter twice', `id=${ID}&id=${ID}`],
    ['two forms', `id=${ID}&doc_id=${ID}`],
    ['no JSON', `id=${ID}&variables=%7B`],
    ['variables that are no object', `id=${ID}&variables=%5B%5D`],
    ['bytes that are not UTF-8', `id=${ID}&operationName=%FF`],
    ['half of an escape', `id=${ID}%`],
    ['too long', `id=${ID}&operationName=${'a'.repeat(10_240)}`],
  ])('is refused: %s', (_what, text) => {
    expect(() => parseQueryString(text)).toThrow(new BadRequest())
  })

  it('half of a surrogate pair in the variables is invalid input', () => {
    expect(() => parseQueryString(`id=${ID}&variables=%7B%22a%22%3A%22%5Cud800%22%7D`)).toThrow(new BadUserInput())
  })
})

describe('half of a surrogate pair', () => {
  const variables = (json: string): string => `{"query":"{ a }","variables":${json}}`

  it.each([
    ['a value', '{"a":"\\ud800"}'],
    ['the second half', '{"a":"x\\uDFFFx"}'],
    ['halves in the wrong order', '{"a":"\\uDC00\\uD800"}'],
    ['an inner value', '{"a":[{"b":["\\uD83D"]}]}'],
    ['a name', '{"\\ud800":1}'],
    ['an inner name', '{"a":{"\\ud800":1}}'],
    ['a very deep value', `{"a":${'['.repeat(50_000)}"\\ud800"${']'.repeat(50_000)}}`],
  ])('in the variables is invalid input: %s', (_what, json) => {
    expect(() => parseBody(variables(json))).toThrow(new BadUserInput())
  })

  it.each([
    ['the name of the operation', '{"query":"{ a }","operationName":"\\ud800"}'],
    ['the extensions', '{"query":"{ a }","extensions":{"a":"\\ud800"}}'],
    ['the text itself', '{"query":"{ a }","variables":{"a":"\ud800"}}'],
  ])('in %s is an invalid request', (_what, body) => {
    expect(() => parseBody(body)).toThrow(new BadRequest())
  })

  it('is not a whole pair, and not a text about one', () => {
    const given = { a: '\u{1F600}', b: '\\ud800' }
    expect(parseBody(variables('{"a":"\\ud83d\\ude00","b":"\\\\ud800"}')).variables).toEqual(given)
  })
})

describe('any input', () => {
  const refusal = (parse: () => unknown): unknown => {
    try {
      parse()
      return undefined
    } catch (error) {
      return error
    }
  }
  const isTyped = (error: unknown): boolean => error === undefined || error instanceof BadRequest || error instanceof BadUserInput

  it('is a request or a typed refusal', () => {
    const text = fc.oneof(fc.constantFrom(ID, `sha256:${ID}`, '', '{ a }', '\ud800'), fc.string({ unit: 'binary' }))
    const member = fc.oneof(text, fc.jsonValue(), fc.record({ persistedQuery: fc.jsonValue() }))
    const names = fc.constantFrom('query', 'documentId', 'doc_id', 'id', 'operationName', 'variables', 'extensions', '__proto__')
    fc.assert(
      fc.property(fc.array(fc.tuple(names, member)), (members) => {
        const url = members.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join('&')
        expect(refusal(() => parseBody(JSON.stringify(Object.fromEntries(members))))).toSatisfy(isTyped)
        expect(refusal(() => parseQueryString(url))).toSatisfy(isTyped)
      }),
      { numRuns: 500 },
    )
  })
})
