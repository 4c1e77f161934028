import { parse, validate } from 'graphql'
import { describe, expect, it } from 'vitest'
import { costOf as fullCost, mostValues } from '../../../gateway/operations/cost.ts'
import { clinic } from '../decide/clinic-policy.ts'
import { compile, connection, PHI } from '../../directives/clinic-fixture.ts'

function costOf(text: string, variables: Record<string, unknown> = {}, { schema, policy } = clinic): number {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  return mostValues(schema, policy, { document, name: undefined, variables })
}

const patients = (first: string, inside: string): string => `patients${first} { edges { node { ${inside} } } }`
const observations = (first: string, inside: string): string => `observations${first} { edges { node { ${inside} } } }`

describe('the maximum number of values that an operation could open', () => {
  it.each<[number, string]>([
    [0, '{ viewer { tenant roles } }'],
    [2, '{ patient(id: "a") { familyName ssn } }'],
    // a composite counts as one value, an embedded type as its leaves
    [3, '{ patient(id: "a") { maritalStatus { text coding { code display } } address { city country } } }'],
    // a record without PHI must still be loaded
    [1, '{ patient(id: "a") { id __typename } }'],
    [100, `{ ${patients('(first: 100)', 'id')} }`],
    [60, `{ ${patients('', 'id familyName ssn mrn')} }`],
    // the compared values of each candidate, and then a full page
    [2 * 50 + 5 * 2, '{ patientsByIdentifier(mrn: "a", phone: "1", first: 5) { edges { node { givenName email } } } }'],
    // the edge, and the values of a full page
    [1 + 10 * 2, `{ patient(id: "a") { ${observations('(first: 10)', 'status: category effectiveDateTime')} } }`],
    [7 * (2 + 5 * 1), `{ ${patients('(first: 7)', `ssn ${observations('(first: 5)', 'category')}`)} }`],
    // once on the way to a record, and once on the way back
    [1 + 5 * (1 + 2), `{ patient(id: "a") { ${observations('(first: 5)', 'category patient { familyName ssn }')} } }`],
    // one path counts as one value, under any alias and over any fragment
    [1, '{ patient(id: "a") { a: ssn b: ssn ...F ... on Patient { ssn } } } fragment F on Patient { ssn }'],
    // two aliases of a list are two pages, which can hold different records
    [
      1 + 1 + 5 + 4,
      `{ patient(id: "a") { ssn a: ${observations('(first: 5)', 'category')} b: ${observations('(first: 4)', 'category')} } }`,
    ],
    // an id counts as the most expensive type that it can name
    [3, '{ node(id: "a") { id ... on Patient { ssn mrn } ... on Observation { code { text } category valueString } } }'],
    [1, '{ patient(id: "a") { ssn @skip(if: false) mrn @skip(if: true) } }'],
  ])('%i for %s', (values, text) => {
    expect(costOf(text)).toBe(values)
  })

  it.each<[number, Record<string, unknown>]>([
    [5, { first: 5 }],
    [3, {}],
    // the default of the argument
    [20, { first: null }],
    // an invalid value is refused later, and counts as the largest page until then
    [100, { first: 101 }],
    [100, { first: -1 }],
    [100, { first: 2.5 }],
    [100, { first: '5' }],
  ])('%i with the variables %j', (values, variables) => {
    expect(costOf(`query ($first: Int = 3) { ${patients('(first: $first)', 'ssn')} }`, variables)).toBe(values)
  })

  it('follows variables in @skip and @include, and counts undecided selections', () => {
    const text = `query ($more: Boolean = false) { ${patients('(first: 10)', 'ssn @include(if: $more) mrn')} }`
    expect(costOf(text)).toBe(10)
    expect(costOf(text, { more: true })).toBe(20)
    expect(costOf(text, { more: 'x' })).toBe(20)
  })

  it('uses the default of the argument, or without one the largest page', () => {
    expect(costOf(`query ($first: Int) { ${patients('(first: $first)', 'ssn')} }`)).toBe(20)
    const bare = compile(`type Query { person(id: ID!): Person }
      type Person @record(patient: "id") { id: ID! @notPhi(because: "for a test") visits: VisitConnection ${PHI} }
      type Visit @record { id: ID! @notPhi(because: "for a test") reason: String ${PHI} }${connection('Visit')}`)
    expect(costOf('{ person(id: "a") { visits { edges { node { reason } } } } }', {}, bare)).toBe(101)
  })

  it('a computed value counts together with its inputs', () => {
    const people = compile(`type Query { person(id: ID!): Person }
      type Person @record(patient: "id") { born: String ${PHI} age: Int ${PHI} @computed(from: ["Person.born"]) }`)
    expect(costOf('{ person(id: "a") { age } }', {}, people)).toBe(2)
    expect(costOf('{ person(id: "a") { age born } }', {}, people)).toBe(2)
  })

  it('multiplies nested lists, and stops above the limit', () => {
    const nested = patients('(first: 100)', observations('(first: 100)', `patient { ${observations('(first: 100)', 'category')} }`))
    expect(costOf(`{ ${nested} }`)).toBeGreaterThan(1_000_000)
    const document = parse(`{ ${nested} }`)
    expect(mostValues(clinic.schema, clinic.policy, { document, name: undefined, variables: {} }, 5_000)).toBeGreaterThan(5_000)
  })

  it('stops at fragments that unfold beyond any limit', () => {
    const levels = Array.from(
      { length: 60 },
      (_, level) =>
        `fragment F${level} on Observation { patient { observations(first: 1) { edges { a: node { ...F${level + 1} } b: node { ...F${level + 1} } } } } }`,
    )
    const text = `{ node(id: "a") { ...F0 } } ${levels.join('\n')} fragment F60 on Observation { id }`
    expect(
      mostValues(clinic.schema, clinic.policy, { document: parse(text), name: undefined, variables: {} }, 5_000),
    ).toBeGreaterThan(5_000)
  })
})

describe('the places of an answer', () => {
  function placesOf(text: string): number {
    const document = parse(text)
    expect(validate(clinic.schema, document)).toEqual([])
    return fullCost(clinic.schema, clinic.policy, { document, name: undefined, variables: {} }).places
  }

  it.each<[number, string]>([
    [3, '{ viewer { tenant roles } }'],
    [4, '{ patient(id: "a") { a: ssn b: ssn c: ssn } }'],
    // a merged field is one place
    [2, '{ patient(id: "a") { ssn ...F ... on Patient { ssn } } } fragment F on Patient { ssn }'],
    [
      1 + 4 + 6,
      '{ patient(id: "a") { maritalStatus { text coding { code } } x: maritalStatus { a: text b: text coding { c: code d: code } } } }',
    ],
    [1 + 1 + 2, '{ patient(id: "a") { address { city country } } }'],
    [1 + 2 + 1, '{ patient(id: "a") { __typename a: __typename b: __typename } }'],
    // edges and their fields on each edge, the rest of a connection once
    [1 + 1 + 2 + 10 * (1 + 1 + 1), '{ patients(first: 10) { pageInfo { hasNextPage } edges { cursor node { id } } } }'],
    [
      1 + 1 + 10 * (1 + 1 + 1 + 5 * (1 + 2)),
      `{ ${patients('(first: 10)', observations('(first: 5)', 'a: category b: category'))} }`,
    ],
    [1 + 3, '{ node(id: "a") { id ... on Patient { ssn mrn } ... on Observation { category } } }'],
  ])('%i for %s', (places, text) => {
    expect(placesOf(text)).toBe(places)
  })

  it('aliases of a value cost places although they cost no value', () => {
    const aliases = Array.from({ length: 90 }, (_, alias) => `a${alias}: familyName`).join(' ')
    const text = `{ ${patients('(first: 100)', aliases)} }`
    expect(costOf(text)).toBe(100)
    expect(placesOf(text)).toBe(1 + 1 + 100 * (1 + 90))
  })
})
