import { type DocumentNode, getOperationAST, type GraphQLSchema } from 'graphql'
import { fragmentsOf, withDefaults } from './footprint.ts'
import { collectPlaces } from './selection.ts'

/**
 * The number of times that an operation would run some root fields: their response keys, through fragments and aliases.
 *
 * @param document validated against the schema
 * @param variables raw or coerced
 */
export function rootCalls(
  schema: GraphQLSchema,
  { document, name, variables }: { document: DocumentNode; name: string | undefined; variables: Readonly<Record<string, unknown>> },
  isCounted: (field: string) => boolean,
): number {
  const operation = getOperationAST(document, name)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return 0
  const context = { schema, fragments: fragmentsOf(document), variables: withDefaults(operation, variables) }
  return [...collectPlaces(context, root, [operation]).values()].filter(
    ([node]) => node !== undefined && isCounted(node.name.value),
  ).length
}
