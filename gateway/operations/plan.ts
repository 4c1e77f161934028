import { getNamedType, isObjectType, type FieldNode, type GraphQLObjectType, type GraphQLResolveInfo } from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { collectFields } from './selection.ts'

/** The part of `GraphQLResolveInfo` that planning reads. */
export type PlanInfo = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments' | 'variableValues' | 'schema' | 'returnType'>

/**
 * The PHI paths that one occurrence of a field selects directly on one record of `type`: values, values of embedded types, and
 * edges that are PHI themselves. The plan crosses no edge and enters no composite. It has schema paths, never response keys (P4).
 *
 * @param within the fields between the occurrence and the record: `['edges', 'node']` for a connection. All aliases of these fields
 *   are merged into one plan, because any of them can lead to the same record.
 */
export function planPaths(
  info: PlanInfo,
  type: GraphQLObjectType,
  policy: PolicyTable,
  within: readonly string[] = [],
): ReadonlySet<SchemaPath> {
  const context = { schema: info.schema, fragments: info.fragments, variables: info.variableValues }
  let nodes: readonly FieldNode[] = info.fieldNodes
  let around = getNamedType(info.returnType)
  for (const step of within) {
    if (!isObjectType(around)) return new Set()
    const field = around.getFields()[step]
    nodes = collectFields(context, around, selectionSets(nodes)).filter(({ name }) => name.value === step)
    around = field ? getNamedType(field.type) : around
  }

  const paths = new Set<SchemaPath>()
  const collect = (parent: GraphQLObjectType, prefix: string, parents: readonly FieldNode[]): void => {
    for (const [name, fields] of Map.groupBy(collectFields(context, parent, selectionSets(parents)), (node) => node.name.value)) {
      const path = `${prefix}.${name}` as SchemaPath
      const found = policy.classes.get(`${parent.name}.${name}` as Coordinate)
      const inner = parent.getFields()[name]
      const embedded = inner && getNamedType(inner.type)
      if (found === 'EMBEDDED' && isObjectType(embedded)) collect(embedded, path, fields)
      // a field that the table does not know is planned too, so that the decision denies it (P3)
      else if (found === undefined || policy.phi.has(path)) paths.add(path)
    }
  }
  collect(type, type.name, nodes)
  return paths
}

export type Planner = (info: PlanInfo, type: GraphQLObjectType, within?: readonly string[]) => ReadonlySet<SchemaPath>

/**
 * `planPaths`, computed once for each `info.fieldNodes` and type, because execution gives all items of a list the same nodes.
 *
 * Create a planner for each request: two requests can share a parsed document and differ in the variables of `@include`.
 */
export function createPlanner(policy: PolicyTable): Planner {
  const plans = new WeakMap<readonly FieldNode[], Map<string, ReadonlySet<SchemaPath>>>()
  return (info, type, within = []) => {
    const known = plans.get(info.fieldNodes) ?? new Map<string, ReadonlySet<SchemaPath>>()
    plans.set(info.fieldNodes, known)
    const key = [type.name, ...within].join('.')
    const plan = known.get(key) ?? planPaths(info, type, policy, within)
    known.set(key, plan)
    return plan
  }
}

function selectionSets(nodes: readonly FieldNode[]) {
  return nodes.map(({ selectionSet }) => selectionSet)
}
