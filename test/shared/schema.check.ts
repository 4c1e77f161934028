import {
  buildSchema,
  isEnumType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { printPublicSchema } from '../../cli/public-schema.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { readShared } from './folder.ts'

/** The published schema describes its connections in a comment. This function adds them. */
function publishedSchema(): GraphQLSchema {
  const sdl = readShared('api.graphql')
  const nodes = new Set([...sdl.matchAll(/: (\w+)Connection\b/g)].map((match) => match[1] ?? ''))
  const connections = [...nodes].map(
    (name) => `
      type ${name}Connection { edges: [${name}Edge!]! pageInfo: PageInfo! mayBeIncomplete: Boolean! }
      type ${name}Edge { cursor: String! node: ${name} }`,
  )
  return buildSchema([sdl, ...connections].join('\n'))
}

const published = publishedSchema()
const names = Object.keys(published.getTypeMap()).filter((name) => !name.startsWith('__'))
/** The types that the project adds to the published API. The types of the published API stay unchanged. */
const ADDED_TYPES = [
  'AccessPlan',
  'BreakGlassFinding',
  'BreakGlassGrant',
  'BreakGlassGrantConnection',
  'BreakGlassGrantEdge',
  'BreakGlassRenewal',
  'DisclosureRecipient',
  'ExceedingOperation',
  'FaultyContract',
  'Mutation',
  'OperationCheck',
  'OperationFault',
  'PlannedPath',
  'RecordAccess',
  'RecordAccessConnection',
  'RecordAccessEdge',
  'RecordAccessKind',
  'RecordDisclosure',
  'RecordDisclosures',
  'RegisteredClient',
  'RegisteredOperation',
  'RegisteredVersion',
  'RegistryChange',
  'RepeatedDisclosure',
  'ResearchProtocol',
  'StudyContact',
]

const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const forClients = buildSchema(printPublicSchema(schema))

describe('the clinical API equals the published one', () => {
  it('has every published type', () => {
    expect(names.length).toBeGreaterThan(40)
    expect(names.filter((name) => schema.getType(name) === undefined)).toEqual([])
  })

  it.each(names)('%s: fields, arguments, types and nullability', (name) => {
    expect(described(schema.getType(name))).toMatchObject(described(published.getType(name)))
  })

  it('phi schema print --public prints these types, and only the documented additions', () => {
    const printed = Object.keys(forClients.getTypeMap()).filter((name) => !name.startsWith('__'))
    expect(printed.toSorted()).toEqual([...names, ...ADDED_TYPES].toSorted())
    for (const name of names) expect(described(forClients.getType(name))).toEqual(described(schema.getType(name)))
  })
})

/** The properties of a type that clients can observe. */
function described(type: GraphQLNamedType | undefined): object {
  if (isObjectType(type) || isInterfaceType(type)) {
    const fields = Object.values(type.getFields())
    return {
      kind: type.constructor.name,
      interfaces: type.getInterfaces().map(({ name }) => name),
      fields: Object.fromEntries(fields.map((field) => [field.name, signature(field)])),
    }
  }
  if (isEnumType(type)) return { kind: 'enum', values: type.getValues().map(({ name }) => name) }
  return { kind: isScalarType(type) ? 'scalar' : type?.constructor.name }
}

function signature(field: GraphQLField<unknown, unknown>): object {
  const args = field.args.map((argument) => [
    argument.name,
    { type: String(argument.type), default: argument.defaultValue ?? null },
  ])
  return { type: String(field.type), args: Object.fromEntries(args) as object }
}
