import {
  type DocumentNode,
  getNamedType,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
  isAbstractType,
  isInputObjectType,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'

/**
 * The parts of a schema that a document uses, as the paths of schema changes name them: `Patient`, `Patient.claims`,
 * `Patient.claims.since`, `ReviewInput.note`, `@include`. A field of an interface counts for each of its types.
 */
export function usedCoordinates(schema: GraphQLSchema, document: DocumentNode): ReadonlySet<string> {
  const used = new Set<string>()
  const info = new TypeInfo(schema)
  const addType = (of: GraphQLType | null | undefined): void => {
    if (!of) return
    const type = getNamedType(of)
    if (used.has(type.name)) return
    used.add(type.name)
    if (!isInputObjectType(type)) return
    for (const field of Object.values(type.getFields())) {
      used.add(`${type.name}.${field.name}`)
      addType(field.type)
    }
  }
  /** The types that have the current field. */
  const owners = (): readonly GraphQLNamedType[] => {
    const parent = info.getParentType()
    if (!parent) return []
    return isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent]
  }
  visit(
    document,
    visitWithTypeInfo(info, {
      Field({ name, arguments: given = [] }) {
        addType(info.getType())
        for (const owner of owners()) {
          addType(owner)
          const coordinate = `${owner.name}.${name.value}`
          used.add(coordinate)
          for (const argument of given) used.add(`${coordinate}.${argument.name.value}`)
        }
      },
      Argument() {
        addType(info.getInputType())
      },
      Directive({ name }) {
        used.add(`@${name.value}`)
      },
      NamedType({ name }) {
        addType(schema.getType(name.value))
      },
    }),
  )
  return used
}
