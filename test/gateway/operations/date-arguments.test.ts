import fc from 'fast-check'
import { buildSchema, getOperationAST, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { hasInvalidDate, invalidDateLiteral } from '../../../gateway/operations/date-arguments.ts'
import { readDocument } from '../../../gateway/operations/documents.ts'

const schema = buildSchema(`
  scalar PartialDate
  scalar DateTime
  input Span { from: DateTime! born: [PartialDate!] deeper: Span }
  type Query { list(since: DateTime, born: PartialDate, any: [DateTime], span: Span, text: String, first: Int): Int inner: Query }
`)

const literal = (given: string): boolean => invalidDateLiteral(schema, parse(given)) !== undefined
function variable(type: string, value: unknown, using = 'since'): boolean {
  const document = parse(`query ($v: ${type}) { list(${using}: $v) }`)
  const operation = getOperationAST(document)
  if (!operation) throw new Error('the fixture has none')
  return hasInvalidDate(schema, operation, { v: value })
}

const WRONG = ['2020-02-30', '2020-13', 'yesterday', '', '15.06.2020']

describe('an argument that is not a date is found before the operation runs', () => {
  it.each(WRONG)('the text %j, wherever the schema has a date', (text) => {
    const value = JSON.stringify(text)
    for (const given of [
      `since: ${value}`,
      `born: ${value}`,
      `any: [null, "2020", ${value}]`,
      `span: { from: ${value} }`,
      `span: { from: "2020", born: ["2020", ${value}] }`,
      `span: { from: "2020", deeper: { from: ${value} } }`,
    ])
      expect(literal(`{ list(${given}) }`), given).toBe(true)
    expect(literal(`query ($v: DateTime = ${value}) { list(since: $v) }`)).toBe(true)
    expect(literal(`{ inner { ...F } } fragment F on Query { list(since: ${value}) }`)).toBe(true)
    expect(variable('DateTime', text)).toBe(true)
    expect(variable('PartialDate!', text, 'born')).toBe(true)
    expect(variable('[DateTime]', ['2020', text], 'any')).toBe(true)
    expect(variable('[DateTime]', text, 'any')).toBe(true)
    expect(variable('Span', { from: '2020', born: [text] }, 'span')).toBe(true)
    expect(variable('Span', { from: '2020', deeper: { from: text } }, 'span')).toBe(true)
  })

  it.each([5, 2020, 20.2, true, {}, ['2020']])('%j instead of a text', (value) => {
    expect(variable('DateTime', value)).toBe(true)
    expect(variable('PartialDate', value, 'born')).toBe(true)
  })

  it.each(['5', '2020', '20.2', 'true', 'YEAR', '{ year: 2020 }'])('the literal %s instead of a text', (value) => {
    expect(literal(`{ list(since: ${value}) }`)).toBe(true)
  })

  it('refuses a time for a PartialDate', () => {
    expect(literal('{ list(born: "2020-06-15T12:00:00Z") }')).toBe(true)
    expect(variable('PartialDate', '2020-06-15T12:00:00Z', 'born')).toBe(true)
  })

  it('accepts every date, null, a missing variable, and texts of other types', () => {
    const days = fc.date({ min: new Date('0002-01-01'), max: new Date('9997-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(days, fc.constantFrom(4, 7, 10, 24), (day, length) => {
        const text = day.toISOString().slice(0, length)
        expect(literal(`{ list(since: "${text}", any: "${text}", span: { from: "${text}", born: null }) }`)).toBe(false)
        expect(variable('DateTime', text)).toBe(false)
        expect(variable('[DateTime]', [text, null], 'any')).toBe(false)
      }),
      { numRuns: 50 },
    )
    expect(literal('{ list(since: null, born: null, any: null, span: null, text: "yesterday", first: 5) }')).toBe(false)
    for (const value of [null, undefined]) expect(variable('DateTime', value)).toBe(false)
    expect(variable('String', 'yesterday', 'text')).toBe(false)
  })

  it('a document with such a literal is refused as wrong input, with its place and nothing of its text', () => {
    const text = '{ list(since: "2020-02-30") }'
    expect(readDocument(schema, text)).toEqual({ refused: 'BAD_USER_INPUT', locations: [{ line: 1, column: 15 }] })
  })
})
