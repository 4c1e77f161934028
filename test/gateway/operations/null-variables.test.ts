import { buildSchema, getOperationAST, parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { usesForbiddenNull } from '../../../gateway/operations/null-variables.ts'

const schema = buildSchema(`
  interface Named { name(form: String! = "short"): String }
  input Range { from: Int!, to: Int! = 9, within: [Range!] }
  type Me implements Named { name(form: String! = "short"): String, friend: Me, near(range: Range, ranges: [Range!], years: [Int!]): Me }
  type Query { me(id: ID!, first: Int = 20, size: Int! = 20): Me, named: Named }
`)

function refused(text: string, variables: Record<string, unknown>): boolean {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  const operation = getOperationAST(document)
  if (!operation) throw new Error('the document has one operation')
  return usesForbiddenNull(schema, document, operation, variables)
}

describe('a null variable is refused where null is not allowed', () => {
  it.each([
    ['an argument', 'query ($v: ID = "a") { me(id: $v) { name } }'],
    ['an argument with a default', 'query ($v: Int) { me(id: "a", size: $v) { name } }'],
    ['a condition', 'query ($v: Boolean = true) { named @include(if: $v) { name } }'],
    ['a condition on a fragment', 'query ($v: Boolean = true) { ...F @skip(if: $v) } fragment F on Query { named { name } }'],
    ['a field of an interface', 'query ($v: String = "a") { named { name(form: $v) } }'],
    ['a fragment', 'query ($v: String = "a") { named { ...F } } fragment F on Me { friend { ... { name(form: $v) } } }'],
    ['an inline fragment', 'query ($v: String = "a") { named { ... on Me { friend { name(form: $v) } } } }'],
    ['an input object', 'query ($v: Int = 1) { me(id: "a") { near(range: { from: $v }) { name } } }'],
    ['an input object with a default', 'query ($v: Int) { me(id: "a") { near(range: { from: 1, to: $v }) { name } } }'],
    ['a list', 'query ($v: Int = 1) { me(id: "a") { near(years: [1, $v]) { name } } }'],
    ['an object in a list', 'query ($v: Int = 1) { me(id: "a") { near(ranges: [{ from: $v }]) { name } } }'],
    [
      'an object in place of a list',
      'query ($v: Int = 1) { me(id: "a") { near(ranges: { from: 1, within: { from: $v } }) { name } } }',
    ],
  ])('%s', (_what, text) => {
    expect(refused(text, { v: null })).toBe(true)
    expect(refused(text, {})).toBe(false)
  })

  it.each([
    ['an optional argument', 'query ($v: Int) { me(id: "a", first: $v) { name } }'],
    ['an optional list', 'query ($v: [Int!]) { me(id: "a") { near(years: $v) { name } } }'],
    ['an argument of a field that is left out', 'query ($v: ID = "a") { me(id: $v) @include(if: false) { name } }'],
    ['an argument within a fragment that is left out', 'query ($v: ID = "a") { ... @skip(if: true) { me(id: $v) { name } } }'],
  ])('and not at %s', (_what, text) => {
    expect(refused(text, { v: null })).toBe(false)
  })

  it('and not in another operation of the document', () => {
    const document = parse('query A($v: ID = "a") { me(id: $v) { name } } query B($v: Int) { me(id: "a", first: $v) { name } }')
    const operation = getOperationAST(document, 'B')
    expect(operation && usesForbiddenNull(schema, document, operation, { v: null })).toBe(false)
  })
})
