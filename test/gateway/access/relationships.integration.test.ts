import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { authorRelationship } from '../../../gateway/access/author.ts'
import { minorProxyPeriods } from '../../../gateway/model/minors.ts'
import { membershipRelationship } from '../../../gateway/access/memberships.ts'
import { tokenIdentity } from '../../../gateway/access/identity.ts'
import { runImport } from '../../../cli/import-run.ts'
import type { ImportReport } from '../../../cli/import-report.ts'
import { compilePolicy, lockDigest } from '../../../directives/compile.ts'
import { recordById, recordsOf, patientOf } from '../../../gateway/disclosure/edge-resolvers.ts'
import { createGateway, type Gateway } from '../../../gateway/create-gateway.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { SealedSource } from '../../../gateway/store/sealed-source.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordRef } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { Relationship, Sensitivity } from '../../../directives/policy.ts'
import type { Json, NewRecord, RecordMetadata } from '../../../gateway/model/record.ts'
import { plainOptions } from '../../harness/import-options.ts'
import { bytesOf, type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, outcomesOf, RIVERSIDE, workOf } from '../asking.ts'

let clinic: RunningClinic
let store: SealedStore

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, lockDigest(clinicLock()), clinic.stack.env)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

const patientRef = (name: string): RecordRef => {
  const id = store.idFor('Patient', name)
  return { type: 'Patient' as TypeName, patient: id as string as PatientId, id }
}
const record = (ref: RecordRef, path: string, value: Json, metadata: Partial<RecordMetadata> = {}): NewRecord => ({
  ref,
  values: new Map([[path as SchemaPath, value]]),
  metadata: { open: {}, references: {}, ...metadata },
})
const codesOf = (answer: ClinicAnswer): unknown[] => answer.errors.map(({ extensions }) => extensions['code'])

describe('C06: the author of one note', () => {
  const SDL = `
    type Query {
      note(id: ID!): Note
      person(id: ID!): Patient
      explainAccess(query: String!, patientId: ID): Plan
    }
    type Plan { paths: [Planned!]! @notPhi(because: "follows from the operation") }
    type Planned {
      path: String! @notPhi(because: "a name of the schema")
      outcome: String! @notPhi(because: "follows from the caller")
      rule: String @notPhi(because: "a name of the schema")
      dependsOn: [String!]! @notPhi(because: "names of the schema")
    }
    type Patient @record(patient: "id") @minimumNecessary(roles: [PHYSICIAN, NURSE]) {
      id: ID! @notPhi(because: "random")
      familyName: String @phi(category: IDENTITY, identifier: NAME)
      notes(first: Int = 20, after: String): NoteConnection @phi(category: NOTE)
    }
    type Note @record {
      id: ID! @notPhi(because: "random")
      text: String @phi(category: NOTE)
        @minimumNecessary(roles: [PHYSICIAN, NURSE])
        @minimumNecessary(roles: [NURSE, BILLING], purposes: [TREAT, HPAYMT], relationship: AUTHOR)
      patient: Patient
    }
    type NoteConnection { edges: [NoteEdge!]!  pageInfo: PageInfo!  mayBeIncomplete: Boolean! }
    type NoteEdge { cursor: String!  node: Note }
    type PageInfo { hasNextPage: Boolean!  hasPreviousPage: Boolean!  startCursor: String  endCursor: String }
  `
  let gateway: Gateway
  let mine: string
  let theirs: string
  let labeled: string
  let person: string

  beforeAll(async () => {
    const { access: table, keyring, events, records, audit, process } = clinic.services
    const names = ['CARE_TEAM', 'AUTHOR'] as Relationship[]
    const typeDefs = [{ name: 'notes.graphql', sdl: SDL }]
    const { PHI_ISSUER: issuer, PHI_AUDIENCE: audience, PHI_JWKS_URI: jwksUri } = clinic.stack.env
    gateway = await createGateway({
      typeDefs,
      resolvers: {
        Query: {
          note: recordById('Note'),
          person: recordById('Patient'),
          explainAccess: async (_source, args, { scope }, info) => await scope.explainAccess(args, info),
        },
        Patient: { notes: recordsOf('Note') },
        Note: { patient: patientOf('Patient') },
      },
      lock: compilePolicy(typeDefs, { relationships: new Set(names) }).lock,
      relationships: new Map([
        ['CARE_TEAM' as Relationship, membershipRelationship('CARE_TEAM', { table, keyring, events })],
        ['AUTHOR' as Relationship, authorRelationship],
      ]),
      sources: new Map([['dynamodb', new SealedSource(records, keyring)]]),
      identity: (policy) => tokenIdentity({ issuer, audience, jwksUri }, policy),
      keys: keyring,
      audit: { log: audit, process },
      events,
    })
    const self = patientRef('author')
    const note = (name: string): RecordRef => ({ ...self, type: 'Note' as TypeName, id: store.idFor('Note', name) })
    const written = (name: string, author: string, labels: readonly string[] = []): NewRecord =>
      record(note(name), 'Note.text', name, { author, labels: labels as readonly Sensitivity[] })
    await store.write({
      patient: self.patient,
      records: [
        record(self, 'Patient.familyName', 'Ada'),
        written('mine', 'Practitioner/nurse'),
        written('labeled', 'Practitioner/nurse', ['PSYTHPN']),
        written('theirs', 'Practitioner/physician'),
        written('theirs, labeled', 'Practitioner/physician', ['PSYTHPN']),
        written('billed', 'Practitioner/billing'),
      ],
      memberships: [{ patient: self.patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] }],
    })
    person = encodeNodeId(self)
    mine = encodeNodeId(note('mine'))
    theirs = encodeNodeId(note('theirs'))
    labeled = encodeNodeId(note('labeled'))
  })
  afterAll(() => gateway.stop())

  const ask = async (user: string, query: string, id: string): Promise<ClinicAnswer> =>
    read(await gateway.handle(await clinic.requestOf(user, query, { id })))
  const NOTE = 'query ($id: ID!) { note(id: $id) { id text patient { familyName notes { edges { node { text } } } } } }'

  it('reads the note by its id, with AUTHOR as basis, and nothing else of the patient', async () => {
    const answer = await ask('nurse', NOTE, mine)
    expect(answer.data).toEqual({ note: { id: mine, text: 'mine', patient: { familyName: null, notes: null } } })
    const entries = await auditOf(clinic, answer)
    expect(entries.filter(({ path }) => path === 'Note.text')).toMatchObject([
      { outcome: 'DISCLOSED', basis: 'AUTHOR', rule: 'Note.text#2' },
    ])
    // the author's own psychotherapy notes need no authorization
    expect(at((await ask('nurse', NOTE, labeled)).data, 'note', 'text')).toBe('labeled')
  })

  it('P5: a note of another author yields the same answer as a missing one, at the same cost', async () => {
    const made = encodeNodeId({ ...patientRef('author'), type: 'Note' as TypeName, id: store.idFor('Note', 'made up') })
    const foreign = encodeNodeId({ ...patientRef('nobody'), type: 'Note' as TypeName, id: store.idFor('Note', 'nobody') })
    const seen = new Set<string>()
    for (const id of [theirs, made, foreign]) {
      await ask('nurse', NOTE, id)
      const { result, requests } = await workOf(clinic, () => ask('nurse', NOTE, id))
      expect(codesOf(result)).toEqual(['NOT_FOUND'])
      const { records, access, keys, kms } = requests
      const items = (await auditOf(clinic, result)).length
      seen.add(JSON.stringify([bytesOf(result), { records, access, kms }, items]))
      if (id !== foreign) expect(keys).toBe(0)
    }
    expect(seen.size).toBe(1)
    const [entry] = await auditOf(clinic, await ask('nurse', NOTE, theirs))
    expect(entry).toMatchObject({ outcome: 'DENIED', reason: 'RELATIONSHIP' })
  })

  it('does not learn that a patient exists, unless the role sees existence', async () => {
    const billing = await ask(
      'billing',
      NOTE,
      encodeNodeId({ ...patientRef('author'), type: 'Note' as TypeName, id: store.idFor('Note', 'billed') }),
    )
    expect(at(billing.data, 'note', 'text')).toBe('billed')
    expect(codesOf(await ask('billing', NOTE, mine))).toEqual(['NOT_FOUND'])
  })

  it('explainAccess answers that access depends on the author of the record, and opens no record', async () => {
    const explained = async (user: string, patientId?: string): Promise<unknown> => {
      const EXPLAIN = `query ($id: ID) { explainAccess(patientId: $id, query: "{ note(id: \\"x\\") { text } }") {
        paths { path outcome rule dependsOn } } }`
      const answer = read(await gateway.handle(await clinic.requestOf(user, EXPLAIN, { id: patientId })))
      return at(answer.data, 'explainAccess', 'paths')
    }
    const path = 'Note.text'
    expect(await explained('nurse')).toEqual([
      { path, outcome: 'DEPENDS', rule: expect.any(String) as unknown, dependsOn: ['CARE_TEAM', 'AUTHOR'] },
    ])
    // the nurse may be the author of a note of an unrelated patient
    expect(await explained('nurse', person)).toEqual([{ path, outcome: 'DEPENDS', rule: 'Note.text#2', dependsOn: ['AUTHOR'] }])
    expect(await explained('physician', person)).toEqual([{ path, outcome: 'GRANTED', rule: 'Note.text#1', dependsOn: [] }])
  })

  it("a list omits records that consents close, except for the author's own", async () => {
    const LIST = 'query ($id: ID!) { person(id: $id) { notes(first: 2) { edges { node { text } } pageInfo { hasNextPage } } } }'
    const ALL = LIST.replace('first: 2', 'first: 20')
    const texts = (answer: ClinicAnswer): unknown[] => nodesAt(answer.data, 'person', 'notes').map((node) => at(node, 'text'))
    expect(texts(await ask('physician', ALL, person)).toSorted()).toEqual(['billed', 'mine', 'theirs'])
    expect((await ask('physician', LIST, person)).data).toMatchObject({ person: { notes: { pageInfo: { hasNextPage: true } } } })
    const self = patientRef('author')
    await store.write({
      patient: self.patient,
      records: [],
      memberships: [{ patient: self.patient, relationship: 'CARE_TEAM', fhirUser: 'Practitioner/nurse', periods: [{}] }],
    })
    const answer = await ask('nurse', ALL, person)
    expect(texts(answer).toSorted()).toEqual(['billed', 'labeled', 'mine', 'theirs'])
    expect(outcomesOf(await auditOf(clinic, answer)).filter((outcome) => outcome.includes('CONSENT'))).toEqual([
      'Note.id DENIED CONSENT',
    ])
  })
})

describe('C06: the proxy of a minor', () => {
  const CHART = `query ($id: ID!) { patient(id: $id) {
    familyName
    conditions { edges { node { code { text } } } mayBeIncomplete }
    documentReferences { edges { node { text } } }
  } }`
  const EXPLAIN = `query ($id: ID!) { explainAccess(patientId: $id, query: "query ($id: ID!) { patient(id: $id) { familyName documentReferences { edges { node { text } } } } }") {
    paths { path outcome reason rule }
  } }`
  const AGES = [11, 14, 19] as const
  const YEAR_MS = 365.25 * 86_400_000
  const named = (age: number, type: string, name: string): RecordRef => {
    const self = patientRef(`aged ${age}`)
    return { ...self, type: type as TypeName, id: store.idFor(type, `${name} ${age}`) }
  }

  beforeAll(async () => {
    for (const age of AGES) {
      const self = patientRef(`aged ${age}`)
      const born = new Date(Date.now() - (age + 0.5) * YEAR_MS).toISOString().slice(0, 10)
      await store.write({
        patient: self.patient,
        records: [
          record(self, 'Patient.familyName', 'Minor'),
          record(named(age, 'Condition', 'plain'), 'Condition.code', { coding: [], text: 'plain' }),
          record(named(age, 'Condition', 'hiv'), 'Condition.code', { coding: [], text: 'HIV' }, { labels: ['HIV' as Sensitivity] }),
          record(named(age, 'DocumentReference', 'note'), 'DocumentReference.text', 'note'),
        ],
        memberships: [
          { patient: self.patient, relationship: 'PROXY', fhirUser: 'RelatedPerson/proxy', periods: minorProxyPeriods(born) },
        ],
      })
    }
  })

  /** Asks as the proxy of a minor of this age. */
  const aged = async (age: (typeof AGES)[number], query = CHART, ref = patientRef(`aged ${age}`)): Promise<ClinicAnswer> =>
    await clinic.ask('proxy', query, { id: encodeNodeId(ref) })
  const codes = (answer: ClinicAnswer): unknown[] =>
    nodesAt(answer.data, 'patient', 'conditions')
      .map((node) => at(node, 'code', 'text'))
      .toSorted()

  it('P13: reads everything, then within limits, then nothing, by the periods', async () => {
    const child = await aged(11)
    expect(child.errors).toEqual([])
    expect([codes(child), nodesAt(child.data, 'patient', 'documentReferences')]).toEqual([['HIV', 'plain'], [{ text: 'note' }]])

    const limited = await aged(14)
    expect(at(limited.data, 'patient', 'familyName')).toBe('Minor')
    expect(codes(limited)).toEqual(['plain'])
    expect(at(limited.data, 'patient', 'conditions', 'mayBeIncomplete')).toBe(true)
    expect(at(limited.data, 'patient', 'documentReferences')).toBe(null)
    expect(limited.errors).toMatchObject([
      {
        extensions: {
          coordinate: 'Patient.documentReferences',
          reason: 'RELATIONSHIP',
          rule: expect.stringContaining('Patient.documentReferences#') as unknown,
        },
      },
    ])
    expect(limited.text).not.toContain('HIV')
    // only the audit shows that more records exist
    expect(outcomesOf(await auditOf(clinic, limited))).toContain('Condition.id DENIED RELATIONSHIP')

    const adult = await aged(19)
    expect([adult.data, codesOf(adult)]).toEqual([{ patient: null }, ['NOT_FOUND']])
  })

  it('a labeled record is not found by its id while limits hold', async () => {
    const NODE = 'query ($id: ID!) { node(id: $id) { ... on Condition { code { text } } } }'
    expect(at((await aged(11, NODE, named(11, 'Condition', 'hiv'))).data, 'node', 'code', 'text')).toBe('HIV')
    const answer = await aged(14, NODE, named(14, 'Condition', 'hiv'))
    expect([answer.data, codesOf(answer)]).toEqual([{ node: null }, ['NOT_FOUND']])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Condition.code DENIED RELATIONSHIP'])
  })

  it('explainAccess applies the limits', async () => {
    const outcome = async (years: (typeof AGES)[number]): Promise<unknown[]> =>
      ((at((await aged(years, EXPLAIN)).data, 'explainAccess', 'paths') ?? []) as readonly Record<string, unknown>[]).map(
        ({ path, outcome: told, reason }) => [path, told, reason],
      )
    expect(await outcome(11)).toContainEqual(['Patient.documentReferences', 'GRANTED', null])
    const limited = await outcome(14)
    expect(limited).toContainEqual(['Patient.familyName', 'GRANTED', null])
    expect(limited).toContainEqual(['Patient.documentReferences', 'DENIED', 'RELATIONSHIP'])
  })
})

describe('C06: a parent, from the bundle of a minor to the answer', () => {
  const CHART = `query ($id: ID!) { patient(id: $id) {
    familyName conditions { edges { node { code { coding { code } } } } } documentReferences { edges { node { text } } }
  } }`
  const HIV = '86406008'
  const ASTHMA = '195967001'

  const bundleOf = (age: number, relative: Record<string, unknown> = {}): object => {
    const id = `child-${age}`
    const born = new Date()
    // half a year past the birthday, except for the patient that came of age yesterday
    born.setUTCFullYear(born.getUTCFullYear() - age, born.getUTCMonth() - (age === 18 ? 0 : 6))
    born.setUTCDate(born.getUTCDate() - 1)
    const subject = { reference: `Patient/${id}` }
    const coded = (code: string): object => ({ coding: [{ system: 'http://snomed.info/sct', code }] })
    const mother = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'MTH' }] }
    const text = { contentType: 'text/plain', data: Buffer.from('a note').toString('base64') }
    const resources = [
      { resourceType: 'Patient', id, name: [{ family: 'Minor' }], birthDate: born.toISOString().slice(0, 10) },
      { resourceType: 'RelatedPerson', id: 'proxy', active: true, patient: subject, relationship: [mother], ...relative },
      { resourceType: 'Condition', id: `${id}-a`, subject, code: coded(ASTHMA) },
      { resourceType: 'Condition', id: `${id}-b`, subject, code: coded(HIV) },
      { resourceType: 'DocumentReference', id: `${id}-c`, status: 'current', subject, content: [{ attachment: text }] },
    ]
    return { resourceType: 'Bundle', type: 'collection', entry: resources.map((resource) => ({ resource })) }
  }
  const imported = async (...bundles: readonly object[]): Promise<ImportReport> => {
    const folder = mkdtempSync(join(tmpdir(), 'phi-minors-'))
    const importer = await openStore(RIVERSIDE, lockDigest(clinicLock()), clinic.stack.env)
    try {
      for (const [place, bundle] of bundles.entries()) writeFileSync(join(folder, `${place}.json`), JSON.stringify(bundle))
      return await runImport({ paths: [folder], tenant: RIVERSIDE, importer, ...plainOptions() })
    } finally {
      await importer.close()
      rmSync(folder, { recursive: true })
    }
  }
  const asked = async (age: number): Promise<ClinicAnswer> =>
    await clinic.ask('proxy', CHART, { id: encodeNodeId(patientRef(`child-${age}`)) })
  const child = (): PatientId => patientRef('child-9').patient
  const recordsOfChild = async (): Promise<unknown[]> => {
    const all = await clinic.services.history.entriesBy('patient', RIVERSIDE, child())
    return all.filter(({ path }) => path !== '#record-locator')
  }
  const codes = (answer: ClinicAnswer): unknown[] =>
    nodesAt(answer.data, 'patient', 'conditions')
      .map((node) => at(node, 'code', 'coding', 0, 'code'))
      .toSorted()

  it('P13: reads all of a child, a part of an adolescent, and nothing from the eighteenth birthday on', async () => {
    // each import moves the relative to another patient
    for (const age of [14, 18, 9]) expect((await imported(bundleOf(age))).faults).toEqual([])
    const ofChild = await asked(9)
    expect(ofChild.errors).toEqual([])
    expect([codes(ofChild), nodesAt(ofChild.data, 'patient', 'documentReferences')]).toEqual([[ASTHMA, HIV], [{ text: 'a note' }]])
    expect(codesOf(await asked(14))).toEqual(['NOT_FOUND'])
    await imported(bundleOf(14))
    const adolescent = await asked(14)
    expect([at(adolescent.data, 'patient', 'familyName'), codes(adolescent)]).toEqual(['Minor', [ASTHMA]])
    expect(at(adolescent.data, 'patient', 'documentReferences')).toBe(null)
    expect(codesOf(await asked(9))).toEqual(['NOT_FOUND'])
    await imported(bundleOf(18))
    const adult = await asked(18)
    expect([adult.data, codesOf(adult)]).toEqual([{ patient: null }, ['NOT_FOUND']])
  })

  it('P13: an import of an inactive representative ends the relationship, and a second import writes nothing', async () => {
    const counts = async (relative: Record<string, unknown>): Promise<unknown> => {
      const { written, leftOut } = await imported(bundleOf(9, relative))
      return [written, [...leftOut]]
    }
    const unchanged = { created: 0, updated: 0, unchanged: 4, removed: 0, moved: 0 }
    await imported(bundleOf(9))
    const before = await recordsOfChild()
    expect(await counts({})).toEqual([unchanged, []])
    expect(await recordsOfChild()).toEqual(before)
    // a person that never was a representative changes nothing
    expect(await counts({ id: 'aunt', relationship: [] })).toEqual([unchanged, [['RelatedPerson no personal representative', 1]]])
    expect(await recordsOfChild()).toEqual(before)
    expect(await counts({ active: false })).toEqual([unchanged, [['RelatedPerson inactive', 1]]])
    expect(codesOf(await asked(9))).toEqual(['NOT_FOUND'])
    const ended = await clinic.services.history.entriesBy('patient', RIVERSIDE, child())
    await counts({ active: false })
    expect(await clinic.services.history.entriesBy('patient', RIVERSIDE, child())).toEqual(ended)
  })
})
