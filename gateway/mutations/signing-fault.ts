import { getNamedType, type GraphQLSchema } from 'graphql'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Resolvers } from './gateway-context.ts'
import { mutationResolvers, SIGNING_FIELD } from './mutation-resolvers.ts'

/**
 * Why records of the type that the signing root returns can never be signed; undefined if they can, or if the schema has no such root. A
 * signature is stored in a new version of the record, so that a grant must let somebody change records of the type.
 */
export function signingFault(schema: GraphQLSchema, policy: PolicyTable, resolvers: Resolvers): string | undefined {
  const root = schema.getMutationType()
  const field = root?.getFields()[SIGNING_FIELD]
  if (root == null || field === undefined) return undefined
  // a resolver of the deployment's own can sign in another way
  if (resolvers[root.name]?.[SIGNING_FIELD] !== mutationResolvers[SIGNING_FIELD]) return undefined
  const type = getNamedType(field.type).name as TypeName
  if (!policy.records.has(type)) return `${root.name}.${SIGNING_FIELD}: ${type} is not a type with @record, and cannot be signed`
  if (policy.writes.has(type)) return undefined
  return `${root.name}.${SIGNING_FIELD}: nobody may change ${type}, so that it cannot be signed. Add a grant with actions: [CREATE] or [UPDATE]`
}
