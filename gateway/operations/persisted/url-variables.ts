import {
  type DocumentNode,
  getNamedType,
  GraphQLID,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInputObjectType,
  Kind,
  TypeInfo,
  type ValueNode,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { type Definition, readDirective } from '../../../directives/read-directives.ts'

/** An argument or an input field. */
interface InputDefinition extends Definition {
  readonly name: string
  readonly type: GraphQLInputType
}

/** Arguments of connections. Their cursors are encrypted, but point to a place in a list of one patient. */
const CURSORS: ReadonlySet<string> = new Set(['after', 'before'])

/**
 * Whether a URL may hold the variables of a document, whatever their values are. It may not if a variable is an id or a cursor, or
 * if an argument or an input field with `@reads` takes it: URLs are logged by proxies and kept by browsers (P8).
 *
 * @param schema the compiled schema; its AST nodes hold `@reads`
 * @param document validated against the schema
 */
export function isUrlSafe(schema: GraphQLSchema, document: DocumentNode): boolean {
  const types = new TypeInfo(schema)
  const identifies = (definition: InputDefinition): boolean =>
    CURSORS.has(definition.name) ||
    getNamedType(definition.type).name === GraphQLID.name ||
    readDirective(schema, definition, 'reads').length > 0
  let isSafe = true
  visit(
    document,
    visitWithTypeInfo(types, {
      Argument: {
        enter({ value }) {
          const argument = types.getArgument()
          // unknown means no: validation lets no unknown argument through
          if (!argument) isSafe = false
          else if (holdsIdentifying(value, argument, identifies, false)) isSafe = false
        },
      },
    }),
  )
  return isSafe
}

type Test = (definition: InputDefinition) => boolean

/** Whether a variable within a value takes part in an identifying input. `marked`: an input around the value is identifying. */
function holdsIdentifying(value: ValueNode, definition: InputDefinition, identifies: Test, marked: boolean): boolean {
  const isMarked = marked || identifies(definition)
  const inside = (inner: ValueNode): boolean => {
    if (inner.kind === Kind.VARIABLE) return isMarked || hasIdentifying(getNamedType(definition.type), identifies, new Set())
    if (inner.kind === Kind.LIST) return inner.values.some(inside)
    if (inner.kind !== Kind.OBJECT) return false
    const type = getNamedType(definition.type)
    const fields = isInputObjectType(type) ? type.getFields() : {}
    return inner.fields.some(({ name, value: given }) => {
      const field = fields[name.value]
      return field === undefined || holdsIdentifying(given, field, identifies, isMarked)
    })
  }
  return inside(value)
}

/** Whether a value of the type can have an identifying field at any depth. A type can contain itself. */
function hasIdentifying(type: GraphQLNamedType, identifies: Test, entered: Set<GraphQLNamedType>): boolean {
  if (!isInputObjectType(type) || entered.has(type)) return false
  entered.add(type)
  return Object.values(type.getFields()).some(
    (field) => identifies(field) || hasIdentifying(getNamedType(field.type), identifies, entered),
  )
}
