import { getNamedType, isEnumType, isObjectType, type GraphQLObjectType, type GraphQLSchema } from 'graphql'
import { permitsChange, type ChangeAction } from './actions.ts'
import { classifyObjects, type PhiSite } from './classify.ts'
import type { Coordinate, TypeName } from './coordinates.ts'
import { FaultList } from './fault.ts'
import { effectiveGrants, isStored } from './grants.ts'
import type { Role, WritePolicy } from './policy.ts'
import { has, markedPlaces, readDirective, type AnyField } from './read-directives.ts'
import { isList, typeKinds, type TypeKinds } from './type-kinds.ts'

/** The source of the records that this gateway stores. It changes no record of another source. */
export const STORED_SOURCE = 'dynamodb'

/** One change of a record type: the values that some grant allows to change, and the roles of these grants. */
interface Change {
  readonly values: readonly PhiSite[]
  /** In the order of the enum `Role`. */
  readonly roles: readonly Role[]
}

/** The changes of a record type that has grants of CREATE, UPDATE or DELETE. A change without a grant is undefined. */
export interface RecordChanges {
  readonly type: GraphQLObjectType
  /** Whether the record is the patient. Such a record is registered, and never retracted. */
  readonly isPatient: boolean
  readonly stored: readonly PhiSite[]
  readonly create: Change | undefined
  readonly update: Change | undefined
  readonly retract: Change | undefined
  /** The edges to one other record of the patient, each with its member of the input. */
  readonly references: readonly { readonly member: string; readonly edge: AnyField; readonly type: TypeName }[]
}

/** The record types with change grants, in the order of the schema. Empty if there are none. Faulty lines are left out, because lint reports them. */
export function recordChanges(schema: GraphQLSchema): readonly RecordChanges[] {
  if (!hasChangeGrants(schema)) return []
  const kinds = typeKinds(schema)
  // compilation classifies the complete schema again, and reports its faults
  const { sites } = classifyObjects(schema, kinds, new FaultList())
  const byRecord = Map.groupBy(sites.filter(isStored), ({ owners }) => owners.at(-1))
  return [...byRecord].flatMap(([type, stored]) => {
    const record = type && readDirective(schema, type, 'record')[0]?.value
    if (!type || record?.source !== STORED_SOURCE) return []
    const isPatient = record.patient === 'id'
    const change = (action: ChangeAction) => changeOf(schema, stored, action)
    const [create, update, retract] = [change('CREATE'), change('UPDATE'), isPatient ? undefined : change('DELETE')]
    if (!create && !update && !retract) return []
    return [{ type, isPatient, stored, create, update, retract, references: references(schema, kinds, type) }]
  })
}

/** The names of the generated root fields. */
export function changeRoots({ type, isPatient, create, update, retract }: RecordChanges): {
  readonly create?: string
  readonly update?: string
  readonly retract?: string
} {
  return {
    ...(create && { create: `${isPatient ? 'register' : 'create'}${type.name}` }),
    ...(update && { update: `update${type.name}` }),
    ...(retract && { retract: `retract${type.name}` }),
  }
}

export function writePolicies(changes: readonly RecordChanges[], mutation: string): ReadonlyMap<TypeName, WritePolicy> {
  const policies = changes.map((of): WritePolicy => {
    const { create, update, retract } = changeRoots(of)
    const at = (field: string): Coordinate => `${mutation}.${field}` as Coordinate
    return {
      type: of.type.name as TypeName,
      ...(create !== undefined && { create: at(create) }),
      ...(update !== undefined && { update: at(update) }),
      ...(retract !== undefined && { retract: at(retract) }),
      paths: of.stored.map(({ path }) => path),
      references: new Map(of.references.map(({ member, edge, type }) => [member, { edge: edge.name, type }])),
    }
  })
  return new Map(policies.map((policy) => [policy.type, policy]))
}

function hasChangeGrants(schema: GraphQLSchema): boolean {
  return markedPlaces(schema).some(({ definition }) =>
    readDirective(schema, definition, 'minimumNecessary').some(({ value }) => value !== undefined && permitsChange(value)),
  )
}

function changeOf(schema: GraphQLSchema, stored: readonly PhiSite[], action: ChangeAction): Change | undefined {
  const roles = new Set<Role>()
  const values = stored.filter((site) => {
    const grants = effectiveGrants(schema, site).filter(({ grant }) => grant.actions.has(action))
    for (const { grant } of grants) for (const role of grant.roles) roles.add(role)
    return grants.length > 0
  })
  const type = schema.getType('Role')
  const inOrder = isEnumType(type) ? type.getValues().map(({ name }) => name as Role) : []
  return values.length === 0 ? undefined : { values, roles: inOrder.filter((role) => roles.has(role)) }
}

function references(schema: GraphQLSchema, kinds: TypeKinds, record: GraphQLObjectType): RecordChanges['references'] {
  return Object.values(record.getFields()).flatMap((edge) => {
    const type = getNamedType(edge.type)
    if (!isObjectType(type) || kinds.get(type) !== 'RECORD' || isList(edge.type) || has(edge, 'phi') || has(edge, 'notPhi'))
      return []
    // each record has the edge to its patient, and never gets another one
    if (readDirective(schema, type, 'record')[0]?.value?.patient === 'id') return []
    return [{ member: `${edge.name}Id`, edge, type: type.name as TypeName }]
  })
}
