import {
  isAbstractType,
  Kind,
  valueFromAST,
  GraphQLBoolean,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'

/** What is needed to read a selection set as execution does. */
export interface SelectionContext {
  readonly schema: GraphQLSchema
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode | undefined>>
  /** Coerced, or as they came with the defaults filled in. */
  readonly variables: Readonly<Record<string, unknown>>
}

/**
 * The fields that execution would collect from these selection sets for one object type: through fragments whose
 * condition the type meets, without what `@skip` and `@include` leave out, aliases unmerged, `__typename` left out.
 * Each fragment is entered once, which also ends one that contains itself.
 *
 * @source https://spec.graphql.org/October2021/#CollectFields()
 */
export function collectFields(
  context: SelectionContext,
  type: GraphQLObjectType,
  selectionSets: readonly (SelectionSetNode | undefined)[],
): readonly FieldNode[] {
  const fields: FieldNode[] = []
  const entered = new Set<string>()
  const collect = (selections: readonly SelectionNode[]): void => {
    for (const selection of selections) {
      if (!isIncluded(context, selection)) continue
      if (selection.kind === Kind.FIELD) {
        if (!selection.name.value.startsWith('__')) fields.push(selection)
        continue
      }
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        if (entered.has(selection.name.value)) continue
        entered.add(selection.name.value)
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? named(context, selection.name.value) : selection
      if (fragment && meets(context.schema, type, fragment.typeCondition?.name.value)) collect(fragment.selectionSet.selections)
    }
  }
  for (const set of selectionSets) collect(set?.selections ?? [])
  return fields
}

function named({ fragments }: SelectionContext, name: string): FragmentDefinitionNode | undefined {
  return Object.hasOwn(fragments, name) ? fragments[name] : undefined
}

/** Whether an object of this type enters a fragment on that condition. Compared by name: schemas are rebuilt when wrapped. */
function meets(schema: GraphQLSchema, type: GraphQLObjectType, condition: string | undefined): boolean {
  if (condition === undefined || condition === type.name) return true
  const wanted = schema.getType(condition)
  return isAbstractType(wanted) && schema.getPossibleTypes(wanted).some(({ name }) => name === type.name)
}

/** What cannot be told counts as selected: deciding too much refuses, deciding too little would leak. */
function isIncluded(context: SelectionContext, selection: SelectionNode): boolean {
  return !(selection.directives ?? []).some((directive) => {
    const condition = directive.arguments?.find(({ name }) => name.value === 'if')
    if (!condition) return false
    const value = valueFromAST(condition.value, GraphQLBoolean, context.variables)
    return (directive.name.value === 'skip' && value === true) || (directive.name.value === 'include' && value === false)
  })
}
