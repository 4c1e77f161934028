import { getNamedType, type GraphQLFieldResolver, type GraphQLSchema, isInterfaceType, isObjectType } from 'graphql'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { isSignature } from '../../directives/signature-field.ts'
import { ConnectionEdge } from './connection-edge.ts'
import type { RequestScope } from './request-scope.ts'
import { RecordView } from './record-view.ts'

/** The part of the GraphQL context that discloses. */
export interface DisclosureContext {
  readonly scope: RequestScope
}

/** A resolver that reads. */
export type ReadResolver = GraphQLFieldResolver<unknown, DisclosureContext, Record<string, unknown>>
type ReadResolvers = Readonly<Record<string, Readonly<Record<string, ReadResolver>>>>

/** The parent of a leaf is not a record of the record loader. */
class NotARecord extends Error {
  override readonly name = 'NotARecord'
  constructor(coordinate: string) {
    super(`${coordinate} was resolved on something that is no record`)
  }
}

/**
 * A resolver for every leaf, from its class in the policy table. A `@phi` leaf reads its outcome through a synchronous guard; no
 * resolver of a leaf can open anything.
 */
export function leafResolvers(schema: GraphQLSchema, policy: PolicyTable): ReadResolvers {
  const resolvers: Record<string, Record<string, ReadResolver>> = {}
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const [field, { type: given }] of Object.entries(type.getFields())) {
      const target = getNamedType(given)
      const isPlain = isObjectType(target) && ![...policy.records.keys()].some((record) => (record as string) === target.name)
      // an edge of a list without records holds its node itself
      if (isPlain && field === 'node' && policy.classes.get(`${type.name}.${field}` as Coordinate) === 'STRUCTURE') continue
      const resolver = leafResolver(policy, `${type.name}.${field}` as Coordinate, type.name, field, isSignature(given, field))
      if (resolver !== undefined) (resolvers[type.name] ??= {})[field] = resolver
    }
  }
  return resolvers
}

function leafResolver(
  policy: PolicyTable,
  coordinate: Coordinate,
  type: string,
  field: string,
  signature: boolean,
): ReadResolver | undefined {
  switch (policy.classes.get(coordinate)) {
    case 'VALUE':
      return (source, _args, { scope }, info) => scope.read(asRecord(source, coordinate), field, info.path)
    case 'EMBEDDED':
      return (source) => asRecord(source, coordinate).embedded(field)
    case 'NOT_PHI':
      if (![...policy.records.keys()].some((record) => (record as string) === type)) return undefined
      if (field === 'id') return (source, _args, { scope }) => scope.ids.encode(asRecord(source, coordinate).ref)
      if (field === 'version') return (source) => asRecord(source, coordinate).version
      if (signature)
        return async (source, _args, { scope }, info) =>
          await scope.signatures.shown(asRecord(source, coordinate), coordinate, info.path)
      return (source) => asRecord(source, coordinate).open(field)
    case 'STRUCTURE':
      if (field !== 'node' || !type.endsWith('Edge')) return undefined
      return (source, _args, { scope }, info) =>
        source instanceof ConnectionEdge ? scope.connections.nodeOf(source, coordinate, info.path) : null
    case 'ROOT':
    case 'EDGE':
    case undefined:
      return undefined
  }
}

function asRecord(source: unknown, coordinate: Coordinate): RecordView {
  if (source instanceof RecordView) return source
  throw new NotARecord(coordinate)
}

/** Interfaces, which are resolved by the type of the record. */
export function interfaceNames(schema: GraphQLSchema): string[] {
  return Object.values(schema.getTypeMap())
    .filter(isInterfaceType)
    .map(({ name }) => name)
}
