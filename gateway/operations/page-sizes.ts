import {
  getNamedType,
  getOperationAST,
  Kind,
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql'
import type { OperationDefinitionNode, SelectionSetNode, ValueNode, VariableDefinitionNode } from 'graphql'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { AnyField } from '../../directives/read-directives.ts'
import type { AskedOperation } from './cost.ts'
import { fragmentsOf, possibleTypes } from './footprint.ts'
import { collectFields, type SelectionContext } from './selection.ts'

/** A field with a page size: its argument `first`. */
export interface PageSize {
  readonly coordinate: Coordinate
  /** The size that applies. Undefined if a required variable sets it that is not given, or if there is no default. */
  readonly size: number | undefined
  /** The default of the schema. */
  readonly schemaDefault: number | undefined
}

/**
 * The page sizes of an operation: of each field with an argument `first`, through fragments, aliases and interfaces. Null means the
 * default of the schema. A page size that is no integer is left out, because execution refuses it.
 *
 * @param document validated against the schema
 * @param variables raw or coerced, without those that are not given
 * @param conditions EVERY also counts the fields that conditions with variables could exclude
 */
export function pageSizes(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
  variables: Readonly<Record<string, unknown>>,
  conditions: 'EVERY' | 'AS_GIVEN',
): readonly PageSize[] {
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return []
  const known = conditions === 'EVERY' ? {} : withBooleans(operation, variables)
  const walk = new Walk({ schema, fragments: fragmentsOf(document), variables: known }, operation, variables)
  walk.object(root, operation.selectionSet)
  return walk.pages
}

/** Whether a page of an operation is larger than `most`. */
export function exceedsPage(schema: GraphQLSchema, { document, name, variables }: AskedOperation, most: number): boolean {
  return pageSizes(schema, document, name, variables, 'AS_GIVEN').some(({ size = 0 }) => size > most)
}

class Walk {
  readonly pages: PageSize[] = []
  readonly #context: SelectionContext
  readonly #definitions: ReadonlyMap<string, VariableDefinitionNode>
  readonly #variables: Readonly<Record<string, unknown>>
  readonly #entered = new WeakMap<SelectionSetNode, Set<string>>()

  constructor(context: SelectionContext, operation: OperationDefinitionNode, variables: Readonly<Record<string, unknown>>) {
    this.#context = context
    this.#variables = variables
    this.#definitions = new Map(
      (operation.variableDefinitions ?? []).map((definition) => [definition.variable.name.value, definition]),
    )
  }

  object(type: GraphQLObjectType, set: SelectionSetNode | undefined): void {
    if (set === undefined || !this.#enter(set, type.name)) return
    for (const node of collectFields(this.#context, type, [set])) {
      const field: AnyField | undefined = type.getFields()[node.name.value]
      if (!field) continue
      const page = this.#page(field, node)
      if (page !== undefined) this.pages.push({ coordinate: `${type.name}.${field.name}` as Coordinate, ...page })
      for (const member of possibleTypes(this.#context.schema, getNamedType(field.type))) this.object(member, node.selectionSet)
    }
  }

  /** Enters each set once for each type, however many fragments lead there. */
  #enter(set: SelectionSetNode, type: string): boolean {
    const types = this.#entered.get(set) ?? new Set<string>()
    this.#entered.set(set, types)
    return types.size !== types.add(type).size
  }

  #page({ args }: AnyField, node: FieldNode): Omit<PageSize, 'coordinate'> | undefined {
    const argument = args.find(({ name }) => name === 'first')
    if (argument === undefined) return undefined
    const given = node.arguments?.find(({ name }) => name.value === 'first')?.value
    const schemaDefault = integer(argument.defaultValue)
    const size = (given && this.#valueOf(given)) ?? schemaDefault
    if (size === NOT_GIVEN || size === undefined) return { size: undefined, schemaDefault }
    return integer(size) === undefined ? undefined : { size: integer(size), schemaDefault }
  }

  #valueOf(node: ValueNode): unknown {
    if (node.kind !== Kind.VARIABLE) return literalOf(node)
    const name = node.name.value
    if (Object.hasOwn(this.#variables, name)) return this.#variables[name]
    const { defaultValue, type } = this.#definitions.get(name) ?? {}
    if (defaultValue !== undefined) return literalOf(defaultValue)
    return type?.kind === Kind.NON_NULL_TYPE ? NOT_GIVEN : undefined
  }
}

/** The size of a required variable that is not given. */
const NOT_GIVEN = Symbol('not given')

const integer = (value: unknown): number | undefined => (typeof value === 'number' && Number.isInteger(value) ? value : undefined)

const literalOf = (node: ValueNode): number | null | '' =>
  node.kind === Kind.INT ? Number(node.value) : node.kind === Kind.NULL ? null : ''

function withBooleans(operation: OperationDefinitionNode, variables: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...variables }
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (!Object.hasOwn(filled, name) && defaultValue?.kind === Kind.BOOLEAN) filled[name] = defaultValue.value
  }
  return filled
}
