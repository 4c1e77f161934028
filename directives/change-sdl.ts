import {
  getNamedType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLOutputType,
} from 'graphql'
import type { PhiSite } from './classify.ts'
import type { AnyField } from './read-directives.ts'
import { changeRoots, type RecordChanges } from './record-changes.ts'

/** The names of generated types that belong to no single record type. */
const RETRACT_PAYLOAD = 'RetractPayload'

/** One generated type. */
interface GeneratedType {
  readonly name: string
  /** The type of the schema that it is generated for. */
  readonly for: GraphQLObjectType
  readonly sdl: string
  /** The names of its members, with repeats if two parts of the schema give the same name. */
  readonly members: readonly string[]
}

/** One generated root field. */
interface GeneratedRoot {
  readonly name: string
  readonly for: GraphQLObjectType
  readonly sdl: string
}

export interface ChangeSdl {
  readonly types: readonly GeneratedType[]
  readonly roots: readonly GeneratedRoot[]
  /** The names of the payload types. */
  readonly payloads: ReadonlySet<string>
}

/**
 * The inputs, payloads and root fields of the record types with change grants.
 *
 * An input has the values that some grant allows to change. It does not follow that a caller may: each value of a call is decided.
 */
export function changeSdl(changes: readonly RecordChanges[]): ChangeSdl {
  const inputs = changes.flatMap((of) => [
    ...(of.create ? [recordInput(of, 'Input', of.create.values)] : []),
    ...(of.update ? [recordInput(of, 'Patch', of.update.values)] : []),
    ...embeddedInputs(of),
  ])
  const payloads = [...changes.filter(({ create, update }) => create ?? update).map(payload), ...retractPayload(changes)]
  const composites = compositeInputs(changes.flatMap(changed).map(({ field }) => getNamedType(field.type)))
  return {
    types: [...inputs, ...composites, ...payloads],
    roots: changes.flatMap(roots),
    payloads: new Set(payloads.map(({ name }) => name)),
  }
}

/** The values that a create or an update can give. */
function changed({ create, update }: RecordChanges): readonly PhiSite[] {
  return [...new Set([...(create?.values ?? []), ...(update?.values ?? [])])]
}

function recordInput(of: RecordChanges, suffix: 'Input' | 'Patch', values: readonly PhiSite[]): GeneratedType {
  const { type, references } = of
  const description = {
    Input: `The values of a new record of type ${type.name}`,
    Patch: `The changes of a record of type ${type.name}. A field that is left out stays as it is, and null clears it.`,
  }[suffix]
  const edges = references.map(({ member, edge, type: target }) => ({
    name: member,
    sdl: `${described(edge, `The id of the ${target}`)}  ${member}: ID`,
  }))
  return inputType(`${type.name}${suffix}`, description, type, [...edges, ...membersOf(type, values)])
}

/** One input for each embedded type, with the leaves that a create or an update can give. */
function embeddedInputs(of: RecordChanges): readonly GeneratedType[] {
  const values = changed(of)
  const embedded = new Set(values.flatMap(({ owners }) => owners.slice(0, -1)))
  return [...embedded].map((type) => inputType(`${type.name}Input`, descriptionOf(type), type, membersOf(type, values)))
}

interface Member {
  readonly name: string
  readonly sdl: string
}

/** The members of a record type, or of an embedded type, that are or hold one of the values. */
function membersOf(type: GraphQLObjectType, values: readonly PhiSite[]): readonly Member[] {
  return Object.values(type.getFields()).flatMap((field) => {
    const target = getNamedType(field.type)
    const isValue = values.some((site) => site.field === field)
    const holdsValues = values.some(({ owners }) => owners.some((owner, index) => owner === target && owners[index + 1] === type))
    return isValue || holdsValues
      ? [{ name: field.name, sdl: `${described(field)}  ${field.name}: ${inputOf(nullable(field.type))}` }]
      : []
  })
}

/** An input of the same shape for every type inside of a value. */
function compositeInputs(types: readonly GraphQLNamedType[]): readonly GeneratedType[] {
  const found = new Set<GraphQLObjectType>()
  const visit = (type: GraphQLNamedType): void => {
    if (!isObjectType(type) || found.has(type)) return
    found.add(type)
    for (const field of Object.values(type.getFields())) visit(getNamedType(field.type))
  }
  for (const type of types) visit(type)
  return [...found].map((type) => {
    const members = Object.values(type.getFields()).map((field) => ({
      name: field.name,
      // a list that is never null is empty if the caller leaves it out
      sdl: `${described(field)}  ${field.name}: ${inputOf(field.type)}${isNonNullType(field.type) && isListType(field.type.ofType) ? ' = []' : ''}`,
    }))
    return inputType(`${type.name}Input`, descriptionOf(type), type, members)
  })
}

function inputType(name: string, description: string, type: GraphQLObjectType, members: readonly Member[]): GeneratedType {
  const lines = members.map(({ sdl }) => sdl)
  return {
    name,
    for: type,
    sdl: `${description === '' ? '' : `${quoted(description)}\n`}input ${name} {\n${lines.join('\n')}\n}`,
    members: members.map((member) => member.name),
  }
}

function payload({ type }: RecordChanges): GeneratedType {
  const name = `${type.name}Payload`
  const sdl = `type ${name} {
  "The record after the change. Each field needs a grant to read it."
  record: ${type.name}
  "The version after the change. Pass it as \`expectedVersion\` of the next change."
  version: Int! @notPhi(because: "a counter that reveals nothing about the patient")
}`
  return { name, for: type, sdl, members: ['record', 'version'] }
}

function retractPayload(changes: readonly RecordChanges[]): readonly GeneratedType[] {
  const first = changes.find(({ retract }) => retract)
  if (first === undefined) return []
  const sdl = `type ${RETRACT_PAYLOAD} {
  "The retracted record"
  id: ID! @notPhi(because: "an opaque random identifier, which the caller gave")
  "The version of the retraction"
  version: Int! @notPhi(because: "a counter that reveals nothing about the patient")
}`
  return [{ name: RETRACT_PAYLOAD, for: first.type, sdl, members: ['id', 'version'] }]
}

const KEY = `"A random text of the caller's choice, new for each change. To repeat a call after an error, send it with the same key."
    idempotencyKey: String!`
const VERSION = `"The version of the record that the caller read. If the record has another one, the call changes nothing."
    expectedVersion: Int!`

function roots(of: RecordChanges): readonly GeneratedRoot[] {
  const { type, isPatient, create, update, retract } = of
  const names = changeRoots(of)
  const root = (
    name: string | undefined,
    description: string,
    args: readonly string[],
    result: string,
    roles: readonly string[],
  ) =>
    name === undefined
      ? []
      : [
          {
            name,
            for: type,
            sdl: `  ${quoted(description)}\n  ${name}(\n    ${args.join('\n    ')}\n  ): ${result} @mayCall(roles: [${roles.join(', ')}])`,
          },
        ]
  const patient = `"The patient of the record"\n    patientId: ID!`
  const reason = `"Why the record is wrong, in one or two sentences"\n    reason: String!`
  return [
    ...root(
      names.create,
      `${isPatient ? 'Registers' : 'Creates'} a record of type ${type.name}. Each given value needs a grant of CREATE.`,
      [...(isPatient ? [] : [patient]), `input: ${type.name}Input!`, KEY],
      `${type.name}Payload`,
      create?.roles ?? [],
    ),
    ...root(
      names.update,
      `Changes a record of type ${type.name}. Each given value needs a grant of UPDATE.`,
      ['id: ID!', VERSION, `patch: ${type.name}Patch!`, KEY],
      `${type.name}Payload`,
      update?.roles ?? [],
    ),
    ...root(
      names.retract,
      `Marks a record of type ${type.name} as entered in error. The record leaves all lists, and its history stays. The call needs a grant of DELETE on each value.`,
      ['id: ID!', VERSION, reason],
      RETRACT_PAYLOAD,
      retract?.roles ?? [],
    ),
  ]
}

/** The type of an input for a field of this type. */
function inputOf(type: GraphQLOutputType): string {
  if (isNonNullType(type)) return `${inputOf(type.ofType)}!`
  if (isListType(type)) return `[${inputOf(type.ofType)}]`
  return isObjectType(type) ? `${type.name}Input` : type.name
}

function nullable(type: GraphQLOutputType): GraphQLOutputType {
  return isNonNullType(type) ? type.ofType : type
}

/** The description of a field as lines of SDL, or else the given text. */
function described({ astNode }: AnyField, otherwise = ''): string {
  const text = astNode?.description?.value ?? otherwise
  return text === '' ? '' : `  ${quoted(text)}\n`
}

function descriptionOf({ astNode }: GraphQLObjectType): string {
  return astNode?.description?.value ?? ''
}

function quoted(text: string): string {
  // each escape of JSON is one of GraphQL
  return JSON.stringify(text)
}
