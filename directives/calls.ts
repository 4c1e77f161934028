import { isObjectType, type GraphQLSchema } from 'graphql'
import type { Coordinate } from './coordinates.ts'
import type { CallPolicy, Role, RolePolicy } from './policy.ts'
import type { FaultList } from './fault.ts'
import { readDirective } from './read-directives.ts'

const INSTEAD = '@mayCall(roles: [...]) with roles of the schema, on a root field.'

/** Reads the roles that may call each root field. A mutation without `@mayCall` would be open to every caller, so it is a fault. */
export function readCalls(
  schema: GraphQLSchema,
  roles: ReadonlyMap<Role, RolePolicy>,
  faults: FaultList,
): ReadonlyMap<Coordinate, CallPolicy> {
  const roots = [schema.getQueryType(), schema.getMutationType()]
  const calls = new Map<Coordinate, CallPolicy>()
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const path = `${type.name}.${field.name}`
      const [written, second] = readDirective(schema, field, 'mayCall')
      if (written === undefined) {
        if (type === schema.getMutationType()) faults.add(field.astNode, path, 'The mutation has no @mayCall.', INSTEAD)
        continue
      }
      if (!roots.includes(type)) faults.add(written.node, path, '@mayCall is on a field that is not a root field.', INSTEAD)
      if (second !== undefined) faults.add(second.node, path, '@mayCall is repeated.', 'one @mayCall with all roles.')
      if (written.value === undefined) continue
      const unknown = written.value.roles.find((role) => !roles.has(role))
      if (written.value.roles.length === 0 || unknown !== undefined)
        faults.add(written.node, path, '@mayCall has no role or an unknown role.', INSTEAD)
      calls.set(path as Coordinate, { roles: new Set(written.value.roles), stepUp: written.value.stepUp })
    }
  }
  return calls
}
