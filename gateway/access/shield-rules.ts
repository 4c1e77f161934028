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
import { refuseOutsideContract } from '../decide/contract.ts'
import { refuseBeforeRecord } from '../decide/decide.ts'

/** Handles a denial: reports and records it, and returns the value of the field. */
export type OnDenied<Context> = (
  denial: Denial,
  coordinate: Coordinate,
  source: unknown,
  args: Record<string, unknown>,
  context: Context,
  info: GraphQLResolveInfo,
) => null

type Resolve = (source?: unknown, args?: unknown, context?: unknown, info?: GraphQLResolveInfo) => unknown
/** Wraps a field's resolver. graphql-middleware does not export the type of this function. */
export type Wrap = (
  resolve: Resolve,
  source: unknown,
  args: unknown,
  context: unknown,
  info: GraphQLResolveInfo,
) => Promise<unknown>
/** The argument of `applyMiddleware`: wrappers by type and field. */
export type RuleMap = Record<string, Record<string, Wrap>>

/**
 * Checks contract, role and purpose on every root and edge before anything is loaded. Other fields are not wrapped: leaves have their own
 * synchronous guards, and a rule would turn each leaf into a promise.
 *
 * @throws Error if shield generates no rule for a root or an edge
 */
export function shieldRules<Context>(
  schema: GraphQLSchema,
  policy: PolicyTable,
  callerOf: (context: Context) => Caller | undefined,
  onDenied: OnDenied<Context>,
): RuleMap {
  // computed once, because a rule runs for every row of a list
  const behind = new Map<Coordinate, readonly PhiPolicy[]>()
  const refusalAt = (coordinate: Coordinate, caller: Caller): Denial | undefined => {
    const call = policy.calls.get(coordinate)
    const beyond = call === undefined ? undefined : refuseOutsideContract(caller)
    if (beyond !== undefined) return beyond
    if (call !== undefined && ![...caller.roles].some((role) => call.roles.has(role))) return NO_ROLE
    const fields = behind.get(coordinate)
    return fields === undefined ? NO_ROLE : refusal(coordinate, fields, caller)
  }
  const guarded = [...policy.classes].filter(([, kind]) => kind === 'ROOT' || kind === 'EDGE').map(([coordinate]) => coordinate)
  const tree: Record<string, Record<string, ReturnType<ReturnType<typeof rule>>>> = {}
  for (const coordinate of guarded) {
    behind.set(coordinate, fieldsBehind(schema, policy, coordinate))
    const [type, field] = split(coordinate)
    // one rule object for each field: shield caches the result of a shared rule
    const decide = (_parent: unknown, _args: unknown, context: Context): boolean => {
      const caller = callerOf(context)
      return caller !== undefined && refusalAt(coordinate, caller) === undefined
    }
    ;(tree[type] ??= {})[field] = rule(`phi:${coordinate}`)(decide)
  }
  const generator = shield<unknown, Context>(tree, {
    fallbackRule: deny,
    // the only setting that keeps an error in a rule an error; otherwise it becomes a denial
    debug: true,
    fallbackError: (_thrown, source, args, context, info) => {
      const coordinate = `${info.parentType.name}.${info.fieldName}` as Coordinate
      const caller = callerOf(context as Context)
      const denial = caller === undefined ? undefined : refusalAt(coordinate, caller)
      // shield types this result as an error, but returns it as the value of the field
      return onDenied(
        denial ?? NO_ROLE,
        coordinate,
        source,
        args as Record<string, unknown>,
        context as Context,
        info,
      ) as unknown as Error
    },
  })
  return pick(generator, schema, guarded)
}

const NO_ROLE: Denial = { outcome: 'DENIED', reason: 'ROLE', breakGlass: false }

/** Returns the policies that decide a root or an edge: its own, or those of all fields of the records behind it. */
function fieldsBehind(schema: GraphQLSchema, policy: PolicyTable, coordinate: Coordinate): readonly PhiPolicy[] {
  const own = policy.phi.get(coordinate as string as SchemaPath)
  if (own !== undefined) return [own]
  const [type, field] = split(coordinate)
  // a caller may change what the caller may not read: each field of the answer is decided by itself
  if (type === schema.getMutationType()?.name) return []
  const parent = schema.getType(type)
  const target = isObjectType(parent) ? parent.getFields()[field]?.type : undefined
  const records = target === undefined ? [] : recordTypes(schema, policy, getNamedType(target))
  return [...policy.phi.values()].filter(({ path }) => records.some((record) => path.startsWith(`${record}.`)))
}

/** Returns the denial of a root or an edge; undefined if the caller could receive a record through it. */
function refusal(coordinate: Coordinate, fields: readonly PhiPolicy[], caller: Caller): Denial | undefined {
  let refused: Denial | undefined
  for (const field of fields) {
    refused = refuseBeforeRecord(field, caller)
    if (refused === undefined) return undefined
  }
  // a root without records (`viewer`) needs only a caller; only an edge that is PHI itself has a rule to name
  const isOwn = fields[0] !== undefined && (fields[0].path as string) === (coordinate as string)
  return isOwn ? refused : refused && { outcome: 'DENIED', reason: refused.reason, breakGlass: false }
}

/** Returns the record types behind a type: the type itself, the nodes of a connection, or the types of an interface. */
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
  guarded: readonly Coordinate[],
): RuleMap {
  const generated = generator.generate(schema) as RuleMap
  const picked: RuleMap = {}
  for (const coordinate of guarded) {
    const [type, field] = split(coordinate)
    const wrap = generated[type]?.[field]
    if (wrap === undefined) throw new Error(`No rule guards ${coordinate}.`)
    ;(picked[type] ??= {})[field] = wrap
  }
  return picked
}

function split(coordinate: Coordinate): [string, string] {
  const at = coordinate.indexOf('.')
  return [coordinate.slice(0, at), coordinate.slice(at + 1)]
}
