import {
  buildSchema,
  getNamedType,
  isEnumType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { readShared } from './folder.ts'

/** The file describes its connections in a comment; here they are spelled out. */
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
const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const shared = Object.values(published.getTypeMap()).filter((type) => !type.name.startsWith('__') && schema.getType(type.name))

describe('the clinical API is the one that clients depend on', () => {
  it('has the types of this stage', () => {
    expect(shared.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Query', 'Viewer', 'Patient', 'Observation', 'CareTeamMember']),
    )
  })

  it.each(shared.map(({ name }) => name))('%s: fields, arguments, types and nullability', (name) => {
    expect(described(schema.getType(name))).toMatchObject(described(published.getType(name)))
  })
})

/** What clients can tell of a type; fields that lead to types which are not there yet are left out. */
function described(type: GraphQLNamedType | undefined): object {
  if (isObjectType(type) || isInterfaceType(type)) {
    const fields = Object.values(type.getFields()).filter((field) => schema.getType(getNamedType(field.type).name))
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
