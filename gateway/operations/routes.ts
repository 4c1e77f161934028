import { getNamedType, Kind, type DocumentNode, type FieldNode, type GraphQLField, type GraphQLObjectType } from 'graphql'
import type { GraphQLSchema, OperationDefinitionNode, SelectionSetNode } from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { fragmentsOf, possibleTypes, withDefaults } from './footprint.ts'
import { collectFields, type SelectionContext } from './selection.ts'

/** Whether the answer can reach a path. The way to the path is open, or the step `at` closes it or might close it. */
export type Way = { readonly passage: 'OPEN' } | { readonly passage: 'DEPENDS' | 'DENIED'; readonly at: SchemaPath }

/** The paths that an operation would reach, each with the most open way to it. */
export interface Routes {
  /** PHI paths: values, and edges that are PHI themselves. In document order. */
  readonly paths: ReadonlyMap<SchemaPath, Way>
  /** Paths that given arguments read (P11). */
  readonly reads: ReadonlyMap<SchemaPath, Way>
}

/** Decides one step of a way: a root field, an edge, or a path that an argument reads. */
export type Passage = (
  at: { readonly kind: 'ROOT' | 'EDGE' | 'READ' } & { readonly path: SchemaPath },
) => 'OPEN' | 'DEPENDS' | 'DENIED'

const OPEN: Way = { passage: 'OPEN' }
const ORDER = { OPEN: 0, DEPENDS: 1, DENIED: 2 } as const

/**
 * Walks an operation as execution would, and finds for each PHI path the step that closes it. Variables have only their
 * defaults: fields with an unknown condition count as selected, and an argument with a variable counts as given.
 *
 * @param document validated against the schema
 */
export function routes(
  schema: GraphQLSchema,
  policy: PolicyTable,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  passage: Passage,
): Routes {
  const context: SelectionContext = { schema, fragments: fragmentsOf(document), variables: withDefaults(operation, {}) }
  const walk = new Walk(context, policy, passage)
  const root = schema.getRootType(operation.operation)
  if (root) walk.object(root, root.name, operation.selectionSet, OPEN)
  return walk
}

class Walk implements Routes {
  readonly paths = new Map<SchemaPath, Way>()
  readonly reads = new Map<SchemaPath, Way>()
  readonly #context: SelectionContext
  readonly #policy: PolicyTable
  readonly #passage: Passage
  readonly #entered = new WeakMap<SelectionSetNode, Set<string>>()

  constructor(context: SelectionContext, policy: PolicyTable, passage: Passage) {
    this.#context = context
    this.#policy = policy
    this.#passage = passage
  }

  /** @param prefix the path of the object: its type name, or the path of an embedded type */
  object(type: GraphQLObjectType, prefix: string, set: SelectionSetNode | undefined, way: Way): void {
    if (set === undefined || !this.#enter(set, `${prefix} ${way.passage}`)) return
    for (const node of collectFields(this.#context, type, [set])) {
      const name = node.name.value
      const field = type.getFields()[name]
      const path = `${prefix}.${name}` as SchemaPath
      const kind = this.#policy.classes.get(`${type.name}.${name}` as Coordinate)
      const past = kind === 'ROOT' || kind === 'EDGE' ? this.#through(kind, path, way) : way
      const filtered = field === undefined ? past : this.#filtered(`${type.name}.${name}`, field, node, past)
      // an edge is decided before its filter, so that a refusal by the edge names the edge's own rule
      if (kind === undefined || this.#policy.phi.has(path)) keepMostOpen(this.paths, path, filtered === past ? way : filtered)
      if (field === undefined) continue
      for (const member of possibleTypes(this.#context.schema, getNamedType(field.type))) {
        this.object(member, kind === 'EMBEDDED' ? path : member.name, node.selectionSet, filtered)
      }
    }
  }

  /** Enters each set once for each place and passage, however many fragments lead there. */
  #enter(set: SelectionSetNode, place: string): boolean {
    const places = this.#entered.get(set) ?? new Set<string>()
    this.#entered.set(set, places)
    return places.size !== places.add(place).size
  }

  #filtered(coordinate: string, { args }: GraphQLField<unknown, unknown>, node: FieldNode, way: Way): Way {
    let filtered = way
    for (const { name } of args) {
      const path = this.#policy.reads.get(`${coordinate}(${name}:)`)
      const value = node.arguments?.find((argument) => argument.name.value === name)?.value
      if (path === undefined || value === undefined || value.kind === Kind.NULL) continue
      keepMostOpen(this.reads, path, way)
      filtered = this.#through('READ', path, filtered)
    }
    return filtered
  }

  /** Keeps the first step that closes the way. */
  #through(kind: 'ROOT' | 'EDGE' | 'READ', at: SchemaPath, way: Way): Way {
    const passage = this.#passage({ kind, path: at })
    return passage === 'OPEN' || ORDER[passage] <= ORDER[way.passage] ? way : { passage, at }
  }
}

function keepMostOpen(ways: Map<SchemaPath, Way>, path: SchemaPath, way: Way): void {
  const known = ways.get(path)
  if (known === undefined || ORDER[way.passage] < ORDER[known.passage]) ways.set(path, way)
}
