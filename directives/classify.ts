import {
  getNamedType,
  isAbstractType,
  isLeafType,
  isNonNullType,
  isObjectType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql'
import type { Coordinate, SchemaPath } from './coordinates.ts'
import type { CoordinateClass, PhiPolicy } from './policy.ts'
import type { FaultList } from './fault.ts'
import { has, type AnyField } from './read-directives.ts'
import { SHAPE_FAULTS } from './shape-faults.ts'
import { connectionNode, isList, isRecordType, objectTypes, PLUMBING, type TypeKind, type TypeKinds } from './type-kinds.ts'

/** A PHI path and the places of its grants: the field, or else the first type in `owners` that has grants. */
export interface PhiSite {
  readonly path: SchemaPath
  readonly coordinate: Coordinate
  readonly class: PhiPolicy['class']
  readonly field: AnyField
  /** The embedded types around the field, innermost first, then its record type. */
  readonly owners: readonly GraphQLObjectType[]
}

export interface Classification {
  readonly classes: Map<Coordinate, CoordinateClass>
  readonly sites: readonly PhiSite[]
}

/**
 * Gives every field of every object type exactly one class. A field that fits no class is a fault, never a default (P3).
 * For interfaces, see `classify-interfaces.ts`.
 */
export function classifyObjects(schema: GraphQLSchema, kinds: TypeKinds, faults: FaultList): Classification {
  const walk = new Walk(schema, kinds, faults)
  for (const type of objectTypes(schema)) {
    const kind = kinds.get(type) ?? 'OTHER'
    // the walk of a record reaches its embedded types, so that their fields get the record's path
    if (kind === 'RECORD') walk.record(type, type.name, [type])
    else if (kind !== 'EMBEDDED') walk.fields(type, kind)
  }
  return { classes: walk.classes, sites: walk.sites }
}

type PlainKind = Exclude<TypeKind, 'RECORD' | 'EMBEDDED'>

class Walk {
  readonly classes = new Map<Coordinate, CoordinateClass>()
  readonly sites: PhiSite[] = []
  readonly #schema: GraphQLSchema
  readonly #kinds: TypeKinds
  readonly #faults: FaultList
  /** The embedded types that already have a path. */
  readonly #placed = new Set<GraphQLObjectType>()

  constructor(schema: GraphQLSchema, kinds: TypeKinds, faults: FaultList) {
    this.#schema = schema
    this.#kinds = kinds
    this.#faults = faults
  }

  record(type: GraphQLObjectType, prefix: string, owners: readonly GraphQLObjectType[]): void {
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}` as Coordinate
      const path = `${prefix}.${field.name}` as SchemaPath
      const kind = this.#recordField(field, coordinate, owners)
      if (kind) this.classes.set(coordinate, kind)
      if ((kind === 'VALUE' || kind === 'EDGE') && has(field, 'phi'))
        this.sites.push({ path, coordinate, class: kind, field, owners })
      const embedded = getNamedType(field.type)
      if (kind === 'EMBEDDED' && isObjectType(embedded) && this.#claimPlace(embedded, field, path)) {
        this.record(embedded, path, [embedded, ...owners])
      }
    }
  }

  fields(type: GraphQLObjectType, kind: PlainKind): void {
    for (const field of Object.values(type.getFields())) {
      const coordinate = `${type.name}.${field.name}` as Coordinate
      const found = this.#plainField(field, coordinate, kind)
      if (found) this.classes.set(coordinate, found)
    }
  }

  #recordField(field: AnyField, coordinate: Coordinate, owners: readonly GraphQLObjectType[]): CoordinateClass | undefined {
    const type = getNamedType(field.type)
    const kind = isObjectType(type) ? this.#kinds.get(type) : undefined
    if (kind === 'CONNECTION' || isRecordType(this.#schema, this.#kinds, type)) {
      if (owners.length > 1) this.#refuse(field, coordinate, 'edgeInEmbedded')
      return kind === 'CONNECTION' ? this.#connection(field, coordinate, type) : this.#toOne(field, coordinate)
    }
    if (has(field, 'phi')) {
      if (!isLeafType(type) && kind !== 'COMPOSITE') this.#refuse(field, coordinate, 'phiShape')
      return 'VALUE'
    }
    if (kind === 'EMBEDDED' && !has(field, 'notPhi')) return 'EMBEDDED'
    return this.#requireNotPhi(field, coordinate)
  }

  #connection(field: AnyField, coordinate: Coordinate, type: GraphQLNamedType): 'EDGE' {
    const node = connectionNode(type)
    // the entries of a history belong to the record that has it; the record of each entry is an edge of its own
    if (isObjectType(node) && this.#kinds.get(node) === 'PAYLOAD') return this.#toOne(field, coordinate)
    if (!node || !isRecordType(this.#schema, this.#kinds, node)) this.#refuse(field, coordinate, 'connectionOfOthers')
    if (!has(field, 'phi')) this.#refuse(field, coordinate, 'connectionWithoutPhi')
    if (isNonNullType(field.type)) this.#refuse(field, coordinate, 'connectionNonNull')
    return 'EDGE'
  }

  #toOne(field: AnyField, coordinate: Coordinate): 'EDGE' {
    if (isList(field.type)) this.#refuse(field, coordinate, 'listOfRecords')
    if (has(field, 'phi') || has(field, 'notPhi')) this.#refuse(field, coordinate, 'toOneMarked')
    if (isNonNullType(field.type)) this.#refuse(field, coordinate, 'toOneNonNull')
    return 'EDGE'
  }

  #plainField(field: AnyField, coordinate: Coordinate, kind: PlainKind): CoordinateClass | undefined {
    switch (kind) {
      case 'ROOT':
        return this.#root(field, coordinate)
      case 'COMPOSITE':
        this.#refuseBelow(field, coordinate, ['COMPOSITE'])
        return 'STRUCTURE'
      case 'CONNECTION':
      case 'CONNECTION_EDGE':
      case 'PAGE_INFO':
        if (!PLUMBING[kind].includes(field.name)) return this.#requireNotPhi(field, coordinate)
        if (field.name === 'node' && isNonNullType(field.type)) this.#refuse(field, coordinate, 'nodeNonNull')
        if (has(field, 'phi')) this.#refuse(field, coordinate, 'plumbingMarked')
        return 'STRUCTURE'
      case 'PAYLOAD':
        if (isRecordType(this.#schema, this.#kinds, getNamedType(field.type))) return this.#toOne(field, coordinate)
        return this.#requireNotPhi(field, coordinate)
      case 'OTHER':
        return this.#requireNotPhi(field, coordinate)
    }
    return kind satisfies never
  }

  #root(field: AnyField, coordinate: Coordinate): 'ROOT' {
    if (has(field, 'phi')) this.#refuse(field, coordinate, 'rootMarked')
    if (isLeafType(getNamedType(field.type))) {
      if (!has(field, 'notPhi')) this.#refuse(field, coordinate, 'rootBareValue')
      return 'ROOT'
    }
    if (isNonNullType(field.type)) this.#refuse(field, coordinate, 'rootNonNull')
    const allowed: readonly TypeKind[] = ['RECORD', 'PAYLOAD', 'CONNECTION', 'OTHER']
    this.#refuseBelow(field, coordinate, has(field, 'notPhi') ? [...allowed, 'COMPOSITE'] : allowed)
    return 'ROOT'
  }

  /** Requires `@notPhi` on a field outside the reach of grants. */
  #requireNotPhi(field: AnyField, coordinate: Coordinate): 'NOT_PHI' | undefined {
    if (!has(field, 'notPhi')) {
      this.#refuse(field, coordinate, has(field, 'phi') ? 'phiOutside' : 'unclassified')
      return undefined
    }
    this.#refuseBelow(field, coordinate, ['OTHER', 'COMPOSITE'])
    return 'NOT_PHI'
  }

  /** Refuses a field that leads to a type outside the `allowed` kinds: the fields of that type would not be decided. */
  #refuseBelow(field: AnyField, coordinate: Coordinate, allowed: readonly TypeKind[]): void {
    const type = getNamedType(field.type)
    if (isLeafType(type)) return
    const possible = isAbstractType(type) ? this.#schema.getPossibleTypes(type) : [type].filter(isObjectType)
    if (possible.some((member) => !allowed.includes(this.#kinds.get(member) ?? 'OTHER'))) {
      this.#refuse(field, coordinate, 'undecidedBelow')
    }
  }

  #claimPlace(type: GraphQLObjectType, field: AnyField, path: SchemaPath): boolean {
    if (isList(field.type)) {
      this.#refuse(field, path, 'embeddedList')
      return false
    }
    if (this.#placed.has(type)) {
      this.#refuse(field, path, 'embeddedTwice')
      return false
    }
    this.#placed.add(type)
    return true
  }

  #refuse(field: AnyField, path: string, fault: keyof typeof SHAPE_FAULTS): void {
    const [problem, instead] = SHAPE_FAULTS[fault]
    this.#faults.add(field.astNode, path, problem, instead)
  }
}
