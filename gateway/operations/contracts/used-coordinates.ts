import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  getNamedType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isInputObjectType,
  Kind,
  type NamedTypeNode,
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
  const addType = (type: GraphQLNamedType | undefined): void => {
    if (type === undefined || used.has(type.name)) return
    used.add(type.name)
    if (!isInputObjectType(type)) return
    for (const field of Object.values(type.getFields())) {
      used.add(`${type.name}.${field.name}`)
      addType(getNamedType(field.type))
    }
  }
  /** The types that have the current field. */
  const owners = (): readonly GraphQLNamedType[] => {
    const parent = info.getParentType()
    if (!parent) return []
    return isAbstractType(parent) ? [parent, ...schema.getPossibleTypes(parent)] : [parent]
  }
  const visitor = {
    [Kind.FIELD]: ({ name, arguments: given = [] }: FieldNode): void => {
      const type = info.getType()
      if (type) addType(getNamedType(type))
      for (const owner of owners()) {
        addType(owner)
        const coordinate = `${owner.name}.${name.value}`
        used.add(coordinate)
        for (const argument of given) used.add(`${coordinate}.${argument.name.value}`)
      }
    },
    [Kind.ARGUMENT]: (): void => {
      const type = info.getInputType()
      if (type) addType(getNamedType(type))
    },
    [Kind.DIRECTIVE]: ({ name }: DirectiveNode): void => {
      used.add(`@${name.value}`)
    },
    [Kind.NAMED_TYPE]: ({ name }: NamedTypeNode): void => {
      addType(schema.getType(name.value))
    },
  }
  visit(document, visitWithTypeInfo(info, visitor))
  return used
}
