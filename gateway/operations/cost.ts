import {
  getNamedType,
  getOperationAST,
  isAbstractType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { MAX_PAGE, MAX_CANDIDATES } from '../model/list.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AnyField } from '../../directives/read-directives.ts'
import { collectFields, type SelectionContext } from './selection.ts'
import { connectionNode, isList } from '../../directives/type-kinds.ts'

/** The operation to measure. `variables` are raw or coerced. */
interface AskedOperation {
  readonly document: DocumentNode
  readonly name: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
}

/** The maximum number of fields that a walk visits. With more, the cost is `Infinity`: the answer has at least as many places. */
const MAX_PLACES = 10_000

/**
 * The maximum number of PHI values that an operation could open and record, for any caller and any data. It counts the paths of
 * each object that the answer could hold, with full pages. A record counts as at least one value, because it is loaded. The count
 * is never below the number of opened values: an object that is reached twice counts twice, although its values are opened once.
 *
 * @param document validated against the schema
 * @param enough the count at which the walk may stop: a larger result means only "more than this"
 * @returns the number of values; `Infinity` if the operation has too many fields to visit, or if it is missing
 */
export function mostValues(schema: GraphQLSchema, policy: PolicyTable, asked: AskedOperation, enough = Infinity): number {
  const operation = getOperationAST(asked.document, asked.name)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return Infinity
  const walk = new CostWalk(schema, policy, asked, operation, enough)
  walk.object(root, [operation], 1)
  return walk.values
}

interface HasSelections {
  readonly selectionSet?: SelectionSetNode | undefined
}

class CostWalk {
  values = 0
  #places = 0
  readonly #context: SelectionContext
  readonly #policy: PolicyTable
  readonly #enough: number

  constructor(
    schema: GraphQLSchema,
    policy: PolicyTable,
    { document, variables }: AskedOperation,
    operation: OperationDefinitionNode,
    enough: number,
  ) {
    const fragments = new Map<string, FragmentDefinitionNode>()
    for (const part of document.definitions) if (part.kind === Kind.FRAGMENT_DEFINITION) fragments.set(part.name.value, part)
    this.#context = { schema, fragments: Object.fromEntries(fragments), variables: withDefaults(operation, variables) }
    this.#policy = policy
    this.#enough = enough
  }

  /** @param times the maximum number of such objects in the answer */
  object(type: GraphQLObjectType, parents: readonly HasSelections[], times: number): void {
    const paths = new Set<SchemaPath>()
    this.#fields(type, type.name, parents, times, paths)
    for (const path of [...paths]) for (const input of this.#policy.computed.get(path) ?? []) paths.add(input)
    const record = this.#policy.records.has(type.name as TypeName)
    this.values += times * (record ? Math.max(1, paths.size) : paths.size)
  }

  /** Groups by response key, as execution does: two aliases of one list are two pages. Values are collected by path (P4). */
  #fields(type: GraphQLObjectType, prefix: string, parents: readonly HasSelections[], times: number, paths: Set<SchemaPath>): void {
    const sets = parents.map(({ selectionSet }) => selectionSet)
    const byKey = Map.groupBy(collectFields(this.#context, type, sets), (node) => node.alias?.value ?? node.name.value)
    for (const nodes of byKey.values()) {
      this.#places += nodes.length
      if (this.#places > MAX_PLACES) this.values = Infinity
      if (this.values > this.#enough) return
      const name = nodes[0]?.name.value ?? ''
      const path = `${prefix}.${name}` as SchemaPath
      const field = type.getFields()[name]
      const found = this.#policy.classes.get(`${type.name}.${name}` as Coordinate)
      const phi = this.#policy.phi.get(path)
      if (found === undefined || phi !== undefined) paths.add(path)
      // the value includes everything inside it
      if (!field || phi?.class === 'VALUE') continue
      this.values += times * this.#searched(`${type.name}.${name}`, field, nodes)
      const inner = getNamedType(field.type)
      if (found === 'EMBEDDED' && isObjectType(inner)) this.#fields(inner, path, nodes, times, paths)
      else this.#below(field, nodes, times * this.#size(type, field, nodes))
    }
  }

  /** An abstract type counts as the costliest of its possible types. */
  #below(field: AnyField, nodes: readonly FieldNode[], times: number): void {
    const type = getNamedType(field.type)
    const members = isAbstractType(type) ? this.#context.schema.getPossibleTypes(type) : [type].filter(isObjectType)
    const before = this.values
    let most = before
    for (const member of members) {
      this.values = before
      this.object(member, nodes, times)
      most = Math.max(most, this.values)
    }
    this.values = most
  }

  /** The values that a search opens for comparison: for each candidate, one for each given argument. */
  #searched(coordinate: string, { args }: AnyField, nodes: readonly FieldNode[]): number {
    if (this.#policy.classes.get(coordinate as Coordinate) !== 'ROOT') return 0
    const given = new Set(nodes.flatMap((node) => (node.arguments ?? []).map(({ name }) => name.value)))
    return MAX_CANDIDATES * args.filter(({ name }) => given.has(name) && this.#policy.reads.has(`${coordinate}(${name}:)`)).length
  }

  /** The number of objects at a field: a full page for a list or a connection. The `edges` of a connection are that same page. */
  #size(parent: GraphQLObjectType, field: AnyField, nodes: readonly FieldNode[]): number {
    const connection = connectionNode(getNamedType(field.type)) !== undefined
    if (!connection && (!isList(field.type) || connectionNode(parent) !== undefined)) return 1
    return Math.max(...nodes.map((node) => this.#pageSize(field, node)))
  }

  /** An invalid page size is refused later. Here it counts as the maximum. */
  #pageSize(field: AnyField, node: FieldNode): number {
    const given = node.arguments?.find(({ name }) => name.value === 'first')?.value
    const value = (given && this.#valueOf(given)) ?? field.args.find(({ name }) => name === 'first')?.defaultValue
    return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PAGE ? value : MAX_PAGE
  }

  /** Returns a number, undefined if no value is given, or text for a value that is not a page size. */
  #valueOf(node: ValueNode): unknown {
    if (node.kind === Kind.INT) return Number(node.value)
    if (node.kind !== Kind.VARIABLE) return ''
    const value = this.#context.variables[node.name.value]
    return value === null ? '' : value
  }
}

/** Adds the defaults of variables that control a selection or a page size. */
function withDefaults(operation: OperationDefinitionNode, variables: AskedOperation['variables']): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...variables }
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (Object.hasOwn(filled, name) || !defaultValue) continue
    if (defaultValue.kind === Kind.BOOLEAN) filled[name] = defaultValue.value
    else filled[name] = defaultValue.kind === Kind.INT ? Number(defaultValue.value) : ''
  }
  return filled
}
