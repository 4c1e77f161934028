import {
  getNamedType,
  getNullableType,
  isAbstractType,
  isInterfaceType,
  isListType,
  isObjectType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
} from 'graphql'
import { has, type AnyField } from './read-directives.ts'

/**
 * The kind of an object type.
 *
 * - COMPOSITE: the inside of a `@phi` value.
 * - EMBEDDED: a part of one record; its leaves are values of that record.
 * - PAYLOAD: the answer of a generated mutation, or an entry of a history; it leads to the record that was written.
 * - OTHER: none of the other kinds; each of its fields needs `@notPhi` with a reason.
 */
export type TypeKind =
  | 'ROOT'
  | 'RECORD'
  | 'PAYLOAD'
  | 'CONNECTION'
  | 'CONNECTION_EDGE'
  | 'PAGE_INFO'
  | 'COMPOSITE'
  | 'EMBEDDED'
  | 'OTHER'

/** The fields of the Relay cursor connections specification and `mayBeIncomplete`. Any other field could carry a value, so it needs a class. */
export const PLUMBING: Readonly<Record<'CONNECTION' | 'CONNECTION_EDGE' | 'PAGE_INFO', readonly string[]>> = {
  CONNECTION: ['edges', 'pageInfo', 'mayBeIncomplete'],
  CONNECTION_EDGE: ['cursor', 'node'],
  PAGE_INFO: ['hasNextPage', 'hasPreviousPage', 'startCursor', 'endCursor'],
}

export type TypeKinds = ReadonlyMap<GraphQLObjectType, TypeKind>

/**
 * Finds the kind of every object type of the schema.
 *
 * @param payloads the names of the generated types that lead to a record
 */
export function typeKinds(schema: GraphQLSchema, payloads: ReadonlySet<string> = new Set()): TypeKinds {
  const kinds = new Map<GraphQLObjectType, TypeKind>()
  const objects = objectTypes(schema)
  // the first kind that fits wins: a record that looks like a connection is a record
  const claim = (type: GraphQLNamedType | undefined, kind: TypeKind): void => {
    if (isObjectType(type) && !kinds.has(type)) kinds.set(type, kind)
  }
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()])
    claim(root ?? undefined, 'ROOT')
  for (const type of objects) if (has(type, 'record')) claim(type, 'RECORD')
  for (const type of objects) if (payloads.has(type.name)) claim(type, 'PAYLOAD')
  for (const type of objects) {
    const edge = connectionEdge(type)
    if (!edge || kinds.has(type) || (kinds.has(edge) && kinds.get(edge) !== 'CONNECTION_EDGE')) continue
    claim(type, 'CONNECTION')
    claim(edge, 'CONNECTION_EDGE')
    claim(fieldType(type, 'pageInfo'), 'PAGE_INFO')
  }
  for (const type of objects) {
    for (const field of Object.values(type.getFields())) if (has(field, 'phi')) claimInside(getNamedType(field.type), claim, kinds)
  }
  for (const type of objects) if (kinds.get(type) === 'RECORD') claimEmbedded(type, claim, kinds)
  for (const type of objects) claim(type, 'OTHER')
  return kinds
}

/** The object types of the schema, without the types of introspection. */
export function objectTypes(schema: GraphQLSchema): readonly GraphQLObjectType[] {
  return Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type))
    .filter((type) => !type.name.startsWith('__'))
}

/** The type that `node` of a connection leads to, or undefined if the type is not a connection. */
export function connectionNode(type: GraphQLNamedType): GraphQLNamedType | undefined {
  const edge = isObjectType(type) ? connectionEdge(type) : undefined
  return edge && fieldType(edge, 'node')
}

export function interfaceTypes(schema: GraphQLSchema): readonly GraphQLInterfaceType[] {
  return Object.values(schema.getTypeMap()).filter((type) => isInterfaceType(type))
}

/** Whether the type is a record, or an interface or union of only records. */
export function isRecordType(schema: GraphQLSchema, kinds: TypeKinds, type: GraphQLNamedType): boolean {
  if (isObjectType(type)) return kinds.get(type) === 'RECORD'
  if (!isAbstractType(type)) return false
  const possible = schema.getPossibleTypes(type)
  return possible.length > 0 && possible.every((member) => kinds.get(member) === 'RECORD')
}

export function isList(type: GraphQLOutputType): boolean {
  return isListType(getNullableType(type))
}

function connectionEdge(type: GraphQLObjectType): GraphQLObjectType | undefined {
  const fields = type.getFields()
  if (!fields['pageInfo'] || !fields['edges'] || !isList(fields['edges'].type)) return undefined
  const edge = getNamedType(fields['edges'].type)
  return isObjectType(edge) && edge.getFields()['node'] ? edge : undefined
}

function fieldType(type: GraphQLObjectType, name: string): GraphQLNamedType | undefined {
  const field: AnyField | undefined = type.getFields()[name]
  return field && getNamedType(field.type)
}

type Claim = (type: GraphQLNamedType | undefined, kind: TypeKind) => void

/** Marks every type inside a `@phi` value as COMPOSITE. */
function claimInside(type: GraphQLNamedType, claim: Claim, kinds: Map<GraphQLObjectType, TypeKind>): void {
  if (!isObjectType(type) || kinds.has(type)) return
  claim(type, 'COMPOSITE')
  for (const field of Object.values(type.getFields())) claimInside(getNamedType(field.type), claim, kinds)
}

/** Marks the types of record fields as EMBEDDED if the field has no `@phi` but the type has `@phi` leaves. */
function claimEmbedded(parent: GraphQLObjectType, claim: Claim, kinds: Map<GraphQLObjectType, TypeKind>): void {
  for (const field of Object.values(parent.getFields())) {
    const type = getNamedType(field.type)
    if (has(field, 'phi') || has(field, 'notPhi') || !isObjectType(type) || kinds.has(type)) continue
    if (!hasPhiLeaf(type, kinds, new Set())) continue
    claim(type, 'EMBEDDED')
    claimEmbedded(type, claim, kinds)
  }
}

function hasPhiLeaf(type: GraphQLObjectType, kinds: TypeKinds, seen: Set<GraphQLObjectType>): boolean {
  if (seen.has(type) || kinds.has(type)) return false
  seen.add(type)
  return Object.values(type.getFields()).some((field) => {
    const inner = getNamedType(field.type)
    return has(field, 'phi') || (isObjectType(inner) && hasPhiLeaf(inner, kinds, seen))
  })
}
