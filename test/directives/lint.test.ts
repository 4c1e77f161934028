import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import { PolicyFaults } from '../../directives/fault.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { connection, faultsOf, GRANT, NOT_PHI, PHI, sdl } from './clinic-fixture.ts'

/** One faulty schema: its name, the SDL, the place of the fault, and a part of the message. */
type Case = readonly [name: string, sdl: string, path: string, line: number, says: RegExp]

const COMPARED = '@workforceComparison(as: PHONE)'
const visit = (type: string) => `type Visit @record { note: String ${PHI} } ${type}`

const FIELDS: readonly Case[] = [
  ['a field without classification', sdl('note: String'), 'Person.note', 3, /not classified/],
  ['@phi and @notPhi on one field', sdl(`note: String ${PHI} ${NOT_PHI}`), 'Person.note', 3, /@phi and @notPhi/],
  ['a non-null @phi field', sdl(`note: String! ${PHI}`), 'Person.note', 3, /non-null/],
  ['a grant without @phi', sdl(`note: String ${NOT_PHI} ${GRANT}`), 'Person.note', 3, /without @phi/],
  ['a grant on an embedded field', sdl(`at: Place ${GRANT}`, `type Place { city: String ${PHI} }`), 'Person.at', 3, /without @phi/],
  ['a @phi value without any grant', sdl('note: String @phi(category: NOTE)'), 'Person.note', 3, /no grant/],
  ['@notPhi without a reason', sdl('note: String @notPhi(because: " ")'), 'Person.note', 3, /no reason/],
  ['@phi on a root', `type Query { name: String ${PHI} ${NOT_PHI} }`, 'Query.name', 1, /root/],
  ['a bare value at a root', 'type Query { name: String }', 'Query.name', 1, /bare value/],
  ['an object root that is non-null', `type Query { me: Me! } type Me { id: ID ${NOT_PHI} }`, 'Query.me', 1, /non-null/],
  [
    'a root that returns a composite',
    sdl(`a: Tag ${PHI}`, 'type Tag { b: ID } extend type Query { tag: Tag }'),
    'Query.tag',
    5,
    /not be decided/,
  ],
  ['@phi outside of a record', `type Query { me: Me } type Me { id: ID ${PHI} }`, 'Me.id', 1, /not part of a record/],
  ['a type that is nothing', 'type Query { me: Me } type Me { id: ID }', 'Me.id', 1, /not classified/],
  ['a type that nothing reaches', sdl(`a: ID ${NOT_PHI}`, 'type Lost { id: ID }'), 'Lost.id', 5, /not classified/],
  ['a record behind @notPhi', sdl(`a: ID ${NOT_PHI}`, `type Wrap { p: Person ${NOT_PHI} }`), 'Wrap.p', 5, /not be decided/],
  ['directives inside a composite', sdl(`code: Code ${PHI}`, `type Code { text: String ${NOT_PHI} }`), 'Code.text', 5, /composite/],
  ['a subscription', sdl(`a: ID ${NOT_PHI}`, `type Subscription { a: ID ${NOT_PHI} }`), 'Subscription', 5, /subscription/i],
]

const EDGES: readonly Case[] = [
  ['a connection edge without @phi', sdl('visits: VisitConnection', visit(connection('Visit'))), 'Person.visits', 3, /no @phi/],
  [
    'a connection edge that says @notPhi',
    sdl(`visits: VisitConnection ${NOT_PHI}`, visit(connection('Visit'))),
    'Person.visits',
    3,
    /no @phi/,
  ],
  [
    'a connection edge without a grant',
    sdl('visits: VisitConnection @phi(category: CLINICAL)', visit(connection('Visit'))),
    'Person.visits',
    3,
    /edge has no grant/,
  ],
  [
    'a connection edge that is non-null',
    sdl(`visits: VisitConnection! ${PHI}`, visit(connection('Visit'))),
    'Person.visits',
    3,
    /edge is non-null/,
  ],
  [
    'a masked connection edge',
    sdl(
      `visits: VisitConnection @phi(category: NOTE) @minimumNecessary(roles: [NURSE], view: PRESENCE)`,
      visit(connection('Visit')),
    ),
    'Person.visits',
    3,
    /PRESENCE cannot/,
  ],
  [
    'a connection to what is no record',
    sdl(`tags: TagConnection ${PHI}`, `type Tag { id: ID ${NOT_PHI} } ${connection('Tag')}`),
    'Person.tags',
    3,
    /not a record/,
  ],
  [
    'a value beside the plumbing',
    sdl(`visits: VisitConnection ${PHI}`, visit(connection('Visit').replace('cursor: String!', 'cursor: String! note: String'))),
    'VisitEdge.note',
    7,
    /not classified/,
  ],
  [
    'a node that is non-null',
    sdl(`visits: VisitConnection ${PHI}`, visit(connection('Visit').replace('node: Visit', 'node: Visit!'))),
    'VisitEdge.node',
    7,
    /node is non-null/,
  ],
  ['an edge to one record that is non-null', sdl('visit: Visit!', visit('')), 'Person.visit', 3, /one record is non-null/],
  ['an edge to one record with @phi', sdl(`visit: Visit ${PHI}`, visit('')), 'Person.visit', 3, /carries @phi/],
  ['a list of records', sdl('visits: [Visit!]', visit('')), 'Person.visits', 3, /list of records/],
  [
    'an edge in an embedded type',
    sdl('at: Place', visit(`type Place { city: String ${PHI} visit: Visit }`)),
    'Place.visit',
    5,
    /embedded type holds an edge/,
  ],
  [
    'an embedded type in two places',
    sdl('a: Place\nb: Place', `type Place { city: String ${PHI} }`),
    'Person.b',
    4,
    /another place/,
  ],
  ['a list of an embedded type', sdl('a: [Place!]', `type Place { city: String ${PHI} }`), 'Person.a', 3, /list of an embedded/],
]

const GRANTS: readonly Case[] = [
  ['no roles', sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [])'), 'Person.a', 3, /no roles/],
  ['no purposes', sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE], purposes: [])'), 'Person.a', 3, /no purposes/],
  ['no actions', sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE], actions: [])'), 'Person.a', 3, /no actions/],
  ['an unknown role', sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [DENTIST])'), 'Person.a', 3, /roles.*invalid value/],
  [
    'an unknown purpose',
    sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE], purposes: [FUN])'),
    'Person.a',
    3,
    /purposes.*invalid value/,
  ],
  [
    'an unknown argument',
    sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE], role: NURSE)'),
    'Person.a',
    3,
    /no argument role/,
  ],
  ['an unknown category', sdl(`a: ID @phi(category: SECRET) ${GRANT}`), 'Person.a', 3, /category.*invalid value/],
  [
    'a purpose that no role may claim',
    sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [BILLING], purposes: [TREAT])'),
    'Person.a',
    3,
    /may claim/,
  ],
  [
    'an identical repeat',
    sdl(`a: ID @phi(category: NOTE)\n@minimumNecessary(roles: [NURSE, PHYSICIAN])\n@minimumNecessary(roles: [PHYSICIAN, NURSE])`),
    'Person.a',
    5,
    /repeats/,
  ],
  [
    'two views that tie',
    sdl(
      'a: String @phi(category: NOTE)\n@minimumNecessary(roles: [NURSE], view: ZIP3)\n@minimumNecessary(roles: [PHYSICIAN], view: LAST4)',
    ),
    'Person.a',
    5,
    /ties/,
  ],
  [
    'YEAR of a text',
    sdl('a: String @phi(category: NOTE) @minimumNecessary(roles: [NURSE], view: YEAR)'),
    'Person.a',
    3,
    /YEAR cannot be made of String/,
  ],
  [
    'LAST4 of a list',
    sdl('a: [String!] @phi(category: NOTE) @minimumNecessary(roles: [NURSE], view: LAST4)'),
    'Person.a',
    3,
    /LAST4 cannot/,
  ],
  [
    'ZIP3 of a date',
    sdl('a: PartialDate @phi(category: NOTE) @minimumNecessary(roles: [NURSE], view: ZIP3)', 'scalar PartialDate'),
    'Person.a',
    3,
    /ZIP3 cannot/,
  ],
  [
    'PSEUDONYM of a number',
    sdl('a: Int @phi(category: NOTE) @minimumNecessary(roles: [NURSE], view: PSEUDONYM)'),
    'Person.a',
    3,
    /PSEUDONYM cannot/,
  ],
  ['default grants on what is no record', `type Query ${GRANT} { a: ID ${NOT_PHI} }`, 'Query', 1, /not a record/],
]

const CONFIDENTIALITY = 'enum Confidentiality { R @opensTo(relationships: [SELF]) V @opensTo(relationships: [SELF])'

const NAMES: readonly Case[] = [
  ['a role without @role', sdl(`a: ID ${NOT_PHI}`, 'extend enum Role { DENTIST }'), 'Role.DENTIST', 5, /no @role/],
  [
    'a role that may claim nothing',
    sdl(`a: ID ${NOT_PHI}`, 'extend enum Role { DENTIST @role(kind: CLINICIAN, mayClaim: []) }'),
    'Role.DENTIST',
    5,
    /claim no purpose/,
  ],
  [
    'a sensitivity without @consent',
    sdl(`a: ID ${NOT_PHI}`, 'extend enum Sensitivity { TEETH }'),
    'Sensitivity.TEETH',
    5,
    /no @consent/,
  ],
  [
    'a confidentiality without @opensTo',
    sdl(`a: ID ${NOT_PHI}`, 'enum Confidentiality { R V @opensTo(relationships: [SELF]) }'),
    'Confidentiality.R',
    5,
    /no @opensTo/,
  ],
  [
    'a confidentiality that is missing',
    sdl(`a: ID ${NOT_PHI}`, 'enum Confidentiality { R @opensTo(relationships: [SELF]) }'),
    'Confidentiality',
    5,
    /no value V/,
  ],
  [
    'a confidentiality that no source gives',
    sdl(`a: ID ${NOT_PHI}`, `${CONFIDENTIALITY} X @opensTo(relationships: [SELF]) }`),
    'Confidentiality.X',
    5,
    /closes no record/,
  ],
  [
    'a confidentiality beside the shipped ones',
    sdl(`a: ID ${NOT_PHI}`, 'extend enum Confidentiality { X }'),
    'Confidentiality.X',
    5,
    /no @opensTo/,
  ],
  [
    'a repeated @opensTo',
    sdl(
      `a: ID ${NOT_PHI}`,
      'enum Confidentiality { R @opensTo(relationships: [SELF]) V @opensTo(relationships: [SELF]) @opensTo(relationships: [PROXY]) }',
    ),
    '',
    5,
    /opensTo/,
  ],
  [
    'a confidentiality for a relationship that the schema does not have',
    sdl(`a: ID ${NOT_PHI}`, 'enum Confidentiality { R @opensTo(relationships: [NEIGHBOR]) V @opensTo(relationships: []) }'),
    'Confidentiality.R',
    5,
    /NEIGHBOR/,
  ],
  [
    '@opensTo on another enum',
    sdl(`a: ID ${NOT_PHI}`, 'enum Size { BIG @opensTo(relationships: [SELF]) }'),
    'Size.BIG',
    5,
    /has no effect/,
  ],
  ...(['R', 'V', 'NOPAT', 'NOAUTH'] as const).map(
    (name): Case => [
      `a sensitivity with the name of another label, ${name}`,
      sdl(`a: ID ${NOT_PHI}`, `extend enum Sensitivity { ${name} @consent(rule: HONOR_DENIAL) }`),
      `Sensitivity.${name}`,
      5,
      /another label/,
    ],
  ),
  ['a new value in a closed enum', sdl(`a: ID ${NOT_PHI}`, 'extend enum PurposeOfUse { FUN }'), 'PurposeOfUse', 5, /closed/],
  [
    '@role on another enum',
    sdl(`a: ID ${NOT_PHI}`, 'enum Size { BIG @role(kind: STAFF, mayClaim: [TREAT]) }'),
    'Size.BIG',
    5,
    /has no effect/,
  ],
  [
    'an attribute that is no name',
    sdl(`a: ID ${NOT_PHI}`, `type Visit @record(patient: "a b") { note: String ${PHI} }`),
    'Visit',
    5,
    /attribute/,
  ],
  [
    'an index over a name alone',
    sdl(`a: String @phi(category: IDENTITY, identifier: NAME) @searchable ${GRANT}`),
    'Person.a',
    3,
    /too easy to guess/,
  ],
  [
    'an index over a date alone',
    sdl(`a: String @phi(category: CLINICAL, identifier: DATE) @searchable ${GRANT}`),
    'Person.a',
    3,
    /too easy to guess/,
  ],
  [
    'an index over demographics alone',
    sdl(`a: String @phi(category: DEMOGRAPHIC) @searchable ${GRANT}`),
    'Person.a',
    3,
    /too easy to guess/,
  ],
  ['an index over a number', sdl(`a: Int ${PHI} @searchable`), 'Person.a', 3, /not a stored text/],
  ['an index over a list', sdl(`a: [String!] ${PHI} @searchable`), 'Person.a', 3, /not a stored text/],
  [
    'an index over what is computed',
    sdl(`b: String ${PHI}\n  a: String ${PHI} @searchable @computed(from: ["Person.b"])`),
    'Person.a',
    4,
    /not a stored text/,
  ],
  ['an index over what is not PHI', sdl(`a: String ${NOT_PHI} @searchable`), 'Person.a', 3, /@searchable is on/],
  [
    'a comparison of what is not PHI',
    sdl(`a: String ${NOT_PHI} ${COMPARED}`),
    'Person.a',
    3,
    /@workforceComparison is on a field without/,
  ],
  ['a comparison of a number', sdl(`a: Int ${PHI} ${COMPARED}`), 'Person.a', 3, /not a stored text/],
  ['a comparison of a list of numbers', sdl(`a: [Float!] ${PHI} ${COMPARED}`), 'Person.a', 3, /not a stored text/],
  [
    'a comparison of what is computed',
    sdl(`b: String ${PHI}\n  a: String ${PHI} ${COMPARED} @computed(from: ["Person.b"])`),
    'Person.a',
    4,
    /not a stored text/,
  ],
  ['a comparison of a composite', sdl(`a: Tag ${PHI} ${COMPARED}`, 'type Tag { b: String }'), 'Person.a', 3, /not a stored text/],
  [
    'a comparison inside a composite',
    sdl(`a: Tag ${PHI}`, `type Tag { b: String ${COMPARED} }`),
    'Tag.b',
    5,
    /@workforceComparison is inside a composite/,
  ],
  [
    "a comparison of a record that is not the patient's own",
    sdl(`visits: VisitConnection ${PHI}`, `type Visit @record { note: String ${PHI} ${COMPARED} } ${connection('Visit')}`),
    'Visit.note',
    5,
    /not of the patient's own record/,
  ],
  [
    'two fields that are compared as one part',
    sdl(`a: String ${PHI} ${COMPARED}\nb: String ${PHI} ${COMPARED}`),
    'Person.b',
    4,
    /PHONE\) is on Person\.a too/,
  ],
  [
    'a street without a postal code',
    sdl(`a: [String!] ${PHI} @workforceComparison(as: STREET_ADDRESS)`),
    'Person.a',
    3,
    /no token without POSTAL_CODE/,
  ],
  [
    'a postal code without a street',
    sdl(`a: String ${PHI} @workforceComparison(as: POSTAL_CODE)`),
    'Person.a',
    3,
    /no token without STREET_ADDRESS/,
  ],
  ['a comparison as a part that does not exist', sdl(`a: String ${PHI} @workforceComparison(as: EMAIL)`), 'Person.a', 3, /EMAIL/],
  ['a compound with an unknown path', sdl(`a: String ${PHI} @searchable(with: ["Person.b"])`), 'Person.a', 3, /with:.*Person\.b/],
  [
    'a value derived from an unknown path',
    sdl(`a: String ${PHI} @computed(from: ["Person.b"])`),
    'Person.a',
    3,
    /from:.*Person\.b/,
  ],
  [
    'a derived value that is not PHI',
    sdl(`b: ID ${PHI}\na: String ${NOT_PHI} @computed(from: ["Person.b"])`),
    'Person.a',
    4,
    /@computed is on/,
  ],
  [
    'an argument that reads an unknown path',
    `type Query { a(b: ID @reads(field: "Person.b")): ID ${NOT_PHI} }`,
    'Query.a(b:)',
    1,
    /field:.*Person\.b/,
  ],
  [
    'an input field that reads an unknown path',
    `type Query { a(b: In): ID ${NOT_PHI} } input In { c: ID @reads(field: "X.y") }`,
    'In.c',
    1,
    /X\.y/,
  ],
]

const INTERFACES: readonly Case[] = [
  [
    'an interface that disagrees',
    sdl(
      `name: String ${PHI}`,
      `interface Named { name: String ${NOT_PHI} } type Dog implements Named @record { name: String ${PHI} }`,
    ),
    'Named.name',
    5,
    /differently/,
  ],
  [
    'implementors that disagree',
    sdl(
      `a: ID ${NOT_PHI}`,
      `interface N { n: ID ${NOT_PHI} } type A implements N { n: ID ${NOT_PHI} } type B implements N @record { n: ID ${PHI} }`,
    ),
    'N.n',
    5,
    /differently/,
  ],
  [
    'an interface of another category',
    sdl(`a: ID ${NOT_PHI}`, `interface N { n: ID @phi(category: NOTE) } type B implements N @record { n: ID ${PHI} }`),
    'N.n',
    5,
    /differently/,
  ],
  [
    'an interface that says nothing',
    sdl(`a: ID ${NOT_PHI}`, `interface N { n: ID } type B implements N { n: ID ${NOT_PHI} }`),
    'N.n',
    5,
    /differently/,
  ],
  [
    'a grant on an interface',
    sdl(`a: ID ${NOT_PHI}`, `interface N { n: ID ${PHI} } type B implements N @record { n: ID ${PHI} }`),
    'N.n',
    5,
    /grants nothing/,
  ],
]

const SDL: readonly Case[] = [
  ['a type declared twice', sdl(`a: ID ${NOT_PHI}`, `type Person ${GRANT} { b: ID }`), '', 2, /Person/],
  ['an unknown type', sdl(`a: Teeth ${NOT_PHI}`), '', 3, /Teeth/],
  ['an unknown directive', sdl(`a: ID @public`), '', 3, /public/],
  ['a syntax error', sdl('a: ID ]'), '', 3, /Syntax/],
  [
    'an interface that is not implemented',
    sdl(`a: ID ${NOT_PHI}`, `interface N { n: ID ${NOT_PHI} } type B implements N { m: ID ${NOT_PHI} }`),
    '',
    5,
    /expected/,
  ],
]

describe('P3: default deny: the build fails', () => {
  it.each([...FIELDS, ...EDGES, ...GRANTS, ...NAMES, ...INTERFACES, ...SDL])('P3: for %s', (_name, text, path, line, says) => {
    const found = faultsOf(text).filter((fault) => fault.path === path && says.test(fault.problem))
    expect(faultsOf(text)).not.toEqual([])
    expect(found).toMatchObject([{ file: 'test.graphql', line, path }])
    expect(found[0]?.instead).not.toBe('')
  })

  it('P3: for a relationship that has no registered function', () => {
    const text = sdl('a: ID @phi(category: NOTE) @minimumNecessary(roles: [NURSE], relationship: AUTHOR)')
    expect(faultsOf(text, new Set(['AUTHOR']))).toEqual([])
    expect(faultsOf(text, new Set(['CARE_TEAM']))).toMatchObject([
      { path: 'Person.a', line: 3, problem: expect.stringMatching(/AUTHOR has no registered/) as string },
    ])
  })

  it('P3: for a confidentiality of a deployment that opens to a relationship without a registered function', () => {
    const text = sdl(`a: ID ${PHI}`, `${CONFIDENTIALITY} }`)
    expect(faultsOf(text, new Set(['CARE_TEAM', 'SELF']))).toEqual([])
    expect(faultsOf(text, new Set(['CARE_TEAM']))).toMatchObject([
      { path: 'Confidentiality.R', problem: expect.stringMatching(/SELF has no registered/) as string },
      { path: 'Confidentiality.V' },
    ])
    // the shipped enum names relationships that a deployment may not have
    expect(faultsOf(sdl(`a: ID ${PHI}`), new Set(['CARE_TEAM']))).toEqual([])
  })

  it('tells all faults at once, in the order of the text', () => {
    const faults = faultsOf(sdl(`a: ID\nb: String! ${PHI}\nc: ID @phi(category: NOTE)`))
    expect(faults.map(({ line }) => line)).toEqual([3, 4, 5])
    expect(new PolicyFaults(faults).message).toMatch(
      /test\.graphql:3 Person\.a: .*\n.*:4 Person\.b: .*\n.*:5 Person\.c: .* Instead: /,
    )
  })

  it('rejects a second declaration of a type, which a merge would add to the grants of the first', () => {
    const again = { name: 'more.graphql', sdl: `type Patient ${GRANT} { ssn: String }` }
    const both = () => compilePolicy([...clinicTypeDefs(), again], { relationships: 'unchecked' })
    expect(both).toThrow(PolicyFaults)
    expect(both).toThrow(/Patient/)
  })

  it('does not compile without the set of known relationships', () => {
    // @ts-expect-error: the check can be left out explicitly, but not by omission
    expect(() => compilePolicy(clinicTypeDefs())).toThrow()
  })
})
