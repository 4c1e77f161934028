import { GraphQLSchema, isEnumType, isInputObjectType, isScalarType } from 'graphql'
import { DIRECTIVE_NAMES } from './read-directives.ts'

/**
 * The schema for clients: types, fields, arguments and descriptions. It omits this project's directives and the types that only they
 * use. Introspection and `phi schema print` show this schema.
 */
export function publicSchema(schema: GraphQLSchema): GraphQLSchema {
  const config = schema.toConfig()
  const ours: readonly string[] = DIRECTIVE_NAMES
  return new GraphQLSchema({
    ...config,
    directives: config.directives.filter(({ name }) => !ours.includes(name)),
    // the constructor adds the enums, inputs and scalars that fields and arguments use
    types: config.types.filter((type) => !isEnumType(type) && !isInputObjectType(type) && !isScalarType(type)),
  })
}
