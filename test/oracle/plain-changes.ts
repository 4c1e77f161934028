import {
  concatAST,
  type DocumentNode,
  getNamedType,
  type GraphQLSchema,
  type GraphQLOutputType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
} from 'graphql'
import type { PlainCaller } from './plain-world.ts'
import type { Writable } from './writable.ts'

export type Change = Writable['actions'][number]

/** One field that one role may change in one way. */
export interface ChangeRule {
  readonly role: string
  readonly purposes: readonly string[]
  readonly relationship: string
  readonly action: string
  readonly path: string
}

export function changeRulesOf(writable: readonly Writable[]): ChangeRule[] {
  return writable.flatMap(({ fields, actions, ...who }) =>
    actions.flatMap((action) =>
      Object.entries(fields).flatMap(([type, names]) =>
        names.split(' ').map((name) => ({ ...who, action, path: `${type}.${name}` })),
      ),
    ),
  )
}

/** Parses the rows of a table with the columns role, purposes, relationship, action, path. */
export function changeRulesFromCsv(text: string): ChangeRule[] {
  const [, ...rows] = text.trim().split(/\r?\n/)
  return rows.map((row) => {
    const [role = '', purposes = '', relationship = '', action = '', path = ''] = row.split(',')
    return { role, purposes: purposes.split(' '), relationship, action, path }
  })
}

type ChangeVerdict = { readonly basis: string } | { readonly reason: 'ROLE' | 'PURPOSE' | 'RELATIONSHIP' }

/** Decides changes by a table. Break-glass has no effect here. */
export class ChangeRules {
  readonly #rules: readonly ChangeRule[]

  constructor(rules: readonly ChangeRule[]) {
    this.#rules = rules
  }

  of(path: string, action: Change, { role, purpose }: PlainCaller, relationships: ReadonlySet<string>): ChangeVerdict {
    const ofRole = this.#rules.filter((rule) => rule.path === path && rule.action === action && rule.role === role)
    if (ofRole.length === 0) return { reason: 'ROLE' }
    const ofPurpose = ofRole.filter(({ purposes }) => purposes.includes(purpose))
    if (ofPurpose.length === 0) return { reason: 'PURPOSE' }
    const basis = ofPurpose.find(({ relationship }) => relationships.has(relationship))?.relationship
    return basis === undefined ? { reason: 'RELATIONSHIP' } : { basis }
  }

  /** Whether a role may call the mutation of a type and an action at all. */
  mayCall(type: string, action: Change, role: string): boolean {
    return this.#rules.some((rule) => rule.role === role && rule.action === action && rule.path.startsWith(`${type}.`))
  }

  isWriter(role: string): boolean {
    return this.#rules.some((rule) => rule.role === role)
  }

  mayChange(path: string, action: Change, role: string): boolean {
    return this.#rules.some((rule) => rule.role === role && rule.action === action && rule.path === path)
  }

  /** The fields of a type below its name that somebody may change in this way. */
  fields(type: string, action: Change): string[] {
    const paths = this.#rules.filter((rule) => rule.action === action && rule.path.startsWith(`${type}.`)).map(({ path }) => path)
    return [...new Set(paths)].map((path) => path.slice(type.length + 1))
  }

  /** The types with a mutation for this action. */
  types(action: Change): string[] {
    return [...new Set(this.#rules.filter((rule) => rule.action === action).map(({ path }) => path.split('.')[0] ?? ''))]
  }
}

/** The name of a mutation: patients are registered, other records created. */
export const mutationOf = (type: string, action: Change): string =>
  `${{ CREATE: type === 'Patient' ? 'register' : 'create', UPDATE: 'update', DELETE: 'retract' }[action]}${type}`

/** The types whose records belong to an encounter. */
export const OF_ENCOUNTER = ['Claim', 'Condition', 'DocumentReference', 'MedicationRequest', 'Observation', 'Procedure']

/** The published mutations in SDL, for the types and fields of a table: `docs/changing-records.md`. */
export function changesDocument(schema: GraphQLSchema, rules: ChangeRules): DocumentNode {
  const composites = new Map<string, string>()
  const members = (type: string, names: readonly string[]): string =>
    [...new Set(names.map((name) => name.split('.')[0] ?? ''))]
      .map((name) => `${name}: ${inputOf(nullable(fieldOf(schema, type, name)), schema, composites)}`)
      .join(' ')
  const roots: string[] = []
  const inputs: string[] = []
  for (const type of new Set([...rules.types('CREATE'), ...rules.types('UPDATE')])) {
    const edge = OF_ENCOUNTER.includes(type) ? 'encounterId: ID ' : ''
    const patient = type === 'Patient' ? '' : 'patientId: ID!, '
    inputs.push(
      `input ${type}Input { ${edge}${members(type, rules.fields(type, 'CREATE'))} }`,
      `input ${type}Patch { ${edge}${members(type, rules.fields(type, 'UPDATE'))} }`,
      `type ${type}Payload { record: ${type} version: Int! }`,
    )
    roots.push(
      `${mutationOf(type, 'CREATE')}(${patient}input: ${type}Input!, idempotencyKey: String!): ${type}Payload`,
      `${mutationOf(type, 'UPDATE')}(id: ID!, expectedVersion: Int!, patch: ${type}Patch!, idempotencyKey: String!): ${type}Payload`,
    )
  }
  for (const type of rules.types('DELETE'))
    roots.push(`${mutationOf(type, 'DELETE')}(id: ID!, expectedVersion: Int!, reason: String!): RetractPayload`)
  const payload = 'type RetractPayload { id: ID! version: Int! }'
  return concatAST([parse([...inputs, ...composites.values(), payload, `extend type Mutation { ${roots.join('\n')} }`].join('\n'))])
}

function fieldOf(schema: GraphQLSchema, type: string, name: string): GraphQLOutputType {
  const found = schema.getType(type)
  const field = isObjectType(found) ? found.getFields()[name] : undefined
  if (field === undefined) throw new Error(`${type}.${name} is in the table, but not in the schema`)
  return field.type
}

/** The input type of a value, with an input for every object inside of it. */
function inputOf(type: GraphQLOutputType, schema: GraphQLSchema, composites: Map<string, string>): string {
  if (isNonNullType(type)) return `${inputOf(type.ofType, schema, composites)}!`
  if (isListType(type)) return `[${inputOf(type.ofType, schema, composites)}]`
  const { name } = getNamedType(type)
  if (!isObjectType(type)) return name
  if (!composites.has(name)) {
    composites.set(name, '')
    const members = Object.values(type.getFields()).map((field) => {
      const empty = isNonNullType(field.type) && isListType(field.type.ofType) ? ' = []' : ''
      return `${field.name}: ${inputOf(field.type, schema, composites)}${empty}`
    })
    composites.set(name, `input ${name}Input { ${members.join(' ')} }`)
  }
  return `${name}Input`
}

const nullable = (type: GraphQLOutputType): GraphQLOutputType => (isNonNullType(type) ? type.ofType : type)
