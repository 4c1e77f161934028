import { type GraphQLFieldResolver, type GraphQLSchema, isObjectType } from 'graphql'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AnyField } from '../../directives/read-directives.ts'

/** The defaults of a field's arguments, by name, for arguments that a client may set to null. */
type Defaults = ReadonlyMap<string, unknown>

/**
 * Makes null mean the default, for each argument of a root or an edge that has one. Generated clients send null for each variable
 * that is not set. An argument that reads a field is left out: there, null filters nothing.
 *
 * @param schema its resolvers are replaced
 */
export function resolveNullToDefault(schema: GraphQLSchema, policy: PolicyTable): void {
  for (const [coordinate, kind] of policy.classes) {
    if (kind !== 'ROOT' && kind !== 'EDGE') continue
    const [typeName = '', name = ''] = coordinate.split('.')
    const type = schema.getType(typeName)
    const field = isObjectType(type) ? type.getFields()[name] : undefined
    if (field?.resolve === undefined) continue
    const defaults = defaultsOf(field, coordinate, policy)
    if (defaults.size > 0) field.resolve = withDefaults(field.resolve, defaults)
  }
}

function defaultsOf({ args }: AnyField, coordinate: Coordinate, { reads }: PolicyTable): Defaults {
  return new Map(
    args.flatMap(({ name, defaultValue }) =>
      defaultValue === undefined || reads.has(`${coordinate}(${name}:)`) ? [] : [[name, defaultValue as unknown] as const],
    ),
  )
}

type AnyResolver = GraphQLFieldResolver<unknown, unknown, Record<string, unknown>>

function withDefaults(resolve: AnyResolver, defaults: Defaults): AnyResolver {
  return (source, args, context, info) => {
    const replaced = [...defaults].filter(([name]) => args[name] === null)
    return resolve(source, replaced.length === 0 ? args : { ...args, ...Object.fromEntries(replaced) }, context, info)
  }
}
