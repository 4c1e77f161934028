import {
  type FieldNode,
  getNamedType,
  type GraphQLSchema,
  Kind,
  parse,
  TypeInfo,
  type ValueNode,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import type { Operation } from './session.ts'

/** More ids than this make a menu that nobody reads. */
const MAX_PATIENTS = 50

/**
 * The ids of patients that an operation names in an argument `id` of a field of the patient type, then those in its answer.
 *
 * @param type the type of a patient's own record
 */
export function patientsOf(schema: GraphQLSchema, type: string, operation: Operation, data: unknown): string[] {
  const ids = new Set<string>()
  const idFields: string[][] = []
  try {
    const info = new TypeInfo(schema)
    const way: string[] = []
    visit(
      parse(operation.query),
      visitWithTypeInfo(info, {
        Field: {
          enter: (node) => {
            const of = info.getParentType()?.name
            way.push((node.alias ?? node.name).value)
            if (of === type && node.name.value === 'id') idFields.push([...way])
            if (named(info) === type) for (const id of idArgument(node, operation.variables)) ids.add(id)
          },
          leave: () => {
            way.pop()
          },
        },
      }),
    )
  } catch {
    // the gateway explains a syntax error in its answer
    return []
  }
  for (const way of idFields) for (const id of valuesAt(data, way)) ids.add(id)
  return [...ids].slice(0, MAX_PATIENTS)
}

const named = (info: TypeInfo): string | undefined => {
  const type = info.getType()
  return type ? getNamedType(type).name : undefined
}

function idArgument({ arguments: given = [] }: FieldNode, variables: unknown): string[] {
  return given.filter(({ name }) => name.value === 'id').flatMap(({ value }) => stringOf(value, variables))
}

function stringOf(value: ValueNode, variables: unknown): string[] {
  if (value.kind === Kind.STRING) return [value.value]
  const set = value.kind === Kind.VARIABLE ? propertyOf(variables, value.name.value) : undefined
  return typeof set === 'string' ? [set] : []
}

/** The texts at a way of response names. Lists have no name of their own. */
function valuesAt(data: unknown, way: readonly string[]): string[] {
  if (Array.isArray(data)) return data.flatMap((entry) => valuesAt(entry, way))
  const [first, ...rest] = way
  if (first === undefined) return typeof data === 'string' ? [data] : []
  if (data === undefined) return []
  return valuesAt(propertyOf(data, first), rest)
}

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (Reflect.get(value, name) as unknown) : undefined
