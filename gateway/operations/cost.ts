import {
  getNamedType,
  getOperationAST,
  isAbstractType,
  isObjectType,
  Kind,
  type DocumentNode,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import type { Coordinate, SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { possibleViewInputs } from '../decide/view-inputs.ts'
import { HISTORY_ENTRY } from '../../directives/history-sdl.ts'
import { MAX_PAGE, MAX_CANDIDATES } from '../model/list.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { AnyField } from '../../directives/read-directives.ts'
import { fragmentsOf } from './footprint.ts'
import { collectPlaces, type SelectionContext } from './selection.ts'
import { connectionNode, isList } from '../../directives/type-kinds.ts'

/** The operation to measure. `variables` are raw or coerced. */
export interface AskedOperation {
  readonly document: DocumentNode
  readonly name: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
}

/** The cost of an operation at most, for any caller and any data. */
export interface Cost {
  /**
   * PHI values that the operation could open and record. A value is a path of one object of the answer, whatever aliases it has.
   * A record counts as at least one value, because it is loaded. An object that is reached twice counts twice, although its values
   * are opened once.
   */
  readonly values: number
  /**
   * Places of the answer: response keys, each counted in every object that has it. An alias is a place of its own. An object in a list
   * inside a value counts once, because its number is unknown. `ResponseSize` bounds such lists by the stored length of the value.
   */
  readonly places: number
}

/** The maximum number of fields that a walk visits. With more, the cost is `Infinity`: the answer has at least as many places. */
const MAX_VISITED = 10_000

/**
 * The cost of an operation with full pages. It is never below the number of opened values, and never below the number of places
 * outside of lists inside a value.
 *
 * @param document validated against the schema
 * @param enough the walk may stop at these counts: a larger result means only "more than this"
 * @returns `Infinity` if the operation has too many fields to visit, or if it is missing
 */
export function costOf(
  schema: GraphQLSchema,
  policy: PolicyTable,
  asked: AskedOperation,
  enough: Cost = { values: Infinity, places: Infinity },
): Cost {
  const operation = getOperationAST(asked.document, asked.name)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return { values: Infinity, places: Infinity }
  const walk = new CostWalk(schema, policy, asked, operation, enough)
  walk.object(root, [operation], { times: 1, page: 1 })
  return { values: walk.values, places: walk.places }
}

/** The maximum number of PHI values that an operation could open and record: see `Cost`. */
export function mostValues(schema: GraphQLSchema, policy: PolicyTable, asked: AskedOperation, enough = Infinity): number {
  return costOf(schema, policy, asked, { values: enough, places: Infinity }).values
}

/** Whether the cost of an operation exceeds a limit. */
export function exceeds(schema: GraphQLSchema, policy: PolicyTable, asked: AskedOperation, limits: Cost): boolean {
  const { values, places } = costOf(schema, policy, asked, limits)
  return values > limits.values || places > limits.places
}

interface HasSelections {
  readonly selectionSet?: SelectionSetNode | undefined
}

/** The number of objects at a place of the answer, at most. */
interface Repeated {
  readonly times: number
  /** For a connection: the number of its edges. */
  readonly page: number
}

class CostWalk implements Cost {
  values = 0
  places = 0
  #visited = 0
  readonly #context: SelectionContext
  readonly #policy: PolicyTable
  readonly #enough: Cost

  constructor(
    schema: GraphQLSchema,
    policy: PolicyTable,
    { document, variables }: AskedOperation,
    operation: OperationDefinitionNode,
    enough: Cost,
  ) {
    this.#context = { schema, fragments: fragmentsOf(document), variables: withPageSizes(operation, variables) }
    this.#policy = policy
    this.#enough = enough
  }

  object(type: GraphQLObjectType, parents: readonly HasSelections[], repeated: Repeated): void {
    const paths = new Set<SchemaPath>()
    this.#fields(type, type.name, parents, repeated, paths)
    for (const path of [...paths]) {
      for (const input of this.#policy.computed.get(path) ?? []) paths.add(input)
      for (const input of possibleViewInputs(this.#policy, path)) paths.add(input)
    }
    // the gateway reads an entry of a history like a record, also if the operation does not ask for the record
    const record = this.#policy.records.has(type.name as TypeName) || type.name === HISTORY_ENTRY
    this.values += repeated.times * (record ? Math.max(1, paths.size) : paths.size)
  }

  /** Values are collected by path (P4). Two aliases of one list are two pages. */
  #fields(
    type: GraphQLObjectType,
    prefix: string,
    parents: readonly HasSelections[],
    { times, page }: Repeated,
    paths: Set<SchemaPath>,
  ): void {
    for (const nodes of collectPlaces(this.#context, type, parents).values()) {
      if (!this.#visit(nodes, times)) return
      const name = nodes[0]?.name.value ?? ''
      const path = `${prefix}.${name}` as SchemaPath
      const field = type.getFields()[name]
      const found = this.#policy.classes.get(`${type.name}.${name}` as Coordinate)
      const phi = this.#policy.phi.get(path)
      if (field && (found === undefined || phi !== undefined)) paths.add(path)
      if (!field) continue
      const inner = getNamedType(field.type)
      // the value includes everything inside it
      if (phi?.class === 'VALUE') {
        this.#inside(inner, nodes, times)
        continue
      }
      this.values += times * this.#searched(`${type.name}.${name}`, field, nodes)
      const size = this.#size(type, field, nodes, page)
      if (found === 'EMBEDDED' && isObjectType(inner)) this.#fields(inner, path, nodes, { times, page: 1 }, paths)
      else if (connectionNode(inner) === undefined) this.#below(field, nodes, { times: times * size, page: 1 })
      else this.#below(field, nodes, { times, page: size })
    }
  }

  /** The places inside a value. */
  #inside(type: GraphQLNamedType, parents: readonly HasSelections[], times: number): void {
    if (!isObjectType(type)) return
    for (const nodes of collectPlaces(this.#context, type, parents).values()) {
      if (!this.#visit(nodes, times)) return
      const field = type.getFields()[nodes[0]?.name.value ?? '']
      if (field) this.#inside(getNamedType(field.type), nodes, times)
    }
  }

  /** Counts a place. Returns false if the walk may stop. */
  #visit(nodes: readonly FieldNode[], times: number): boolean {
    this.#visited += nodes.length
    this.places += times
    if (this.#visited > MAX_VISITED) this.values = this.places = Infinity
    return this.values <= this.#enough.values && this.places <= this.#enough.places
  }

  /** An abstract type counts as the costliest of its possible types. */
  #below(field: AnyField, nodes: readonly FieldNode[], repeated: Repeated): void {
    const type = getNamedType(field.type)
    const members = isAbstractType(type) ? this.#context.schema.getPossibleTypes(type) : [type].filter(isObjectType)
    const before = { values: this.values, places: this.places }
    let most = before
    for (const member of members) {
      this.values = before.values
      this.places = before.places
      this.object(member, nodes, repeated)
      most = { values: Math.max(most.values, this.values), places: Math.max(most.places, this.places) }
    }
    this.values = most.values
    this.places = most.places
  }

  /** The values that a search opens for comparison: for each candidate, one for each given argument. */
  #searched(coordinate: string, { args }: AnyField, nodes: readonly FieldNode[]): number {
    if (this.#policy.classes.get(coordinate as Coordinate) !== 'ROOT') return 0
    const given = new Set(nodes.flatMap((node) => (node.arguments ?? []).map(({ name }) => name.value)))
    return MAX_CANDIDATES * args.filter(({ name }) => given.has(name) && this.#policy.reads.has(`${coordinate}(${name}:)`)).length
  }

  /** The number of objects at a field: a full page for a list or a connection. The `edges` of a connection are its page. */
  #size(parent: GraphQLObjectType, field: AnyField, nodes: readonly FieldNode[], page: number): number {
    const connection = connectionNode(getNamedType(field.type)) !== undefined
    if (!connection && !isList(field.type)) return 1
    if (!connection && connectionNode(parent) !== undefined) return page
    return Math.max(...nodes.map((node) => this.#pageSize(field, node)))
  }

  /** Null means the default. An invalid page size is refused later. Here it counts as the maximum. */
  #pageSize(field: AnyField, node: FieldNode): number {
    const given = node.arguments?.find(({ name }) => name.value === 'first')?.value
    const value = (given && this.#valueOf(given)) ?? field.args.find(({ name }) => name === 'first')?.defaultValue
    return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PAGE ? value : MAX_PAGE
  }

  /** Returns a number, null or undefined if no value is given, or text for a value that is not a page size. */
  #valueOf(node: ValueNode): unknown {
    if (node.kind === Kind.VARIABLE) return this.#context.variables[node.name.value]
    return literalOf(node)
  }
}

/** Adds the defaults of variables that control a selection or a page size. */
function withPageSizes(operation: OperationDefinitionNode, variables: AskedOperation['variables']): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...variables }
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (Object.hasOwn(filled, name) || !defaultValue) continue
    filled[name] = defaultValue.kind === Kind.BOOLEAN ? defaultValue.value : literalOf(defaultValue)
  }
  return filled
}

const literalOf = (node: ValueNode): number | null | '' =>
  node.kind === Kind.INT ? Number(node.value) : node.kind === Kind.NULL ? null : ''
