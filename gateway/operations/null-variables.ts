import {
  type DirectiveNode,
  type DocumentNode,
  getNamedType,
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLSchema,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type ArgumentNode,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import { fragmentsOf, withDefaults } from './footprint.ts'
import { isIncluded, type SelectionContext } from './selection.ts'

/**
 * Whether an operation uses a null variable where null is not allowed. Validation permits a nullable variable at such a place if a
 * default applies when the variable is missing, but a client can still send null. Execution would throw in the middle of the operation.
 *
 * @param document validated against the schema
 * @param variables as the client sent them
 * @source https://spec.graphql.org/October2021/#sec-All-Variable-Usages-are-Allowed
 */
export function usesForbiddenNull(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): boolean {
  const nulls = new Set(Object.keys(variables).filter((name) => variables[name] === null))
  if (nulls.size === 0) return false
  const context = { schema, fragments: fragmentsOf(document), variables: withDefaults(operation, variables) }
  return new Usages(context, nulls).inSet(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined)
}

class Usages {
  readonly #context: SelectionContext
  readonly #nulls: ReadonlySet<string>
  readonly #entered = new Set<string>()

  constructor(context: SelectionContext, nulls: ReadonlySet<string>) {
    this.#context = context
    this.#nulls = nulls
  }

  /** Whether a selection that execution would reach has such a usage. Each fragment is visited once. */
  inSet(set: SelectionSetNode | undefined, type: GraphQLNamedType | undefined): boolean {
    return (set?.selections ?? []).some((selection) => {
      if (this.#inDirectives(selection.directives ?? [])) return true
      if (!isIncluded(this.#context, selection)) return false
      if (selection.kind === Kind.FIELD) {
        const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[selection.name.value] : undefined
        if (field === undefined) return false
        return this.#inArguments(field.args, selection.arguments) || this.inSet(selection.selectionSet, getNamedType(field.type))
      }
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return this.inSet(selection.selectionSet, this.#typeOf(selection.typeCondition, type))
      const name = selection.name.value
      if (this.#entered.has(name)) return false
      this.#entered.add(name)
      const fragment = Object.hasOwn(this.#context.fragments, name) ? this.#context.fragments[name] : undefined
      return fragment !== undefined && this.inSet(fragment.selectionSet, this.#typeOf(fragment.typeCondition, undefined))
    })
  }

  #typeOf(
    condition: { readonly name: { readonly value: string } } | undefined,
    type: GraphQLNamedType | undefined,
  ): GraphQLNamedType | undefined {
    return condition === undefined ? type : this.#context.schema.getType(condition.name.value)
  }

  #inDirectives(directives: readonly DirectiveNode[]): boolean {
    return directives.some(({ name, arguments: given }) =>
      this.#inArguments(this.#context.schema.getDirective(name.value)?.args ?? [], given),
    )
  }

  #inArguments(args: readonly GraphQLArgument[], given: readonly ArgumentNode[] = []): boolean {
    return given.some(({ name, value }) => {
      const type = args.find((argument) => argument.name === name.value)?.type
      return type !== undefined && this.#inValue(value, type)
    })
  }

  #inValue(value: ValueNode, type: GraphQLInputType): boolean {
    if (value.kind === Kind.VARIABLE) return isNonNullType(type) && this.#nulls.has(value.name.value)
    const nullable = isNonNullType(type) ? type.ofType : type
    if (value.kind === Kind.LIST && isListType(nullable)) {
      const inner: GraphQLInputType = nullable.ofType
      return value.values.some((item) => this.#inValue(item, inner))
    }
    // a literal of one item may stand for a list
    const named = isListType(nullable) ? getNamedType(nullable) : nullable
    if (value.kind !== Kind.OBJECT || !isInputObjectType(named)) return false
    const fields = named.getFields()
    return value.fields.some(({ name, value: inner }) => {
      const field = fields[name.value]
      return field !== undefined && this.#inValue(inner, field.type)
    })
  }
}
