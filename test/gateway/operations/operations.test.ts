import { buildASTSchema, execute, GraphQLObjectType, parse, validate, type GraphQLResolveInfo } from 'graphql'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../directives/compile.ts'
import { footprint, OperationUnknown } from '../../../gateway/operations/footprint.ts'
import { createPlanner, planPaths } from '../../../gateway/operations/plan.ts'
import { clinicTypeDefs } from '../../../schema/clinic.ts'

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })

/** The footprint of a valid operation. */
function touched(text: string, variables: Record<string, unknown> = {}) {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  const found = footprint(schema, policy, document, undefined, variables)
  const sorted = (set: ReadonlySet<string>) => [...set].toSorted()
  return {
    paths: sorted(found.paths),
    coordinates: sorted(found.coordinates),
    roots: sorted(found.roots),
    reads: sorted(found.reads),
  }
}

/** Executes the operation and returns the `info` that the resolvers of one coordinate received. */
function infosOf(text: string, coordinate: string, variables: Record<string, unknown> = {}): readonly GraphQLResolveInfo[] {
  const document = parse(text)
  expect(validate(schema, document)).toEqual([])
  const infos: GraphQLResolveInfo[] = []
  const result = execute({
    schema,
    document,
    variableValues: variables,
    fieldResolver: (_source, _args, _context, info) => {
      if (`${info.parentType.name}.${info.fieldName}` === coordinate) infos.push(info)
      if (info.fieldName === 'edges') return [{}, {}]
      return info.fieldName === 'node' ? { __typename: 'Patient' } : {}
    },
  })
  if (result instanceof Promise) throw new Error('Execution here is synchronous.')
  expect(infos).not.toEqual([])
  return infos
}

function objectType(name: string): GraphQLObjectType {
  const type = schema.getType(name)
  if (!(type instanceof GraphQLObjectType)) throw new Error(`There is no object type ${name}.`)
  return type
}

/** The planned paths of the first occurrence of a coordinate. */
function planned(
  text: string,
  variables: Record<string, unknown> = {},
  coordinate = 'Query.patient',
  within: readonly string[] = [],
) {
  const [info] = infosOf(text, coordinate, variables)
  if (!info) throw new Error('The coordinate was not reached.')
  return [...planPaths(info, objectType('Patient'), policy, within)].toSorted()
}

describe('P4: the footprint uses schema paths', () => {
  it('P4: response keys change nothing', () => {
    const swapped = touched('{ patient(id: "x") { familyName: ssn  ssn: familyName } }')
    expect(swapped).toEqual(touched('{ patient(id: "x") { ssn familyName } }'))
    expect(swapped.paths).toEqual(['Patient.familyName', 'Patient.ssn'])
    expect(touched('{ patient(id: "x") { familyName: ssn } }').paths).toEqual(['Patient.ssn'])
  })

  it('P4: follows fragments, and interfaces to every possible type', () => {
    const text = `
      query { node(id: "x") { ...named ... on Observation { code { text } } __typename } }
      fragment named on Node { id ... on Patient { ...inner } }
      fragment inner on Patient { address { city } maritalStatus { coding { code } } }`
    expect(touched(text).paths).toEqual(['Observation.code', 'Patient.address.city', 'Patient.maritalStatus'])
    const ids = [...policy.records.keys()].map((type) => `${type}.id`)
    expect(ids).toHaveLength(12)
    expect(touched(text).coordinates).toEqual(
      [
        ...ids,
        'Address.city',
        'CodeableConcept.coding',
        'CodeableConcept.text',
        'Coding.code',
        'Observation.code',
        'Patient.address',
        'Patient.maritalStatus',
        'Query.node',
      ].toSorted(),
    )
  })

  it('P4: crosses edges, which are paths themselves if they are PHI', () => {
    const found = touched('{ patients { edges { node { observations { edges { node { patient { email } } } } } } } }')
    expect(found.paths).toEqual(['Patient.email', 'Patient.observations'])
    expect(found.roots).toEqual(['Query.patients'])
    expect(found.coordinates).toContain('Observation.patient')
  })

  it.each([
    ['given', { yes: true }, ['Patient.email', 'Patient.phone']],
    ['given otherwise', { yes: false }, ['Patient.phone', 'Patient.ssn']],
    ['by default', {}, ['Patient.phone', 'Patient.ssn']],
  ])('P4: evaluates @skip and @include with a variable %s', (_name, variables, paths) => {
    const text = `query ($yes: Boolean! = false) { patient(id: "x") {
      email @include(if: $yes)  ssn @skip(if: $yes)  race @include(if: false)  phone @skip(if: false)
    } }`
    expect(touched(text, variables).paths).toEqual(paths)
  })

  it('P4: counts a selection as selected if its condition cannot be evaluated', () => {
    const text = 'query ($yes: Boolean!) { patient(id: "x") { email @include(if: $yes)  ssn @skip(if: $yes) } }'
    expect(touched(text, { yes: 'maybe' }).paths).toEqual(['Patient.email', 'Patient.ssn'])
  })

  it('P11: a given argument is a read', () => {
    const text =
      'query ($code: String) { patient(id: "x") { observations(first: 1, code: $code, until: null) { pageInfo { hasNextPage } } } }'
    expect(touched(text, { code: '4548-4' }).reads).toEqual(['Observation.code'])
    expect(touched(text).reads).toEqual([])
    expect(touched('{ patient(id: "x") { observations(since: "2020") { pageInfo { hasNextPage } } } }').reads).toEqual([
      'Observation.effectiveDateTime',
    ])
  })

  it('P3: an unknown field is among the paths, so that the decision denies it', () => {
    const stranger = buildASTSchema(parse('type Query { patient: Patient } type Patient { shoeSize: Int }'))
    const found = footprint(stranger, policy, parse('{ patient { shoeSize } }'), undefined, {})
    expect([...found.paths]).toEqual(['Patient.shoeSize'])
  })

  it('ends on fragments that are cyclic or double at each level', () => {
    const levels = Array.from(
      { length: 60 },
      (_, n) =>
        `fragment f${n} on Patient { a: observations { edges { node { patient { ...f${n + 1} } } } } b: observations { edges { node { patient { ...f${n + 1} } } } } }`,
    )
    const text = `{ patient(id: "x") { ...f0 } } ${levels.join(' ')} fragment f60 on Patient { ssn ...f0 }`
    expect([...footprint(schema, policy, parse(text), undefined, {}).paths].toSorted()).toEqual([
      'Patient.observations',
      'Patient.ssn',
    ])
  })

  it('refuses a document with several operations and no operation name', () => {
    expect(() =>
      footprint(schema, policy, parse('query A { viewer { userId } } query B { viewer { tenant } }'), undefined, {}),
    ).toThrow(OperationUnknown)
    expect([
      ...footprint(schema, policy, parse('query A { viewer { userId } } query B { viewer { tenant } }'), 'B', {}).coordinates,
    ]).toEqual(['Query.viewer', 'Viewer.tenant'])
  })
})

describe('the plan of one record', () => {
  it('P4: uses schema paths, never response keys', () => {
    expect(planned('{ patient(id: "x") { familyName: ssn } }')).toEqual(['Patient.ssn'])
  })

  it('contains values, values of embedded types and PHI edges, but nothing behind an edge or inside a composite', () => {
    const text = `{ patient(id: "x") { id version address { city postal: postalCode } maritalStatus { coding { code } text }
      observations { edges { node { valueString patient { race } } } } } }`
    expect(planned(text)).toEqual([
      'Patient.address.city',
      'Patient.address.postalCode',
      'Patient.maritalStatus',
      'Patient.observations',
    ])
  })

  it('follows only fragments with a type condition that the record meets', () => {
    const text = `
      query { node(id: "x") { ... on Patient { ssn } ... on Observation { valueString } ... on Node { ...deep } } }
      fragment deep on Node { id ... on Patient { phone } }`
    expect(planned(text, {}, 'Query.node')).toEqual(['Patient.phone', 'Patient.ssn'])
  })

  it('merges all nodes of one response key', () => {
    const text = `query { patient(id: "x") { ssn address { city } } patient(id: "x") { phone address { state } } }`
    expect(planned(text)).toEqual(['Patient.address.city', 'Patient.address.state', 'Patient.phone', 'Patient.ssn'])
  })

  it('keeps two aliases of a root apart', () => {
    const infos = infosOf('{ a: patient(id: "x") { ssn } b: patient(id: "y") { phone } }', 'Query.patient')
    expect(infos.map((info) => [...planPaths(info, objectType('Patient'), policy)])).toEqual([['Patient.ssn'], ['Patient.phone']])
  })

  it('evaluates @skip and @include, on fields and on fragments', () => {
    const text = `query ($yes: Boolean!) { patient(id: "x") {
      email @include(if: $yes)  ssn @skip(if: $yes)  ... @include(if: $yes) { race }  ...more @skip(if: $yes) ...more @include(if: $yes)
    } } fragment more on Patient { phone }`
    expect(planned(text, { yes: true })).toEqual(['Patient.email', 'Patient.phone', 'Patient.race'])
    expect(planned(text, { yes: false })).toEqual(['Patient.phone', 'Patient.ssn'])
  })

  it('merges all selections below a connection', () => {
    const text = `query { patients { edges { node { ssn } other: node { phone } } again: edges { node { email } } ...page } }
      fragment page on PatientConnection { edges { cursor node { ... on Node { ... on Patient { race } } } } pageInfo { hasNextPage } }`
    expect(planned(text, {}, 'Query.patients', ['edges', 'node'])).toEqual([
      'Patient.email',
      'Patient.phone',
      'Patient.race',
      'Patient.ssn',
    ])
    expect(planned('{ patients { pageInfo { hasNextPage } } }', {}, 'Query.patients', ['edges', 'node'])).toEqual([])
  })

  it('is computed once for all items of a list, and again for another request', () => {
    const text = 'query ($yes: Boolean!) { patients { edges { node { email @include(if: $yes) } } } }'
    const [one, two] = infosOf(text, 'PatientEdge.node', { yes: true })
    if (!one || !two) throw new Error('Two nodes were expected.')
    const plan = createPlanner(policy)
    const type = objectType('Patient')
    expect(plan(one, type)).toBe(plan(two, type))
    expect([...plan(one, type)]).toEqual(['Patient.email'])
    expect(plan(one, objectType('Observation'))).not.toBe(plan(one, type))
    // equal nodes with other variables belong to another request, which has its own planner
    expect([...createPlanner(policy)({ ...one, variableValues: { yes: false } }, type)]).toEqual([])
  })
})
