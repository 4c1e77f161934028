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

/** The inputs for reading a selection set as execution does. */
export interface SelectionContext {
  readonly schema: GraphQLSchema
  readonly fragments: Readonly<Record<string, FragmentDefinitionNode | undefined>>
  /** Coerced, or raw with the defaults filled in. */
  readonly variables: Readonly<Record<string, unknown>>
}

/**
 * The fields that execution would collect from these selection sets for one object type. It enters a fragment if the type
 * matches its condition. It leaves out the fields that `@skip` and `@include` exclude. It does not merge aliases. Each fragment
 * is entered once, so that a fragment that contains itself ends too.
 *
 * @param meta whether to include `__typename`, `__schema` and `__type`
 * @source https://spec.graphql.org/October2021/#CollectFields()
 */
export function collectFields(
  context: SelectionContext,
  type: GraphQLObjectType,
  selectionSets: readonly (SelectionSetNode | undefined)[],
  meta: 'WITH_META_FIELDS' | 'WITHOUT' = 'WITHOUT',
): readonly FieldNode[] {
  const fields: FieldNode[] = []
  const entered = new Set<string>()
  const collect = (selections: readonly SelectionNode[]): void => {
    for (const selection of selections) {
      if (!isIncluded(context, selection)) continue
      if (selection.kind === Kind.FIELD) {
        if (meta === 'WITH_META_FIELDS' || !selection.name.value.startsWith('__')) fields.push(selection)
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

/**
 * The fields of an object by response key, as execution groups them: the fields of one key are one place of the answer.
 *
 * @param parents the selections that lead to the object
 */
export function collectPlaces(
  context: SelectionContext,
  type: GraphQLObjectType,
  parents: readonly { readonly selectionSet?: SelectionSetNode | undefined }[],
): Map<string, FieldNode[]> {
  const sets = parents.map(({ selectionSet }) => selectionSet)
  const fields = collectFields(context, type, sets, 'WITH_META_FIELDS')
  return Map.groupBy(fields, (node) => node.alias?.value ?? node.name.value)
}

function named({ fragments }: SelectionContext, name: string): FragmentDefinitionNode | undefined {
  return Object.hasOwn(fragments, name) ? fragments[name] : undefined
}

/** Whether the type matches the type condition of a fragment. Compared by name, because wrapping a schema rebuilds its types. */
function meets(schema: GraphQLSchema, type: GraphQLObjectType, condition: string | undefined): boolean {
  if (condition === undefined || condition === type.name) return true
  const wanted = schema.getType(condition)
  return isAbstractType(wanted) && schema.getPossibleTypes(wanted).some(({ name }) => name === type.name)
}

/** A selection with an unknown condition is included: an extra decision can only refuse, a missing one would leak. */
export function isIncluded(context: SelectionContext, selection: SelectionNode): boolean {
  return !(selection.directives ?? []).some((directive) => {
    const condition = directive.arguments?.find(({ name }) => name.value === 'if')
    if (!condition) return false
    const value = valueFromAST(condition.value, GraphQLBoolean, context.variables)
    return (directive.name.value === 'skip' && value === true) || (directive.name.value === 'include' && value === false)
  })
}
