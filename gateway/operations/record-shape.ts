import {
  getNamedType,
  isObjectType,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
} from 'graphql'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { connectionNode, isList } from '../../directives/type-kinds.ts'
import { isSignature } from '../../directives/signature-field.ts'
import type { PlanInfo } from './plan.ts'
import { collectPlaces, type SelectionContext } from './selection.ts'

// The size of an answer before any value is opened. Lengths are bytes of JSON text.

/** One occurrence of a record in an answer, without the records below it. */
export interface RecordShape {
  /** The length of keys, brackets and values of a known length, at most. Each PHI value counts as null. */
  readonly bytes: number
  /** The places of the record itself: several if the fields on the way to it have aliases. */
  readonly self: Places
  /** The PHI values, and the edges that are PHI themselves. */
  readonly values: ReadonlyMap<SchemaPath, ValueShape>
  /** The number of places of each field that is not PHI, by its name. The metadata of the record has their values. */
  readonly open: ReadonlyMap<string, number>
}

/** Places of the answer below one field. */
interface Places {
  readonly count: number
  /** The total length of their paths, as `errors` have them, from the field on. */
  readonly pathBytes: number
}

/**
 * The places of one value. A value of `n` stored bytes takes at most `copies * n + perByte * n + once` bytes at all of them.
 *
 * The stored text is JSON as the response has it, so that its escapes are the same in both. An object of the response has a key
 * for each selected member, also for a member that the stored object lacks.
 */
interface ValueShape extends Places {
  /** How often the response has a stored byte: once for each alias that selects it. */
  readonly copies: number
  /** The length of keys for each stored byte: the value may hold many small objects. */
  readonly perByte: number
  /** The length of keys that does not depend on the stored length. */
  readonly once: number
}

/** A field that is not PHI and not in the metadata: an id, a cursor, a name of the schema. A pseudonym has 152 characters. */
const LEAF_BYTES = 180
const NULL_BYTES = 4
/** `"":,` around a key and its value. */
const KEY_BYTES = 4
/** `{},` around an object. */
const OBJECT_BYTES = 3
/** `"",` around a key in a path. */
const STEP_BYTES = 3
/** The position in a list: a page has at most three digits. */
const INDEX_BYTES = 4
/** `{"":x},` around the key of the smallest stored object. An object in a list has at least one member. */
const STORED_OBJECT_BYTES = 7

/** The length of a path of `errors` up to a field, for the places below it. */
export function pathBytes(path: { readonly prev: typeof path | undefined; readonly key: string | number } | undefined): number {
  let bytes = OBJECT_BYTES
  for (let at = path; at !== undefined; at = at.prev) bytes += typeof at.key === 'string' ? at.key.length + STEP_BYTES : INDEX_BYTES
  return bytes
}

/** The number of places of a field in the answer, within the result of another: aliases on the way multiply them. */
export function placesWithin(info: PlanInfo, within: readonly string[]): number {
  const context = { schema: info.schema, fragments: info.fragments, variables: info.variableValues }
  const count = (around: GraphQLNamedType, nodes: readonly FieldNode[], [step, ...rest]: readonly string[]): number => {
    if (step === undefined) return 1
    if (!isObjectType(around)) return 0
    const target = around.getFields()[step]
    const named = [...collectPlaces(context, around, nodes).values()].filter(([node]) => node?.name.value === step)
    return target === undefined ? 0 : named.reduce((sum, one) => sum + count(getNamedType(target.type), one, rest), 0)
  }
  return count(getNamedType(info.returnType), info.fieldNodes, within)
}

export type Shaper = (info: PlanInfo, type: GraphQLObjectType, within?: readonly string[]) => RecordShape

/**
 * The shape of a record at one occurrence of a field. Computed once for each `info.fieldNodes` and type. Create a shaper for each
 * request, as a planner.
 *
 * @param within the fields between the occurrence and the record: `['edges', 'node']` for a connection
 */
export function createShaper(policy: PolicyTable): Shaper {
  const shapes = new WeakMap<readonly FieldNode[], Map<string, RecordShape>>()
  return (info, type, within = []) => {
    const known = shapes.get(info.fieldNodes) ?? new Map<string, RecordShape>()
    shapes.set(info.fieldNodes, known)
    const key = [type.name, ...within].join('.')
    const shape = known.get(key) ?? shapeOf(info, type, policy, within)
    known.set(key, shape)
    return shape
  }
}

function shapeOf(info: PlanInfo, type: GraphQLObjectType, policy: PolicyTable, within: readonly string[]): RecordShape {
  const walk = new ShapeWalk({ schema: info.schema, fragments: info.fragments, variables: info.variableValues }, policy, type)
  walk.reach(getNamedType(info.returnType), info.fieldNodes, within, 0)
  return walk
}

class ShapeWalk implements RecordShape {
  bytes = 0
  readonly self = { count: 0, pathBytes: 0 }
  readonly values = new Map<SchemaPath, { -readonly [Member in keyof ValueShape]: ValueShape[Member] }>()
  readonly open = new Map<string, number>()
  readonly #context: SelectionContext
  readonly #policy: PolicyTable
  readonly #record: GraphQLObjectType

  constructor(context: SelectionContext, policy: PolicyTable, record: GraphQLObjectType) {
    this.#context = context
    this.#policy = policy
    this.#record = record
  }

  /** Goes to each place of the record. The fields beside the way belong to the record, except those of the connection itself. */
  reach(around: GraphQLNamedType, nodes: readonly FieldNode[], within: readonly string[], path: number): void {
    const [step, ...rest] = within
    if (step === undefined) {
      this.self.count++
      this.self.pathBytes += path
      this.#object(this.#record, this.#record.name, nodes, path)
      return
    }
    if (!isObjectType(around)) return
    const isConnection = connectionNode(around) !== undefined
    if (!isConnection) this.bytes += OBJECT_BYTES
    for (const [key, named] of collectPlaces(this.#context, around, nodes)) {
      const field = around.getFields()[named[0]?.name.value ?? '']
      if (field?.name === step) {
        if (!isConnection) this.bytes += key.length + KEY_BYTES + NULL_BYTES
        const index = isList(field.type) ? INDEX_BYTES : 0
        this.reach(getNamedType(field.type), named, rest, path + key.length + STEP_BYTES + index)
      } else if (!isConnection) this.bytes += key.length + KEY_BYTES + LEAF_BYTES
    }
  }

  /** @param prefix the path of the object: its type name, or the path of an embedded type */
  #object(type: GraphQLObjectType, prefix: string, parents: readonly FieldNode[], path: number): void {
    this.bytes += OBJECT_BYTES
    for (const [key, nodes] of collectPlaces(this.#context, type, parents)) {
      const name = nodes[0]?.name.value ?? ''
      const field = type.getFields()[name]
      const at = `${prefix}.${name}` as SchemaPath
      const found = this.#policy.classes.get(`${type.name}.${name}` as Coordinate)
      const phi = this.#policy.phi.get(at)
      const own = path + key.length + STEP_BYTES
      this.bytes += key.length + KEY_BYTES
      if (field === undefined) this.bytes += LEAF_BYTES
      else if (phi !== undefined || found === undefined) {
        this.bytes += phi?.class === 'EDGE' ? this.#connection(field.type, nodes) : NULL_BYTES
        this.#value(at, own, phi?.class === 'VALUE' ? this.#inside(field.type, nodes) : NOTHING_INSIDE)
      } else this.#other(field.type, name, nodes, { found, at, path: own, isRecord: prefix === this.#record.name })
    }
  }

  #other(
    of: GraphQLOutputType,
    name: string,
    nodes: readonly FieldNode[],
    { found, at, path, isRecord }: { found: string; at: SchemaPath; path: number; isRecord: boolean },
  ): void {
    const type = getNamedType(of)
    if (found === 'EMBEDDED' && isObjectType(type)) this.#object(type, at, nodes, path)
    else if (found === 'EDGE') this.bytes += this.#connection(of, nodes)
    else if (isRecord && isSignature(of, name) && isObjectType(type)) this.bytes += OBJECT_BYTES + this.#plain(type, nodes)
    else if (isRecord && name !== 'id' && name !== 'version') this.open.set(name, (this.open.get(name) ?? 0) + 1)
    else this.bytes += LEAF_BYTES
  }

  #value(at: SchemaPath, path: number, { copies, perByte, once }: Inside): void {
    const value = this.values.get(at) ?? { count: 0, pathBytes: 0, copies: 0, perByte: 0, once: 0 }
    this.values.set(at, value)
    value.count++
    value.pathBytes += path
    value.copies += copies
    value.perByte += perByte
    value.once += once
  }

  /** What an edge adds by itself. A connection has `edges` without its objects, and the information about the page. */
  #connection(of: GraphQLOutputType, nodes: readonly FieldNode[]): number {
    const type = getNamedType(of)
    if (!isObjectType(type) || connectionNode(type) === undefined) return NULL_BYTES
    return OBJECT_BYTES + this.#plain(type, nodes)
  }

  #plain(type: GraphQLObjectType, parents: readonly FieldNode[]): number {
    let bytes = 0
    for (const [key, nodes] of collectPlaces(this.#context, type, parents)) {
      const field = type.getFields()[nodes[0]?.name.value ?? '']
      const inner = field && getNamedType(field.type)
      bytes += key.length + KEY_BYTES
      if (field && isList(field.type)) bytes += OBJECT_BYTES
      else bytes += isObjectType(inner) ? OBJECT_BYTES + this.#plain(inner, nodes) : LEAF_BYTES
    }
    return bytes
  }

  /** The keys inside a value. */
  #inside(of: GraphQLOutputType, parents: readonly FieldNode[]): Inside {
    const type = getNamedType(of)
    if (!isObjectType(type)) return SCALAR
    const copies = new Map<string, number>()
    const perByte = new Map<string, number>()
    let once = OBJECT_BYTES
    for (const [key, nodes] of collectPlaces(this.#context, type, parents)) {
      const name = nodes[0]?.name.value ?? ''
      const field = type.getFields()[name]
      const inside = field === undefined ? TYPE_NAME : this.#inside(field.type, nodes)
      copies.set(name, (copies.get(name) ?? 0) + inside.copies)
      perByte.set(name, (perByte.get(name) ?? 0) + inside.perByte)
      once += key.length + KEY_BYTES + NULL_BYTES + inside.once
    }
    // a stored byte belongs to one member
    const nested = { copies: Math.max(0, ...copies.values()), perByte: Math.max(0, ...perByte.values()) }
    if (!isList(of)) return { ...nested, once }
    const shortest = Math.min(...Object.keys(type.getFields()).map(({ length }) => length))
    return { ...nested, perByte: Math.max(nested.perByte, once / (STORED_OBJECT_BYTES + shortest)), once: 0 }
  }
}

type Inside = Pick<ValueShape, 'copies' | 'perByte' | 'once'>
const SCALAR: Inside = { copies: 1, perByte: 0, once: 0 }
const NOTHING_INSIDE: Inside = { copies: 0, perByte: 0, once: 0 }
const TYPE_NAME: Inside = { copies: 0, perByte: 0, once: LEAF_BYTES }
