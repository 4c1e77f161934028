import type { GraphQLObjectType, GraphQLSchema } from 'graphql'
import type { Coordinate } from './coordinates.ts'
import type { CoordinateClass } from './policy.ts'
import type { FaultList } from './fault.ts'
import { has, readDirective, type AnyField } from './read-directives.ts'
import { interfaceTypes } from './type-kinds.ts'

/**
 * Gives every interface field the class that all its implementors agree on.
 *
 * No decision uses an interface, because execution always meets a concrete type. But an interface must not be `@notPhi` if an
 * implementor is `@phi` (P3). So an interface repeats the classification of its implementors, and has no grants.
 */
export function classifyInterfaces(schema: GraphQLSchema, classes: Map<Coordinate, CoordinateClass>, faults: FaultList): void {
  for (const type of interfaceTypes(schema)) {
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}` as Coordinate
      const found = classOf(schema, field, schema.getImplementations(type).objects, classes)
      if (found) {
        classes.set(coordinate, found)
      } else {
        faults.add(
          field.astNode,
          coordinate,
          'The interface and its implementors classify the field differently, or not at all.',
          'the same @phi(...) or @notPhi on the interface and on every type that implements it.',
        )
      }
      if (has(field, 'minimumNecessary')) {
        faults.add(
          field.astNode,
          coordinate,
          '@minimumNecessary is on an interface, which grants nothing.',
          '@minimumNecessary on the types that implement it.',
        )
      }
    }
  }
}

function classOf(
  schema: GraphQLSchema,
  field: AnyField,
  implementors: readonly GraphQLObjectType[],
  classes: ReadonlyMap<Coordinate, CoordinateClass>,
): CoordinateClass | undefined {
  const own = mark(schema, field)
  const [first, ...others] = implementors
  if (!first) return has(field, 'notPhi') ? 'NOT_PHI' : undefined
  const found = classes.get(`${first.name}.${field.name}` as Coordinate)
  const agree = [first, ...others].every((type) => {
    const implementation = type.getFields()[field.name]
    return (
      implementation && classes.get(`${type.name}.${field.name}` as Coordinate) === found && mark(schema, implementation) === own
    )
  })
  return agree ? found : undefined
}

/** The field's own classification as text. It leaves out reasons, because they may differ from type to type. */
function mark(schema: GraphQLSchema, field: AnyField): string {
  const [phi] = readDirective(schema, field, 'phi')
  if (phi) {
    const { category, identifier, sensitivity } = phi.value ?? {}
    return ['phi', category, identifier ?? '-', ...(sensitivity ?? []).toSorted()].join(' ')
  }
  return has(field, 'notPhi') ? 'notPhi' : 'none'
}
