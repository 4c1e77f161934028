import { printSchema, printType } from 'graphql'
import { describe, expect, it } from 'vitest'
import { publicSchema } from '../../directives/public-schema.ts'
import { compile, connection, faultsOf, NOT_PHI, PHI, sdl } from './clinic-fixture.ts'

const CHANGES = '@minimumNecessary(roles: [NURSE, PHYSICIAN], actions: [CREATE, UPDATE, DELETE])'
const READS = '@minimumNecessary(roles: [PHYSICIAN])'
const VALUE = '@phi(category: CLINICAL)'
/** A schema with the patient type `Client` and a record `Visit`, which has the fields. */
const clinic = (visit: string, more = '', client = `name: String ${PHI}`, grants = `${READS} ${CHANGES}`): string =>
  `type Query { client(id: ID!): Client }
type Client @record(patient: "id") { ${client} }
type Visit @record(patient: "clientId") ${grants} {
${visit}
}
${more}`

const grantsOf = (text: string) =>
  Object.fromEntries([...compile(text).policy.phi].map(([path, { grants }]) => [path, grants.map(({ rule }) => rule)]))
const printed = (text: string, name: string): string => {
  const type = publicSchema(compile(text).schema).getType(name)
  return type === undefined ? '' : printType(type).replaceAll(/^\s*("""[^]*?"""|".*")\n/gm, '')
}

describe('the grants of a field, by kind', () => {
  const read = (role: string) => `@minimumNecessary(roles: [${role}])`
  const update = (role: string) => `@minimumNecessary(roles: [${role}], actions: [UPDATE])`

  it('a grant to read replaces the defaults to read, and keeps the defaults to change', () => {
    expect(grantsOf(clinic(`a: ID ${VALUE}\nb: ID ${VALUE} ${read('NURSE')}`))).toMatchObject({
      'Visit.a': ['Visit#1', 'Visit#2'],
      'Visit.b': ['Visit.b#1', 'Visit#2'],
    })
  })

  it('a grant to change replaces the defaults to change, and keeps the defaults to read', () => {
    const defaults = `${READS} ${update('NURSE')}`
    expect(grantsOf(clinic(`a: ID ${VALUE} ${update('PHYSICIAN')}\nb: ID ${VALUE}`, '', undefined, defaults))).toMatchObject({
      'Visit.a': ['Visit#1', 'Visit.a#1'],
      'Visit.b': ['Visit#1', 'Visit#2'],
    })
  })

  it('each kind has its own nearest type, and reads come first', () => {
    const place = `type Place ${update('NURSE')} { city: ID ${VALUE} zip: ID ${VALUE} ${update('PHYSICIAN')} ${read('NURSE')} }`
    expect(grantsOf(clinic('at: Place', place, undefined, READS))).toMatchObject({
      'Visit.at.city': ['Visit#1', 'Place#1'],
      'Visit.at.zip': ['Place.zip#2', 'Place.zip#1'],
    })
  })

  it('a default to change skips edges and computed values', () => {
    const text = clinic(
      `a: ID ${VALUE}\nb: ID ${VALUE} @computed(from: ["Visit.a"])\nnext: VisitConnection ${VALUE}`,
      connection('Visit'),
    )
    expect(grantsOf(text)).toMatchObject({ 'Visit.a': ['Visit#1', 'Visit#2'], 'Visit.b': ['Visit#1'], 'Visit.next': ['Visit#1'] })
    expect(compile(text).policy.writes.get('Visit' as never)?.paths).toEqual(['Visit.a'])
  })

  it('break-glass opens no change, with and without the argument', () => {
    const own = update('NURSE').replace('])', '], breakGlass: false)')
    const grants = [...compile(clinic(`a: ID ${VALUE} ${own}\nb: ID ${VALUE} ${update('NURSE')}`)).policy.phi.values()]
    const changes = grants.flatMap((phi) => phi.grants).filter(({ actions }) => actions.has('UPDATE'))
    expect(changes.map(({ breakGlass }) => breakGlass)).toEqual([false, false])
  })
})

describe('the SDL that change grants generate', () => {
  const types = `type Tag { codes: [Code!]! text: String @freeText }
type Code { system: String! parent: Code }
type Place { city: String ${VALUE} at: Spot }
type Spot { x: Float ${VALUE} }
enum Status { OPEN }`
  const text = clinic(
    `id: ID! ${NOT_PHI}
client: Client
before: Visit
note: String ${VALUE}
tag: Tag ${VALUE}
tags: [Tag!] ${VALUE}
status: Status ${VALUE}
place: Place`,
    types,
  )

  it('an input has each stored value, an input for each composite and embedded type, and the id of each other record', () => {
    expect(printed(text, 'VisitInput')).toBe(
      'input VisitInput {\n  beforeId: ID\n  note: String\n  tag: TagInput\n  tags: [TagInput!]\n  status: Status\n  place: PlaceInput\n}',
    )
    expect(printed(text, 'VisitPatch')).toBe(printed(text, 'VisitInput').replace('VisitInput', 'VisitPatch'))
    expect(printed(text, 'PlaceInput')).toBe('input PlaceInput {\n  city: String\n  at: SpotInput\n}')
    expect(printed(text, 'SpotInput')).toBe('input SpotInput {\n  x: Float\n}')
  })

  it('an input of a composite has the same shape, and a list that is never null is empty by default', () => {
    expect(printed(text, 'TagInput')).toBe('input TagInput {\n  codes: [CodeInput!]! = []\n  text: String\n}')
    expect(printed(text, 'CodeInput')).toBe('input CodeInput {\n  system: String!\n  parent: CodeInput\n}')
  })

  it('a mutation creates, updates and retracts, and the schema gets a root for it', () => {
    expect(printed(text, 'Mutation')).toBe(`type Mutation {
  createVisit(
    patientId: ID!
    input: VisitInput!
    idempotencyKey: String!
  ): VisitPayload
  updateVisit(
    id: ID!
    expectedVersion: Int!
    patch: VisitPatch!
    idempotencyKey: String!
  ): VisitPayload
  retractVisit(
    id: ID!
    expectedVersion: Int!
    reason: String!
  ): RetractPayload
}`)
    expect(printed(text, 'VisitPayload')).toBe('type VisitPayload {\n  record: Visit\n  version: Int!\n}')
    expect(printed(text, 'RetractPayload')).toBe('type RetractPayload {\n  id: ID!\n  version: Int!\n}')
  })

  it('the description of a field is the description of its member, whatever it contains', () => {
    const described = clinic(`"""\nSays "no" and \\\\ \nin two lines\n"""\na: ID ${VALUE}`)
    const input = publicSchema(compile(described).schema).getType('VisitInput')
    expect(input?.toConfig()).toMatchObject({ fields: { a: { description: 'Says "no" and \\\\ \nin two lines' } } })
  })

  it('an input has only the values with a grant of its action', () => {
    const grant = (actions: string) => `${VALUE} ${READS} @minimumNecessary(roles: [NURSE], actions: [${actions}])`
    const place = `type Place { city: ID ${grant('CREATE')} zip: ID ${grant('UPDATE')} state: ID ${VALUE} ${READS} }`
    const some = clinic(`a: ID ${grant('CREATE')}\nb: ID ${grant('UPDATE')}\nc: ID ${VALUE}\nat: Place`, place, undefined, READS)
    expect(printed(some, 'VisitInput')).toBe('input VisitInput {\n  a: ID\n  at: PlaceInput\n}')
    expect(printed(some, 'VisitPatch')).toBe('input VisitPatch {\n  b: ID\n  at: PlaceInput\n}')
    expect(printed(some, 'PlaceInput')).toBe('input PlaceInput {\n  city: ID\n  zip: ID\n}')
    expect(printed(some, 'Mutation')).not.toContain('retract')
  })

  it('a patient of any type name is registered and updated, and never retracted', () => {
    const grant =
      '@minimumNecessary(roles: [FRONT_DESK], purposes: [HOPERAT], relationship: ORGANIZATION, actions: [CREATE, UPDATE])'
    const text = clinic(`a: ID ${VALUE}`, '', `name: String ${PHI} ${grant}`, READS)
    expect(printed(text, 'Mutation')).toBe(`type Mutation {
  registerClient(
    input: ClientInput!
    idempotencyKey: String!
  ): ClientPayload
  updateClient(
    id: ID!
    expectedVersion: Int!
    patch: ClientPatch!
    idempotencyKey: String!
  ): ClientPayload
}`)
    const { writes, calls } = compile(text).policy
    expect([...writes.values()]).toEqual([
      {
        type: 'Client',
        create: 'Mutation.registerClient',
        update: 'Mutation.updateClient',
        paths: ['Client.name'],
        references: new Map(),
      },
    ])
    expect([...(calls.get('Mutation.registerClient' as never)?.roles ?? [])]).toEqual(['FRONT_DESK'])
  })

  it.each([
    ['a type Mutation', `type Mutation { close: Visit @mayCall(roles: [NURSE]) }`, 'Mutation'],
    [
      'a root with another name',
      `schema { query: Query mutation: Changes } type Changes { close: Visit @mayCall(roles: [NURSE]) }`,
      'Changes',
    ],
    ['a declaration of its roots without mutations', `schema { query: Query }`, 'Mutation'],
  ])('extends %s', (_name, more, root) => {
    const { schema, policy } = compile(clinic(`a: ID ${VALUE}`, more))
    expect(schema.getMutationType()?.name).toBe(root)
    expect(schema.getMutationType()?.getFields()).toHaveProperty('createVisit')
    expect(policy.writes.get('Visit' as never)?.create).toBe(`${root}.createVisit`)
    expect(policy.calls.has(`${root}.createVisit` as never)).toBe(true)
  })

  it('a schema without change grants stays as it is', () => {
    const { schema, policy } = compile(clinic(`a: ID ${VALUE}`, '', undefined, READS))
    expect(policy.writes.size).toBe(0)
    expect(printSchema(publicSchema(schema))).not.toMatch(/Mutation|Payload|Input\b/)
  })
})

describe('the policy of the generated fields', () => {
  const { policy, lock } = compile(clinic(`client: Client\nbefore: Visit\na: ID ${VALUE}`))

  it('the record of a payload is decided as an edge, and nothing else of it is PHI', () => {
    expect(Object.fromEntries([...policy.classes].filter(([at]) => /Payload|Mutation/.test(at)))).toEqual({
      'Mutation.createVisit': 'ROOT',
      'Mutation.updateVisit': 'ROOT',
      'Mutation.retractVisit': 'ROOT',
      'VisitPayload.record': 'EDGE',
      'VisitPayload.version': 'NOT_PHI',
      'RetractPayload.id': 'NOT_PHI',
      'RetractPayload.version': 'NOT_PHI',
    })
  })

  it('only the roles with a grant of the action may call, in the order of the schema', () => {
    const roles = (name: string) => [...(policy.calls.get(`Mutation.${name}` as never)?.roles ?? [])]
    expect(roles('createVisit')).toEqual(['PHYSICIAN', 'NURSE'])
    expect(roles('retractVisit')).toEqual(['PHYSICIAN', 'NURSE'])
  })

  it('the table lists the roots, the stored values and the references of each type', () => {
    expect([...policy.writes.values()]).toEqual([
      {
        type: 'Visit',
        create: 'Mutation.createVisit',
        update: 'Mutation.updateVisit',
        retract: 'Mutation.retractVisit',
        paths: ['Visit.a'],
        references: new Map([['beforeId', { edge: 'before', type: 'Visit' }]]),
      },
    ])
  })

  it('the lock prints the grants and the roots', () => {
    expect(lock).toContain(
      'grant Visit.a roles=NURSE,PHYSICIAN purposes=TREAT,ETREAT relationship=CARE_TEAM actions=CREATE,UPDATE,DELETE view=FULL breakGlass=no rule=Visit#2\n',
    )
    expect(lock).toContain('call Mutation.createVisit roles=NURSE,PHYSICIAN stepUp=no\n')
    expect(lock).toContain('class VisitPayload.record is=EDGE\n')
  })
})

describe('lint of change grants', () => {
  const line = (args: string) => sdl(`a: String ${PHI}\n@minimumNecessary(roles: [NURSE], ${args})`)

  it.each([
    ['reads and changes in one grant', line('actions: [READ, UPDATE]'), 'Person.a', 4, /mixes actions/],
    ['a view other than FULL', line('actions: [UPDATE], view: PRESENCE'), 'Person.a', 4, /has the view PRESENCE/],
    ['break-glass', line('actions: [UPDATE], breakGlass: true'), 'Person.a', 4, /Break-glass opens no change/],
    ['the purpose BTG', line('actions: [UPDATE], purposes: [TREAT, BTG]'), 'Person.a', 4, /purpose BTG/],
    ['a patient that is retracted', line('actions: [DELETE]'), 'Person', 4, /cannot be retracted/],
    [
      'a change of an edge',
      clinic(`a: ID ${VALUE}\nnext: VisitConnection ${VALUE} ${CHANGES}`, connection('Visit')),
      'Visit.next',
      5,
      /an edge, which no record stores/,
    ],
    [
      'a change of a computed value',
      clinic(`a: ID ${VALUE}\nb: ID ${VALUE} @computed(from: ["Visit.a"]) ${CHANGES}`),
      'Visit.b',
      5,
      /a computed value, which no record stores/,
    ],
    [
      'a change of a record of another source',
      `${sdl(`a: ID ${PHI}`)}\ntype Scan @record(source: "archive")\n${READS}\n${CHANGES} { a: ID ${VALUE} b: ID ${VALUE} }`,
      'Scan',
      8,
      /source archive/,
    ],
    [
      'a value that a retraction leaves out',
      clinic(`a: ID ${VALUE}\nb: ID ${VALUE} @minimumNecessary(roles: [NURSE], actions: [UPDATE])`),
      'Visit.b',
      5,
      /no grant of DELETE/,
    ],
  ])('reports %s', (_name, text, path, at, says) => {
    const faults = faultsOf(text)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatchObject({ file: 'test.graphql', path, line: at })
    expect(faults[0]?.problem).toMatch(says)
    expect(faults[0]?.instead).not.toBe('')
  })

  it.each([
    ['an input', 'input VisitInput { a: ID }', 'VisitInput', 6],
    ['a payload', `type VisitPayload { a: ID ${NOT_PHI} }`, 'VisitPayload', 6],
    ['the shared payload', `type RetractPayload { a: ID ${NOT_PHI} }`, 'RetractPayload', 6],
    ['an input of a composite', 'input TagInput { a: ID }', 'TagInput', 6],
    ['a mutation', 'type Mutation { updateVisit: Visit @mayCall(roles: [NURSE]) }', 'Mutation.updateVisit', 6],
    ['the root', `schema { query: Query } type Mutation { a: ID ${NOT_PHI} }`, 'Mutation', 6],
  ])('reports a taken name: %s', (_name, more, path, at) => {
    const faults = faultsOf(clinic(`tag: Tag ${VALUE}`, `${more} type Tag { b: ID }`))
    expect(faults).toMatchObject([{ file: 'test.graphql', path, line: at }])
    expect(faults[0]?.problem).toMatch(/taken/)
  })

  it('reports a taken name: the member of an edge', () => {
    expect(faultsOf(clinic(`before: Visit\nbeforeId: ID ${VALUE}`))).toMatchObject([
      { path: 'Visit.beforeId', line: 5, problem: expect.stringMatching(/member beforeId of VisitInput/) as string },
      { path: 'Visit.beforeId', line: 5 },
    ])
  })

  it('reports a taken name: two record types that give one name', () => {
    const retract = `type Retract @record ${READS} ${CHANGES} { a: ID ${VALUE} }`
    expect(faultsOf(clinic(`a: ID ${VALUE}`, retract))).toMatchObject([{ path: 'RetractPayload' }])
  })
})
