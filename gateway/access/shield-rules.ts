import { deny, rule, shield } from 'graphql-shield'
import type { IMiddlewareGenerator } from 'graphql-middleware'
import {
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
} from 'graphql'
import type { Caller, Denial } from '../model/decision.ts'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PhiPolicy, PolicyTable } from '../../directives/policy.ts'
import { refuseBeforeRecord } from '../decide/decide.ts'

/** The answer where a rule says no: told and recorded by the one who is called, who gives what the field then is. */
export type OnDenied<Context> = (
  denial: Denial,
  coordinate: Coordinate,
  source: unknown,
  args: Record<string, unknown>,
  context: Context,
  info: GraphQLResolveInfo,
) => null

type Resolve = (source?: unknown, args?: unknown, context?: unknown, info?: GraphQLResolveInfo) => unknown
/** Wraps a field's resolver: graphql-middleware's function, whose own type is not exported. */
export type Wrap = (
  resolve: Resolve,
  source: unknown,
  args: unknown,
  context: unknown,
  info: GraphQLResolveInfo,
) => Promise<unknown>
/** By type and field: what `applyMiddleware` takes. */
export type RuleMap = Record<string, Record<string, Wrap>>

/**
 * Role and purpose on every root and edge, before anything is loaded. What is no root or edge is not wrapped: leaves have
 * their own synchronous guards, and a rule on each leaf would make a promise of each.
 *
 * @throws Error when shield gives no rule for a root or an edge
 */
export function shieldRules<Context>(
  schema: GraphQLSchema,
  policy: PolicyTable,
  callerOf: (context: Context) => Caller | undefined,
  onDenied: OnDenied<Context>,
): RuleMap {
  // found once: a rule runs for every row of a list
  const behind = new Map<Coordinate, readonly PhiPolicy[]>()
  const refusalAt = (coordinate: Coordinate, caller: Caller): Denial | undefined => {
    const call = policy.calls.get(coordinate)
    if (call !== undefined && ![...caller.roles].some((role) => call.roles.has(role))) return NOBODY
    const fields = behind.get(coordinate)
    return fields === undefined ? NOBODY : refusal(coordinate, fields, caller)
  }
  const held = [...policy.classes].filter(([, kind]) => kind === 'ROOT' || kind === 'EDGE').map(([coordinate]) => coordinate)
  const tree: Record<string, Record<string, ReturnType<ReturnType<typeof rule>>>> = {}
  for (const coordinate of held) {
    behind.set(coordinate, fieldsBehind(schema, policy, coordinate))
    const [type, field] = split(coordinate)
    // one rule object for each field: shield answers a shared one from what it said of the first
    const decide = (_parent: unknown, _args: unknown, context: Context): boolean => {
      const caller = callerOf(context)
      return caller !== undefined && refusalAt(coordinate, caller) === undefined
    }
    ;(tree[type] ??= {})[field] = rule(`phi:${coordinate}`)(decide)
  }
  const generator = shield<unknown, Context>(tree, {
    fallbackRule: deny,
    // the only setting under which an error thrown in a rule stays an error and does not read as a denial
    debug: true,
    fallbackError: (_thrown, source, args, context, info) => {
      const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
      const caller = callerOf(context as Context)
      const denial = caller === undefined ? undefined : refusalAt(coordinate, caller)
      // shield types this as an error; what it returns is the value of the field
      return onDenied(
        denial ?? NOBODY,
        coordinate,
        source,
        args as Record<string, unknown>,
        context as Context,
        info,
      ) as unknown as Error
    },
  })
  return pick(generator, schema, held)
}

const NOBODY: Denial = { outcome: 'DENIED', reason: 'ROLE', breakGlass: false }

/** The fields that decide about a root or an edge: its own line, or all fields of the records that it leads to. */
function fieldsBehind(schema: GraphQLSchema, policy: PolicyTable, coordinate: Coordinate): readonly PhiPolicy[] {
  const own = policy.phi.get(coordinate as string as SchemaPath)
  if (own !== undefined) return [own]
  const [type, field] = split(coordinate)
  const parent = schema.getType(type)
  const target = isObjectType(parent) ? parent.getFields()[field]?.type : undefined
  const records = target === undefined ? [] : recordTypes(schema, policy, getNamedType(target))
  return [...policy.phi.values()].filter(({ path }) => records.some((record) => path.startsWith(`${record}.`)))
}

/** Why no record could be given to this caller through a root or an edge; undefined when some could. */
function refusal(coordinate: Coordinate, fields: readonly PhiPolicy[], caller: Caller): Denial | undefined {
  let refused: Denial | undefined
  for (const field of fields) {
    refused = refuseBeforeRecord(field, caller)
    if (refused === undefined) return undefined
  }
  // what leads to no record (`viewer`) needs a caller alone; only an edge that is PHI itself has a rule to name
  const isOwn = fields[0] !== undefined && (fields[0].path as string) === (coordinate as string)
  return isOwn ? refused : refused && { outcome: 'DENIED', reason: refused.reason, breakGlass: false }
}

/** The records that a type leads to: itself, behind a connection, or behind an interface. */
function recordTypes(schema: GraphQLSchema, policy: PolicyTable, type: GraphQLNamedType): string[] {
  if (isInterfaceType(type)) return schema.getPossibleTypes(type).map(({ name }) => name)
  if (!isObjectType(type)) return []
  if ([...policy.records.keys()].some((record) => (record as string) === type.name)) return [type.name]
  const edges = type.getFields()['edges']
  const edge = edges && getNamedType(edges.type)
  const node = isObjectType(edge) ? edge.getFields()['node'] : undefined
  return node === undefined ? [] : recordTypes(schema, policy, getNamedType(node.type))
}

function pick<Context>(
  generator: IMiddlewareGenerator<unknown, Context, unknown>,
  schema: GraphQLSchema,
  held: readonly Coordinate[],
): RuleMap {
  const generated = generator.generate(schema) as RuleMap
  const picked: RuleMap = {}
  for (const coordinate of held) {
    const [type, field] = split(coordinate)
    const wrap = generated[type]?.[field]
    if (wrap === undefined) throw new Error(`no rule holds ${coordinate}`)
    ;(picked[type] ??= {})[field] = wrap
  }
  return picked
}

function split(coordinate: Coordinate): [string, string] {
  const at = coordinate.indexOf('.')
  return [coordinate.slice(0, at), coordinate.slice(at + 1)]
}
