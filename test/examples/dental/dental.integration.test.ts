import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { compiledLock, dentalLock } from '../../../examples/dental/schema.ts'
import type { ClinicAnswer } from '../../harness/running-clinic.ts'
import { nodesAt } from '../../gateway/asking.ts'
import type { KeptTreatment } from './practice-server-stand-in.ts'
import { type KeptClient, type RunningPractice, runPractice } from './running-practice.ts'

const ANNA = '5f0e2f9c-51a5-4c1d-9a34-0c9f6a1b2c01'
const BEN = '5f0e2f9c-51a5-4c1d-9a34-0c9f6a1b2c02'
const ELSEWHERE = '5f0e2f9c-51a5-4c1d-9a34-0c9f6a1b2c03'
const clients: readonly KeptClient[] = [
  {
    uuid: ANNA,
    practice: 'riverside',
    values: { familyName: 'Okonkwo', phone: '555-201-7788', birthDate: '1990-01-01', anxiety: 'cannot bear the drill' },
  },
  { uuid: BEN, practice: 'riverside', values: { familyName: 'Lindqvist' } },
  { uuid: ELSEWHERE, practice: 'hillside', values: { familyName: 'Faraway', birthDate: '1985-05-05' } },
]
const treatment = (number: number, client: string, performedOn: string, more: Partial<KeptTreatment> = {}): KeptTreatment => ({
  id: `9b2d6c1e-7f3a-4e58-8c21-d4a5b6c7d80${number}`,
  client,
  version: 1,
  performedOn,
  tooth: `1${number}`,
  procedure: `filling ${number}`,
  note: `secret note ${number}`,
  ...more,
})
// in no order, and more than two pages of the practice server
const treatments = [
  treatment(1, ANNA, '2021-03-01'),
  treatment(2, ANNA, '2024-11-30', { procedure: null }),
  treatment(3, ANNA, '2019-07-14'),
  treatment(4, ANNA, '2022-02-02'),
  treatment(5, ANNA, '2020-01-20'),
  treatment(6, BEN, '2023-08-08'),
  treatment(7, ELSEWHERE, '2023-09-09'),
]
const ANNAS_NEWEST_FIRST = ['12', '14', '11', '15', '13']
const AGE = new Date().getUTCFullYear() - 1990

let practice: RunningPractice
beforeAll(async () => {
  practice = await runPractice(clients, treatments)
}, 60_000)
afterAll(() => practice.stop())
beforeEach(() => {
  practice.server.mode = 'sound'
})

const client = (selection: string) => `query($id: ID!) { client(id: $id) { ${selection} } }`
const ask = (user: string, selection: string, uuid = ANNA, headers?: Record<string, string>) =>
  practice.ask(user, client(selection), { id: practice.clientId(uuid) }, headers)
const audited = async (answer: ClinicAnswer) =>
  (await practice.audit(answer)).map(({ path, outcome, reason, rule, view, count }) => ({
    path,
    outcome,
    ...(reason !== undefined && { reason }),
    ...(rule !== undefined && { rule }),
    ...(view !== undefined && { view }),
    ...(count !== undefined && { count }),
  }))
const refusals = ({ errors }: ClinicAnswer) =>
  errors.map(({ extensions: { code, coordinate, reason, rule } }) => ({ code, coordinate, reason, rule }))

describe('a schema of another deployment', () => {
  it('has its own roles, relationship and sensitivity in its own lock', () => {
    expect(compiledLock()).toBe(dentalLock())
    expect(dentalLock()).toContain('role HYGIENIST kind=CLINICIAN mayClaim=TREAT,HOPERAT')
    expect(dentalLock()).toContain('relationship=SAME_PRACTICE')
    expect(dentalLock()).toContain('consent DENTAL_ANXIETY rule=HONOR_DENIAL')
    expect(dentalLock()).toMatch(/^phi Client\.age .* computed=Client\.birthDate$/m)
  })

  it('discloses and masks the fields of its own role, and records them', async () => {
    const answer = await ask('hygienist', 'familyName phone birthDate anxiety')
    expect(answer.errors).toEqual([])
    expect(answer.data).toEqual({
      client: { familyName: 'Okonkwo', phone: '***-***-7788', birthDate: '1990-01-01', anxiety: 'cannot bear the drill' },
    })
    expect(answer.phi).toMatchObject({ resolved: 4, denied: 0, masked: [{ coordinate: 'Client.phone', view: 'LAST4', count: 1 }] })
    expect(await audited(answer)).toEqual(
      expect.arrayContaining([
        { path: 'Client.familyName', outcome: 'DISCLOSED', rule: 'Client#1', view: 'FULL' },
        { path: 'Client.phone', outcome: 'MASKED', rule: 'Client.phone#2', view: 'LAST4' },
      ]),
    )
  })

  it('denies a field to one of its roles and discloses it to another', async () => {
    const query = 'query($id: ID!) { treatment(id: $id) { tooth note client { familyName } } }'
    const id = practice.treatmentId(treatment(1, ANNA, ''))
    const hygienist = await practice.ask('hygienist', query, { id })
    expect(hygienist.data).toEqual({ treatment: { tooth: '11', note: null, client: { familyName: 'Okonkwo' } } })
    expect(refusals(hygienist)).toEqual([
      { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Treatment.note', reason: 'ROLE', rule: 'Treatment.note#1' },
    ])
    expect(await audited(hygienist)).toContainEqual({
      path: 'Treatment.note',
      outcome: 'DENIED',
      reason: 'ROLE',
      rule: 'Treatment.note#1',
    })
    const dentist = await practice.ask('dentist', query, { id })
    expect(dentist.data).toEqual({ treatment: { tooth: '11', note: 'secret note 1', client: { familyName: 'Okonkwo' } } })
  })

  it('knows only its own relationship: a client of another practice or tenant is NOT_FOUND', async () => {
    for (const [user, uuid] of [
      ['dentist', ELSEWHERE],
      ['lakeside-hygienist', ANNA],
      ['dentist', '5f0e2f9c-51a5-4c1d-9a34-0c9f6a1b2cff'],
    ] as const) {
      const answer = await ask(user, 'familyName age', uuid)
      expect(answer.data).toEqual({ client: null })
      expect(refusals(answer)).toMatchObject([{ code: 'NOT_FOUND' }])
    }
    const panel = await practice.ask('hygienist', '{ clients { edges { node { familyName } } } }')
    expect(nodesAt(panel.data, 'clients')).toEqual([{ familyName: 'Okonkwo' }, { familyName: 'Lindqvist' }])
  })

  it('P3: a role of the clinic grants nothing here, and an unknown role is refused', async () => {
    const answer = await ask('physician', 'familyName birthDate age')
    expect(answer.data).toEqual({ client: null })
    expect(refusals(answer)).toMatchObject([{ code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Query.client', reason: 'ROLE' }])
    expect(answer.phi.resolved).toBe(0)
    expect((await ask('stranger', 'familyName')).status).toBe(401)
  })
})

describe('a computed field', () => {
  it('opens and records each input, and discloses only the computed value', async () => {
    const answer = await ask('hygienist', 'age')
    expect(answer.data).toEqual({ client: { age: AGE } })
    expect(answer.phi.resolved).toBe(1)
    expect(answer.text).not.toContain('1990')
    expect((await audited(answer)).toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: 'Client.age', outcome: 'DISCLOSED', rule: 'Client.age#1', view: 'FULL' },
      { path: 'Client.birthDate', outcome: 'DISCLOSED', rule: 'Client.birthDate#1', view: 'FULL' },
    ])
  })

  it.each([
    ['beside it', 'age birthDate', 2],
    ['before it', 'birthDate age', 2],
    ['under aliases', 'a: age b: age c: birthDate d: birthDate', 2],
  ])('P1: an input that is selected %s is opened and recorded once', async (_how, selection, values) => {
    const answer = await ask('hygienist', selection)
    expect(answer.errors).toEqual([])
    expect(answer.phi.resolved).toBe(values)
    expect((await audited(answer)).map(({ path }) => path).toSorted()).toEqual(['Client.age', 'Client.birthDate'])
  })

  it.each([
    ['the input', 'age', 'birthDate'],
    ['the computed value', 'birthDate', 'age'],
  ])('P1: the same holds if %s is selected later, at another place of the answer', async (_what, first, second) => {
    const query = `query($id: ID!) { client(id: $id) { ${first} treatments(first: 1) { edges { node { client { ${second} } } } } } }`
    const answer = await practice.ask('hygienist', query, { id: practice.clientId(ANNA) })
    expect(answer.errors).toEqual([])
    expect(answer.phi.resolved).toBe(2)
    const paths = (await audited(answer)).map(({ path }) => path)
    expect(paths.toSorted()).toEqual(['Client.age', 'Client.birthDate', 'Client.treatments'])
  })

  it('is denied by the rule of the input if an input is masked, and the input is not opened', async () => {
    const answer = await ask('hygienist', 'age', ANNA, { 'x-purpose-of-use': 'HOPERAT' })
    expect(answer.data).toEqual({ client: { age: null } })
    const denial = { reason: 'ROLE', rule: 'Client.birthDate#2' }
    expect(refusals(answer)).toEqual([{ code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Client.age', ...denial }])
    expect(answer.phi).toMatchObject({ resolved: 0, denied: 1 })
    expect(await audited(answer)).toEqual([{ path: 'Client.age', outcome: 'DENIED', ...denial }])
    const both = await ask('hygienist', 'age birthDate', ANNA, { 'x-purpose-of-use': 'HOPERAT' })
    expect(both.data).toEqual({ client: { age: null, birthDate: '1990' } })
  })

  it('is absent if its input is absent', async () => {
    const answer = await ask('hygienist', 'familyName age', BEN)
    expect(answer.errors).toEqual([])
    expect(answer.data).toEqual({ client: { familyName: 'Lindqvist', age: null } })
    expect((await audited(answer)).map(({ path, outcome }) => `${path} ${outcome}`).toSorted()).toEqual([
      'Client.age ABSENT',
      'Client.birthDate ABSENT',
      'Client.familyName DISCLOSED',
    ])
  })
})

describe('a source over HTTP', () => {
  const page = (first: number, after = '', fields = 'tooth procedure note') =>
    `treatments(first: ${first}${after}) { edges { node { ${fields} } } pageInfo { hasNextPage endCursor } }`
  const treatmentsOf = ({ data }: ClinicAnswer) => (data?.['client'] as { treatments: Page }).treatments
  interface Page {
    readonly edges: readonly { readonly node: Readonly<Record<string, unknown>> }[]
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string }
  }

  it('pages newest first, without a gap or a repeat, for any page size of the server', async () => {
    const teeth: unknown[] = []
    let after = ''
    for (let more = true; more; ) {
      const answer = await ask('dentist', page(2, after, 'tooth'))
      expect(answer.errors).toEqual([])
      const { edges, pageInfo } = treatmentsOf(answer)
      teeth.push(...edges.map(({ node }) => node['tooth']))
      after = `, after: "${pageInfo.endCursor}"`
      more = pageInfo.hasNextPage
    }
    expect(teeth).toEqual(ANNAS_NEWEST_FIRST)
  })

  it('is asked only for granted fields', async () => {
    const answer = await ask('hygienist', page(5))
    expect(treatmentsOf(answer).edges.map(({ node }) => node['note'])).toEqual([null, null, null, null, null])
    const queries = practice.server.asked.filter(({ path }) => path === '/treatments/query')
    expect(queries.map(({ body }) => body.fields?.toSorted())).toEqual([['procedure', 'tooth']])
    await ask('dentist', page(5))
    expect(practice.server.asked.find(({ path }) => path === '/treatments/query')?.body.fields?.toSorted()).toEqual([
      'note',
      'procedure',
      'tooth',
    ])
  })

  it('P8: no id occurs in a URL', async () => {
    await ask('dentist', page(5))
    expect(new Set(practice.server.asked.map(({ path }) => path))).toEqual(new Set(['/treatments/list', '/treatments/query']))
  })

  it('discloses no field that the source returns without being asked', async () => {
    practice.server.mode = 'talkative'
    const answer = await ask('hygienist', page(5, '', 'tooth note'))
    expect(treatmentsOf(answer).edges.map(({ node }) => node['tooth'])).toEqual(ANNAS_NEWEST_FIRST)
    expect(answer.text).not.toMatch(/secret|filling/)
    expect(JSON.stringify(await practice.audit(answer))).not.toMatch(/secret|filling/)
    expect(answer.phi).toMatchObject({ resolved: 5, denied: 5 })
  })

  it('P5: a treatment is NOT_FOUND under the id of another client', async () => {
    const query = 'query($id: ID!) { treatment(id: $id) { tooth client { familyName } } }'
    const faraway = treatment(7, ELSEWHERE, '')
    for (const named of [faraway, { ...faraway, client: ANNA }]) {
      const answer = await practice.ask('dentist', query, { id: practice.treatmentId(named) })
      expect(answer.data).toEqual({ treatment: null })
      expect(refusals(answer)).toMatchObject([{ code: 'NOT_FOUND' }])
    }
  })

  it('P9: distinguishes absent from denied, and records the edge with its count', async () => {
    const answer = await ask('hygienist', page(1))
    const records = await audited(answer)
    expect(records).toContainEqual({ path: 'Treatment.procedure', outcome: 'ABSENT', rule: 'Treatment#1' })
    expect(records).toContainEqual({ path: 'Client.treatments', outcome: 'DISCLOSED', rule: 'Client#1', view: 'FULL', count: 1 })
  })

  it('C08: the audit names it as the origin of its records, and no origin for those of the own store', async () => {
    const originsOf = async (answer: ClinicAnswer) =>
      (await practice.audit(answer)).map(({ path, origin }) => `${path} ${origin}`).toSorted()
    expect(await originsOf(await ask('hygienist', `familyName ${page(1)}`))).toEqual([
      'Client.familyName undefined',
      // an edge belongs to the record that it leads from
      'Client.treatments undefined',
      'Treatment.note practiceServer',
      'Treatment.procedure practiceServer',
      'Treatment.tooth practiceServer',
    ])
    practice.server.mode = 'down'
    const byId = { id: practice.treatmentId(treatment(1, ANNA, '')) }
    const query = 'query($id: ID!) { treatment(id: $id) { tooth } }'
    expect(await originsOf(await practice.ask('dentist', query, byId))).toEqual(['Treatment.tooth practiceServer'])
  })

  it('P5: a refused id has no origin, whether or not there is a treatment', async () => {
    const query = 'query($id: ID!) { treatment(id: $id) { tooth } }'
    for (const named of [treatment(7, ELSEWHERE, ''), treatment(9, ANNA, '')]) {
      const [record] = await practice.audit(await practice.ask('dentist', query, { id: practice.treatmentId(named) }))
      expect(record).toMatchObject({ path: 'Treatment.tooth', outcome: 'DENIED' })
      expect(record).not.toHaveProperty('origin')
    }
  })

  it.each(['down', 'garbled', 'forgetful'] as const)(
    'P9: with the server %s its fields are unavailable, and others are not',
    async (mode) => {
      practice.server.mode = mode
      const answer = await ask('dentist', `familyName ${page(5)}`)
      expect(answer.status).toBe(200)
      expect(answer.data).toEqual({ client: { familyName: 'Okonkwo', treatments: null } })
      expect(refusals(answer)).toMatchObject([{ code: 'FIELD_UNAVAILABLE', coordinate: 'Client.treatments' }])
      expect(await audited(answer)).toContainEqual(
        expect.objectContaining({
          path: 'Client.treatments',
          outcome: 'UNAVAILABLE',
          reason: mode === 'forgetful' ? 'INTEGRITY' : 'STORE',
        }),
      )
    },
  )

  it('P9: a treatment by its id is unavailable too, and not denied', async () => {
    practice.server.mode = 'down'
    const id = practice.treatmentId(treatment(1, ANNA, ''))
    const answer = await practice.ask('dentist', 'query($id: ID!) { treatment(id: $id) { tooth } }', { id })
    expect(answer.data).toEqual({ treatment: null })
    expect(refusals(answer)).toMatchObject([{ code: 'FIELD_UNAVAILABLE' }])
    expect(practice.events).toContainEqual(expect.objectContaining({ event: 'STORE_UNAVAILABLE' }))
  })
})
