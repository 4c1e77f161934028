import { addResolversToSchema } from '@graphql-tools/schema'
import { applyMiddleware } from 'graphql-middleware'
import { defaultFieldResolver, type GraphQLSchema, isObjectType } from 'graphql'
import { keepDecimals } from './exact-float.ts'
import { shieldRules } from './access/shield-rules.ts'
import { interfaceNames, leafResolvers } from './disclosure/leaf-resolvers.ts'
import type { GatewayContext, Resolvers } from './mutations/gateway-context.ts'
import { resolveNullToDefault } from './operations/argument-defaults.ts'
import type { Coordinate } from '../directives/coordinates.ts'
import type { CoordinateClass, PolicyTable } from '../directives/policy.ts'

/** A field does not have the guard that its class requires. The gateway does not start. */
export class UnprotectedField extends Error {
  override readonly name = 'UnprotectedField'
  constructor(coordinate: string, what: string) {
    super(`${coordinate}: ${what}`)
  }
}

/**
 * The schema to execute: the resolvers of roots and edges, a generated resolver for each leaf, and shield's rules around roots
 * and edges. A null for an argument with a default means the default. The last step compares each field with its class, before and after wrapping.
 *
 * @throws UnprotectedField
 */
export function executableSchema(schema: GraphQLSchema, policy: PolicyTable, resolvers: Resolvers): GraphQLSchema {
  const own = leafResolvers(schema, policy)
  refuseForeignLeaves(policy, resolvers)
  const abstract = Object.fromEntries(interfaceNames(schema).map((name) => [name, { __resolveType: typeOf }]))
  // graphql-tools types the context and the arguments of resolvers as any
  const resolved = addResolversToSchema({ schema, resolvers: { ...resolvers, ...abstract } as ResolverMap })
  // set directly: graphql-tools binds each function anew, and the comparison below is by identity
  for (const [type, fields] of Object.entries(own)) {
    const target = resolved.getType(type)
    for (const [name, resolve] of Object.entries(fields)) {
      const field = isObjectType(target) ? target.getFields()[name] : undefined
      if (field !== undefined) field.resolve = resolve
    }
  }
  resolveNullToDefault(resolved, policy)
  const rules = shieldRules<Partial<GatewayContext>>(
    resolved,
    policy,
    ({ scope }) => scope?.caller,
    (denial, coordinate, source, args, { scope }, info) =>
      scope === undefined ? null : scope.refuse(denial, coordinate, source, args, info),
  )
  const wrapped: GraphQLSchema = applyMiddleware(resolved, rules)
  compare(policy, own, resolved, wrapped)
  keepDecimals(wrapped)
  return wrapped
}

type ResolverMap = Parameters<typeof addResolversToSchema>[0]['resolvers']

const typeOf = (record: { __typename: string }): string => record.__typename

/** A deployment supplies roots and edges only: a leaf of its own would bypass the guard. */
function refuseForeignLeaves(policy: PolicyTable, resolvers: Resolvers): void {
  for (const [type, fields] of Object.entries(resolvers)) {
    for (const [field, resolve] of Object.entries(fields)) {
      const coordinate = `${type}.${field}` as Coordinate
      const kind = policy.classes.get(coordinate)
      if (kind !== 'ROOT' && kind !== 'EDGE') throw new UnprotectedField(coordinate, 'only roots and edges are given a resolver')
      // Checked before graphql-tools binds each function anew. The default resolver reads a property of any object.
      if ((resolve as unknown) === defaultFieldResolver)
        throw new UnprotectedField(coordinate, 'a root or an edge needs a resolver')
    }
  }
}

function compare(policy: PolicyTable, own: Resolvers, before: GraphQLSchema, after: GraphQLSchema): void {
  for (const type of Object.values(after.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    const unwrapped = before.getType(type.name)
    for (const [name, field] of Object.entries(type.getFields())) {
      const coordinate = `${type.name}.${name}` as Coordinate
      const given = isObjectType(unwrapped) ? unwrapped.getFields()[name]?.resolve : undefined
      const fault = faultOf(policy.classes.get(coordinate), given, field.resolve, own[type.name]?.[name])
      if (fault !== undefined) throw new UnprotectedField(coordinate, fault)
    }
  }
}

function faultOf(kind: CoordinateClass | undefined, given: unknown, wrapped: unknown, own: unknown): string | undefined {
  switch (kind) {
    case 'ROOT':
    case 'EDGE':
      if (given === undefined) return 'a root or an edge needs a resolver'
      return wrapped === given ? 'no rule holds it' : undefined
    case 'VALUE':
    case 'EMBEDDED':
      return own !== undefined && given === own && wrapped === own
        ? undefined
        : 'a leaf must have the generated guard and nothing around it'
    case 'NOT_PHI':
    case 'STRUCTURE':
      return wrapped === given ? undefined : 'it is wrapped and should not be'
    case undefined:
      return 'it has no class'
  }
}
