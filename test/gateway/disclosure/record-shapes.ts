import { getNamedType, getNullableType, type GraphQLArgument, type GraphQLOutputType, isListType, isObjectType } from 'graphql'
import type { CompiledPolicy } from '../../../directives/compile.ts'
import type { Coordinate, SchemaPath } from '../../../directives/coordinates.ts'
import { connectionNode } from '../../../directives/type-kinds.ts'
import type { Json } from '../../../gateway/model/record.ts'

/** An edge from the patient to all records of one type. */
export interface ListEdge {
  readonly field: string
  readonly type: string
  readonly args: readonly GraphQLArgument[]
}

/** An edge from a record to another one. */
export interface OneEdge {
  readonly field: string
  readonly target: string
}

const MOMENT = '2024-01-01T00:00:00.000Z'
const DEPTH = 4

/** The record types of a schema, with every value and edge. Tests that use it cover a new field or edge without a change. */
export class RecordShapes {
  readonly #compiled: CompiledPolicy
  readonly patient: string

  constructor(compiled: CompiledPolicy) {
    this.#compiled = compiled
    this.patient = [...compiled.policy.records.values()].find(({ patient }) => patient === 'id')?.type ?? ''
  }

  /** All record types besides the patient. */
  get types(): readonly string[] {
    return [...this.#compiled.policy.records.keys()].map(String).filter((type) => type !== this.patient)
  }

  get lists(): readonly ListEdge[] {
    return this.#fieldsOf(this.patient).flatMap(({ name: field, type, args }) => {
      const node = connectionNode(getNamedType(type))
      return node === undefined || !this.#isRecord(node.name) ? [] : [{ field, type: node.name, args }]
    })
  }

  /** Whether a role may read a path of some patient, for some purpose. */
  mayRead(path: string, role: string): boolean {
    const grants = this.#compiled.policy.phi.get(path as SchemaPath)?.grants ?? []
    return grants.some(({ roles, actions }) => actions.has('READ') && [...roles].some((one) => one === role))
  }

  ones(type: string): readonly OneEdge[] {
    return this.#fieldsOf(type).flatMap(({ name: field, type: of }) => {
      const target = getNamedType(of).name
      return this.#classOf(type, field) === 'EDGE' && this.#isRecord(target) ? [{ field, target }] : []
    })
  }

  /** A selection of every value of a type, of its id, and of all values at the end of its edges to one record. */
  selection(type: string, edges = true): string {
    const own = this.#fieldsOf(type).flatMap(({ name, type: of }) => {
      const kind = this.#classOf(type, name)
      if (kind === 'EDGE' || connectionNode(getNamedType(of)) !== undefined) return []
      return [`${name}${this.#inside(of)}`]
    })
    const ones = edges ? this.ones(type).map(({ field, target }) => `${field} { ${this.selection(target, false)} }`) : []
    return [...own, ...ones].join(' ')
  }

  /** A value for every field of a record that is stored. */
  values(type: string): Readonly<Record<string, Json>> {
    const paths = [...this.#compiled.policy.phi.values()].filter(
      (phi) => phi.class === 'VALUE' && phi.path.startsWith(`${type}.`) && !this.#compiled.policy.computed.has(phi.path),
    )
    return Object.fromEntries(paths.map(({ path }) => [path.slice(type.length + 1), jsonOf(this.#typeAt(path), 0)]))
  }

  /** A value for every stored field that is not PHI. */
  open(type: string): Readonly<Record<string, Json>> {
    const fields = this.#fieldsOf(type).filter(
      ({ name }) => this.#classOf(type, name) === 'NOT_PHI' && name !== 'id' && name !== 'version',
    )
    return Object.fromEntries(fields.map(({ name, type: of }) => [name, jsonOf(of, 0)]))
  }

  #fieldsOf(type: string) {
    const object = this.#compiled.schema.getType(type)
    return isObjectType(object) ? Object.values(object.getFields()) : []
  }

  #classOf(type: string, field: string) {
    return this.#compiled.policy.classes.get(`${type}.${field}` as Coordinate)
  }

  #isRecord(type: string): boolean {
    return [...this.#compiled.policy.records.keys()].some((record) => (record as string) === type)
  }

  #typeAt(path: SchemaPath): GraphQLOutputType {
    const [root = '', ...fields] = path.split('.')
    let type: GraphQLOutputType | undefined
    for (const field of fields) {
      const within = type === undefined ? root : getNamedType(type).name
      type = this.#fieldsOf(within).find(({ name }) => name === field)?.type
    }
    if (type === undefined) throw new Error(`the schema has no ${path}`)
    return type
  }

  #inside(of: GraphQLOutputType, depth = 0): string {
    const type = getNamedType(of)
    if (!isObjectType(type) || depth > DEPTH) return ''
    const inner = Object.values(type.getFields()).map(({ name, type: part }) => `${name}${this.#inside(part, depth + 1)}`)
    return ` { ${inner.join(' ')} }`
  }
}

function jsonOf(of: GraphQLOutputType, depth: number): Json {
  const nullable = getNullableType(of)
  if (isListType(nullable)) return depth > DEPTH ? [] : [jsonOf(nullable.ofType, depth + 1)]
  const type = getNamedType(of)
  if (isObjectType(type)) {
    if (depth > DEPTH) return null
    return Object.fromEntries(Object.values(type.getFields()).map(({ name, type: part }) => [name, jsonOf(part, depth + 1)]))
  }
  switch (type.name) {
    case 'Int':
    case 'Float':
      return 7
    case 'Boolean':
      return true
    case 'DateTime':
      return MOMENT
    case 'PartialDate':
      return MOMENT.slice(0, 10)
    default:
      return 'a text of some length'
  }
}
