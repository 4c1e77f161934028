import { isObjectType, type GraphQLSchema } from 'graphql'
import type { Coordinate } from './coordinates.ts'
import type { CallPolicy, Role, RolePolicy } from './policy.ts'
import type { FaultList } from './fault.ts'
import { readDirective } from './read-directives.ts'

const INSTEAD = '@mayCall(roles: [...]) with roles of the schema, on a field of a root.'

/** Who may call which root. A mutation without a line of its own would be open to everybody: it is a fault. */
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
        if (type === schema.getMutationType()) faults.add(field.astNode, path, 'A mutation does not say who may call it.', INSTEAD)
        continue
      }
      if (!roots.includes(type)) faults.add(written.node, path, '@mayCall stands on a field of no root.', INSTEAD)
      if (second !== undefined) faults.add(second.node, path, '@mayCall stands there twice.', 'one line with all roles.')
      if (written.value === undefined) continue
      const unknown = written.value.roles.find((role) => !roles.has(role))
      if (written.value.roles.length === 0 || unknown !== undefined)
        faults.add(written.node, path, 'Nobody could call it.', INSTEAD)
      calls.set(path as Coordinate, { roles: new Set(written.value.roles), stepUp: written.value.stepUp })
    }
  }
  return calls
}
