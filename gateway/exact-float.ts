import {
  GraphQLFloat,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLOutputType,
  GraphQLScalarType,
  type GraphQLSchema,
  isObjectType,
} from 'graphql'
import { exactNumber, isNumberText } from './model/exact-number.ts'

/**
 * The scalar Float of answers. A value that is stored as the text of a number leaves as a JSON number with the same digits. All other values
 * are those of GraphQL's Float.
 */
const ExactFloat = new GraphQLScalarType<unknown, unknown>({
  ...GraphQLFloat.toConfig(),
  serialize: (value) => (typeof value === 'string' && isNumberText(value) ? exactNumber(value) : GraphQLFloat.serialize(value)),
})

/**
 * Gives the fields of a schema a Float that keeps decimals as they are written.
 *
 * The scalar of the `graphql` package belongs to every schema of the process, so it stays as it is.
 *
 * @param schema the types of its fields are replaced
 */
export function keepDecimals(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue
    for (const field of Object.values(type.getFields())) field.type = exact(field.type)
  }
}

function exact(type: GraphQLOutputType): GraphQLOutputType {
  if (type === GraphQLFloat) return ExactFloat
  if (type instanceof GraphQLNonNull) {
    const inner = exact(type.ofType as GraphQLOutputType)
    return inner === type.ofType ? type : new GraphQLNonNull(inner as typeof ExactFloat)
  }
  if (!(type instanceof GraphQLList)) return type
  const inner = exact(type.ofType)
  return inner === type.ofType ? type : new GraphQLList(inner)
}
