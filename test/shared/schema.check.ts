import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isScalarType,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { printPublicSchema } from '../../cli/public-schema.ts'
import { GENERATED } from '../../directives/add-changes.ts'
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
  'Consent',
  'ConsentEffect',
  'ConsentInput',
  'DisclosureRecipient',
  'Erasure',
  'ErasureConnection',
  'ErasureEdge',
  'ErasureRefusal',
  'ErasureState',
  'ExceedingOperation',
  'FaultyContract',
  'LegalHold',
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
  'PurposeOfUse',
  'Role',
  'Sensitivity',
  'Signature',
  'StudyContact',
]

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
/** The types that the change grants generate. */
const generated = Object.values(schema.getTypeMap())
  .filter(({ astNode }) => astNode?.loc?.source.name === GENERATED)
  .map(({ name }) => name)
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
    expect(printed.toSorted()).toEqual([...names, ...ADDED_TYPES, ...generated].toSorted())
    for (const name of names) expect(described(forClients.getType(name))).toEqual(described(schema.getType(name)))
  })
})

/** The published mutations that the project does not serve yet. An entry that appears in the schema leaves the list. */
const NOT_YET_SERVED = ['decideAmendment', 'decideRestriction', 'requestAmendment', 'requestRestriction', 'submitDisagreement']
/** The published mutations that the library serves, and that no grant generates. */
const OF_THE_LIBRARY = [
  'addCareTeamMember',
  'approveErasure',
  'endCareTeamMembership',
  'recordConsent',
  'requestErasure',
  'signDocument',
  'withdrawConsent',
]
/** The published fields of each record type that the project does not serve yet. */
const FIELDS_NOT_YET_SERVED = ['amendments']

describe('the mutations equal the published ones', () => {
  const text = readShared('api-write.graphql')
  const types = /X stands for ([^.]*)\./.exec(text)?.[1]?.split(', ') ?? []
  const lines = (/^type Mutation \{([^]*?)^\}/m.exec(text)?.[1] ?? '').match(/^ {2}\w+\(.*?\): \w+/gm) ?? []
  const expected = lines.flatMap((line) => {
    const of = line.trim()
    return /X\b|X[IP]/.test(of) ? types.map((type) => of.replaceAll(/X(?=\(|Input|Patch|Payload)/g, type)) : [of]
  })
  const fields = schema.getMutationType()?.getFields() ?? {}
  const ours = Object.values(fields).map(
    ({ name, args, type }) => `${name}(${args.map((arg) => `${arg.name}: ${String(arg.type)}`).join(', ')}): ${String(type)}`,
  )
  const nameOf = (line: string): string => line.slice(0, line.indexOf('('))

  it('reads the published mutations', () => {
    expect(types).toHaveLength(10)
    // the care team and consents have two mutations each, patients are registered and updated, an erasure is requested and approved, and a
    // document is signed
    expect(expected).toHaveLength(3 * types.length + 9 + NOT_YET_SERVED.length)
  })

  it('has each published mutation, apart from the list of those to come', () => {
    expect(
      expected
        .filter((line) => !ours.includes(line))
        .map(nameOf)
        .toSorted(),
    ).toEqual(NOT_YET_SERVED)
    expect(NOT_YET_SERVED.filter((name) => name in fields)).toEqual([])
  })

  it('generates no other mutation', () => {
    const roots = [...policy.writes.values()].flatMap(({ create, update, retract }) => [create, update, retract])
    const names = roots.flatMap((root) => root?.replace('Mutation.', '') ?? [])
    expect(names.toSorted()).toEqual(
      expected
        .map(nameOf)
        .filter((name) => ![...NOT_YET_SERVED, ...OF_THE_LIBRARY].includes(name))
        .toSorted(),
    )
  })

  it('each payload has the record and its version', () => {
    const payload = (type: string) => ({ fields: { record: { type }, version: { type: 'Int!' } } })
    for (const type of [...types, 'Patient']) expect(described(forClients.getType(`${type}Payload`))).toMatchObject(payload(type))
    expect(described(forClients.getType('RetractPayload'))).toMatchObject({
      fields: { id: { type: 'ID!' }, version: { type: 'Int!' } },
    })
  })

  it('each input has the values with a grant, and nothing else but references', () => {
    for (const { type, references } of policy.writes.values())
      for (const [suffix, action] of [
        ['Input', 'CREATE'],
        ['Patch', 'UPDATE'],
      ] as const) {
        const granted = [...policy.phi.values()].filter(
          ({ path, grants }) => path.startsWith(`${type}.`) && grants.some(({ actions }) => actions.has(action)),
        )
        const input = forClients.getType(`${type}${suffix}`)
        expect(isInputObjectType(input) ? new Set(Object.keys(input.getFields())) : undefined).toEqual(
          new Set([...references.keys(), ...granted.map(({ path }) => path.split('.')[1])]),
        )
      }
  })

  it.each(types)('%s has a signature', (name) => {
    expect(described(forClients.getType(name))).toMatchObject({ fields: { signature: { type: 'Signature' } } })
    expect(described(forClients.getType('Signature'))).toMatchObject({
      fields: { valid: { type: 'Boolean!' }, signer: { type: 'ID!' }, signedAt: { type: 'DateTime!' } },
    })
  })

  it.each(types)('%s lacks only the listed fields', (name) => {
    const type = schema.getType(name)
    expect(FIELDS_NOT_YET_SERVED.filter((field) => isObjectType(type) && field in type.getFields())).toEqual([])
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
