import { defaultFieldResolver } from 'graphql'
import { afterEach, describe, expect, it, vi } from 'vitest'
import * as shield from '../../gateway/access/shield-rules.ts'
import { historyResolvers } from '../../gateway/disclosure/history-resolvers.ts'
import * as leaves from '../../gateway/disclosure/leaf-resolvers.ts'
import type { Resolver, Resolvers } from '../../gateway/mutations/gateway-context.ts'
import { executableSchema, UnprotectedField } from '../../gateway/executable-schema.ts'
import { joinedResolvers, recordResolvers } from '../../gateway/mutations/record-resolvers.ts'
import { clinicResolvers } from '../../resolvers/clinic.ts'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { CoordinateClass } from '../../directives/policy.ts'
import { clinic } from './decide/clinic-policy.ts'
import { compile, connection, NOT_PHI, PHI } from '../directives/clinic-fixture.ts'

// Unwrapped functions. A test omits a part of their results, to check that the comparison notices it.
vi.mock('../../gateway/access/shield-rules.ts', { spy: true })
vi.mock('../../gateway/disclosure/leaf-resolvers.ts', { spy: true })
afterEach(() => {
  vi.mocked(shield.shieldRules).mockReset()
  vi.mocked(leaves.leafResolvers).mockReset()
})

const SDL = `type Query { person(id: ID!): Person }
type Person @record(patient: "id") {
  id: ID! ${NOT_PHI}
  name: String ${PHI}
  home: Home
  visits: VisitConnection ${PHI}
}
type Home { city: String ${PHI} }
type Visit @record { id: ID! ${NOT_PHI} note: String ${PHI} person: Person }
${connection('Visit')}`
const nothing: Resolver = () => null
const SOUND: Resolvers = { Query: { person: nothing }, Person: { visits: nothing }, Visit: { person: nothing } }

const build = (resolvers: Resolvers = SOUND) => {
  const { schema, policy } = compile(SDL)
  return executableSchema(schema, policy, resolvers)
}
const without = (type: string, field: string): Resolvers =>
  Object.fromEntries(
    Object.entries(SOUND).map(([name, fields]) => [
      name,
      Object.fromEntries(Object.entries(fields).filter(([key]) => name !== type || key !== field)),
    ]),
  )

describe('P3: a field without the guard of its class stops the gateway', () => {
  it('a valid schema is built, and so is the shipped clinic', () => {
    expect(() => build()).not.toThrow()
    const ofRecords = joinedResolvers(recordResolvers(clinic.policy), historyResolvers(clinic.policy))
    expect(() => executableSchema(clinic.schema, clinic.policy, joinedResolvers(clinicResolvers, ofRecords))).not.toThrow()
  })

  it.each([
    ['a root', 'Query', 'person'],
    ['an edge to records', 'Person', 'visits'],
    ['an edge to one record', 'Visit', 'person'],
  ])('%s without a resolver', (_what, type, field) => {
    expect(() => build(without(type, field))).toThrow(
      new UnprotectedField(`${type}.${field}`, 'a root or an edge needs a resolver'),
    )
  })

  it('a root with the default resolver, which decides nothing', () => {
    expect(() => build({ ...SOUND, Query: { person: defaultFieldResolver as Resolver } })).toThrow(UnprotectedField)
  })

  it.each([
    ['a value', 'Person', 'name'],
    ['a value of an embedded type', 'Home', 'city'],
    ['an embedded object', 'Person', 'home'],
    ['a field that is not PHI', 'Person', 'id'],
    ['the node of an edge', 'VisitEdge', 'node'],
    ['the edges of a connection', 'VisitConnection', 'edges'],
    ['a field that the schema does not have', 'Person', 'ghost'],
    ['a type that the schema does not have', 'Ghost', 'name'],
  ])('a resolver of the deployment on %s', (_what, type, field) => {
    expect(() => build({ ...SOUND, [type]: { ...SOUND[type], [field]: nothing } })).toThrow(
      new UnprotectedField(`${type}.${field}`, 'only roots and edges are given a resolver'),
    )
  })

  it.each([
    ['Person', 'name'],
    ['Home', 'city'],
    ['Person', 'home'],
  ])('a leaf without its guard: %s.%s', (type, field) => {
    const real = vi.mocked(leaves.leafResolvers).getMockImplementation()
    expect(real).toBeUndefined()
    vi.mocked(leaves.leafResolvers).mockImplementationOnce(() => {
      const { schema, policy } = compile(SDL)
      const all = leaves.leafResolvers(schema, policy)
      return { ...all, [type]: Object.fromEntries(Object.entries(all[type] ?? {}).filter(([name]) => name !== field)) }
    })
    expect(() => build()).toThrow(
      new UnprotectedField(`${type}.${field}`, 'a leaf must have the generated guard and nothing around it'),
    )
  })

  it.each([
    ['Query', 'person'],
    ['Person', 'visits'],
    ['Visit', 'person'],
  ])('an edge or a root without a rule: %s.%s', (type, field) => {
    vi.mocked(shield.shieldRules).mockImplementationOnce((...args) => {
      const rules = shield.shieldRules(...args)
      return { ...rules, [type]: Object.fromEntries(Object.entries(rules[type] ?? {}).filter(([name]) => name !== field)) }
    })
    expect(() => build()).toThrow(new UnprotectedField(`${type}.${field}`, 'no rule holds it'))
  })

  it.each([
    ['a value', 'Person', 'name'],
    ['a field that is not PHI', 'Person', 'id'],
    ['a part of a page', 'PageInfo', 'endCursor'],
  ])('%s with an additional wrapper', (_what, type, field) => {
    vi.mocked(shield.shieldRules).mockImplementationOnce((...args) => {
      const rules = shield.shieldRules(...args)
      const around: shield.Wrap = (resolve, source, from, context, info) => Promise.resolve(resolve(source, from, context, info))
      return { ...rules, [type]: { ...rules[type], [field]: around } }
    })
    expect(() => build()).toThrow(UnprotectedField)
  })

  it('a field without a class, and a class that does not match the field', () => {
    const reclassed = (coordinate: string, kind: CoordinateClass | undefined) => {
      const { schema, policy } = compile(SDL)
      const classes = new Map(policy.classes)
      if (kind === undefined) classes.delete(coordinate as Coordinate)
      else classes.set(coordinate as Coordinate, kind)
      return () => executableSchema(schema, { ...policy, classes }, SOUND)
    }
    expect(reclassed('Person.name', undefined)).toThrow(new UnprotectedField('Person.name', 'it has no class'))
    expect(reclassed('Person.name', 'EDGE')).toThrow(UnprotectedField)
    expect(reclassed('Query.person', 'VALUE')).toThrow(UnprotectedField)
    expect(reclassed('Query.ghost', 'ROOT')).toThrow()
  })
})
