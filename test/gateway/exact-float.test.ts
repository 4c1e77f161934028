import { buildSchema, GraphQLFloat, graphqlSync } from 'graphql'
import { describe, expect, it } from 'vitest'
import { keepDecimals } from '../../gateway/exact-float.ts'
import { isCertainlyLonger } from '../../gateway/http/response-size.ts'

const answer = (total: unknown, keeps = true): string => {
  const schema = buildSchema('type Query { total: Float  all: [Float!]! }')
  if (keeps) keepDecimals(schema)
  return JSON.stringify(graphqlSync({ schema, source: '{ total all }', rootValue: { total, all: [total] } }).data)
}

describe('a Float of an answer', () => {
  it.each(['1.10', '12345678901234567890', '-0.0', '1.0E+2'])('%s leaves with its digits', (text) => {
    expect(answer(text)).toBe(`{"total":${text},"all":[${text}]}`)
  })

  it.each([1.5, '007', 7])('%j is a number as before', (value) => {
    expect(answer(value)).toBe(answer(value, false))
  })

  it.each(['1e999', 'CANARY', '1.10"', {}])('%j is no number', (value) => {
    expect(answer(value)).toBe('null')
  })

  it('changes no other schema of the process', () => {
    answer('1.10')
    expect(GraphQLFloat.serialize('1.10')).toBe(1.1)
  })

  it('counts its digits in the size of a response', () => {
    const data = JSON.parse('[1.10]', (_key, value: unknown) => value) as unknown
    expect(isCertainlyLonger(data, 3)).toBe(false)
    const schema = buildSchema('type Query { total: Float }')
    keepDecimals(schema)
    const { data: exact } = graphqlSync({ schema, source: '{ total }', rootValue: { total: '1.10' } })
    expect(isCertainlyLonger(exact, JSON.stringify(exact).length)).toBe(false)
  })
})
