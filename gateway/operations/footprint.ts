import {
  getNamedType,
  getOperationAST,
  GraphQLBoolean,
  isAbstractType,
  isInputObjectType,
  isObjectType,
  Kind,
  valueFromAST,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { readDirective, type AnyField, type Definition } from '../../directives/read-directives.ts'
import { collectFields, type SelectionContext } from './selection.ts'

/** Everything that an operation can access, for any data. */
export interface Footprint {
  /** The selected PHI paths: values, and edges that are PHI themselves. */
  readonly paths: ReadonlySet<SchemaPath>
  /** The coordinates of all selected fields, on concrete types: `Query.node`, `Patient.id`. */
  readonly coordinates: ReadonlySet<Coordinate>
  /** The selected root fields: `Query.node`. */
  readonly roots: ReadonlySet<Coordinate>
  /** PHI paths that given arguments read (P11). The arguments do not open them. */
  readonly reads: ReadonlySet<SchemaPath>
}

/** The document has no operation with this name, or has several operations and no name is given. */
export class OperationUnknown extends Error {
  override readonly name = 'OperationUnknown'
  constructor() {
    super('The document has no such operation.')
  }
}

/**
 * Walks an operation before execution: through fragments, aliases, interfaces and unions (every possible type), `@skip` and
 * `@include`. It collects schema paths, never response keys (P4). `paths` includes fields that the table does not know, so that
 * the decision denies them (P3).
 *
 * @param schema the compiled schema; its AST nodes hold `@reads`
 * @param document validated against the schema
 * @param variables raw or coerced; an argument with a missing variable counts as missing
 * @throws OperationUnknown
 */
export function footprint(
  schema: GraphQLSchema,
  policy: PolicyTable,
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Readonly<Record<string, unknown>>,
): Footprint {
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) throw new OperationUnknown()
  const context: SelectionContext = { schema, fragments: fragmentsOf(document), variables: withDefaults(operation, variables) }
  const walk = new Walk(context, policy)
  walk.object(root, root.name, [operation])
  return walk
}

/**
 * The footprint of the only operation of a document with all conditional fields, and all variables given.
 *
 * @param document valid, or once valid under another schema: a field that this schema lacks is then an unknown path
 */
export function largestFootprint(schema: GraphQLSchema, policy: PolicyTable, document: DocumentNode): Footprint {
  const operation = getOperationAST(document)
  return footprint(schema, policy, document, undefined, operation ? everyVariable(operation) : {})
}

/**
 * Gives each variable a value that is no boolean. An argument with a variable then counts as given. A condition with a variable is
 * undecided, so that its field counts as selected, also if the default of the variable would exclude it.
 */
const everyVariable = ({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, string> =>
  Object.fromEntries(variableDefinitions.map(({ variable }) => [variable.name.value, 'GIVEN']))

interface HasSelections {
  readonly selectionSet?: SelectionSetNode | undefined
}

class Walk implements Footprint {
  readonly paths = new Set<SchemaPath>()
  readonly coordinates = new Set<Coordinate>()
  readonly roots = new Set<Coordinate>()
  readonly reads = new Set<SchemaPath>()
  readonly #context: SelectionContext
  readonly #policy: PolicyTable
  readonly #entered = new WeakMap<SelectionSetNode, Set<string>>()

  constructor(context: SelectionContext, policy: PolicyTable) {
    this.#context = context
    this.#policy = policy
  }

  /** @param prefix the path of the object: its type name, or the path of an embedded type */
  object(type: GraphQLObjectType, prefix: string, parents: readonly HasSelections[]): void {
    const sets = parents.map(({ selectionSet }) => selectionSet).filter((set) => set && this.#enter(set, prefix))
    if (sets.length === 0) return
    for (const [name, nodes] of Map.groupBy(collectFields(this.#context, type, sets), (node) => node.name.value)) {
      const field: AnyField | undefined = type.getFields()[name]
      const coordinate = `${type.name}.${name}` as Coordinate
      const path = `${prefix}.${name}` as SchemaPath
      const found = this.#policy.classes.get(coordinate)
      this.coordinates.add(coordinate)
      if (found === 'ROOT') this.roots.add(coordinate)
      if (found === undefined || this.#policy.phi.has(path)) this.paths.add(path)
      if (!field) continue
      for (const argument of field.args) {
        if (nodes.some((node) => this.#isGiven(node, argument.name))) this.#read(argument, argument.type, new Set())
      }
      for (const member of possibleTypes(this.#context.schema, getNamedType(field.type))) {
        this.object(member, found === 'EMBEDDED' ? path : member.name, nodes)
      }
    }
  }

  /** Enters each set once for each place, so that a fragment that is spread many times, or inside itself, costs no more. */
  #enter(set: SelectionSetNode, prefix: string): boolean {
    const places = this.#entered.get(set) ?? new Set<string>()
    this.#entered.set(set, places)
    return places.size !== places.add(prefix).size
  }

  /** A null or missing argument filters nothing. Any other value is a read. */
  #isGiven(node: FieldNode, name: string): boolean {
    const value = node.arguments?.find((argument) => argument.name.value === name)?.value
    if (!value || value.kind === Kind.NULL) return false
    return value.kind !== Kind.VARIABLE || (this.#context.variables[value.name.value] ?? undefined) !== undefined
  }

  /** An input object counts with all its fields, because only coercion shows the fields that a variable fills. */
  #read(definition: Definition, type: GraphQLInputType, entered: Set<GraphQLNamedType>): void {
    for (const { value } of readDirective(this.#context.schema, definition, 'reads')) {
      if (value) this.reads.add(value.field as SchemaPath)
    }
    const named = getNamedType(type)
    if (!isInputObjectType(named) || entered.has(named)) return
    entered.add(named)
    for (const field of Object.values(named.getFields())) this.#read(field, field.type, entered)
  }
}

/** The object types that a value of this type can have. Empty for a scalar or an enum. */
export function possibleTypes(schema: GraphQLSchema, type: GraphQLNamedType): readonly GraphQLObjectType[] {
  if (isObjectType(type)) return [type]
  return isAbstractType(type) ? schema.getPossibleTypes(type) : []
}

/** The fragments of a document, by name. */
export function fragmentsOf(document: DocumentNode): Readonly<Record<string, FragmentDefinitionNode>> {
  const fragments = document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
  return Object.fromEntries(fragments.map((fragment) => [fragment.name.value, fragment]))
}

/** Adds the defaults of missing variables. A boolean is coerced. Any other default stays an AST node, which only marks presence. */
export function withDefaults(operation: OperationDefinitionNode, variables: Readonly<Record<string, unknown>>) {
  const filled: Record<string, unknown> = { ...variables }
  for (const { variable, defaultValue } of operation.variableDefinitions ?? []) {
    const name = variable.name.value
    if (Object.hasOwn(filled, name) || !defaultValue) continue
    // only booleans control a selection; any other default only has to be present
    filled[name] = defaultValue.kind === Kind.BOOLEAN ? valueFromAST(defaultValue, GraphQLBoolean) : defaultValue
  }
  return filled
}
