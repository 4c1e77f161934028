import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { SearchTable } from '../../../gateway/store/search.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { auditOf, first, madeUpId, nodesAt, outcomesOf, patientsOf } from '../asking.ts'
import { BREAK } from '../mutations/break-glass-ward.ts'

let clinic: RunningClinic
let id: string
let stranger: string
const ROOT = 'Query.patientsByIdentifier'
const BY_SSN = `query ($ssn: String!, $birthDate: PartialDate) {
  found: patientsByIdentifier(ssn: $ssn, birthDate: $birthDate) { edges { node { id } } } }`
const NAME = 'query ($id: ID!) { patient(id: $id) { familyName givenName ssn } }'
const GUESS = { ssn: '999-99-0000', birthDate: '1980-02-03' }

beforeAll(async () => {
  clinic = await runClinic({ riverside: 30, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
  const theirs = new Set(await patientsOf(clinic, 'physician'))
  stranger = first((await patientsOf(clinic, 'frontdesk')).filter((one) => !theirs.has(one)))
})
afterAll(async () => {
  await clinic.stop()
})

const within = (limits: Record<string, Record<string, number>>) => clinic.another({ env: { PHI_LIMITS: JSON.stringify(limits) } })
const refusalOf = ({ status, data, errors }: ClinicAnswer) => [status, data, errors.map(({ extensions }) => extensions)]
const refusedBy = (budget: string) => [429, undefined, [{ code: 'PHI_BUDGET_EXCEEDED', budget }]]

describe('P11: a guess has a price', () => {
  it('each searched value is charged to the hour of the user, before anything is looked up, and whether or not it finds a patient', async () => {
    const hits = vi.spyOn(SearchTable.prototype, 'hits')
    const { ask, events } = await within({ searches: { STAFF: 5 } })
    for (const ssn of ['999-99-0001', '999-99-0002']) {
      expect(nodesAt((await ask('frontdesk', BY_SSN, { ...GUESS, ssn })).data, 'found')).toEqual([])
    }
    hits.mockClear()
    const beyond = await ask('frontdesk', BY_SSN, GUESS)
    expect(refusalOf(beyond)).toEqual(refusedBy('SEARCHES'))
    expect(hits).not.toHaveBeenCalled()
    hits.mockRestore()
    expect(outcomesOf(await auditOf(clinic, beyond))).toEqual([`${ROOT} DENIED BUDGET`])
    expect(events).toContainEqual({ event: 'BUDGET_EXCEEDED', tenant: 'riverside', budget: 'SEARCHES', count: 1 })
    // the values of an hour, and the searches of another user, are unaffected
    expect((await ask('frontdesk', NAME, { id })).status).toBe(200)
    const other = await ask('billing', '{ found: patientsByIdentifier(mrn: "none") { edges { node { id } } } }')
    expect(other.status).toBe(200)
  })

  it('an alias of a search is free, and another value is not', async () => {
    const { ask } = await within({ searches: { STAFF: 3 } })
    const search = (name: string, mrn: string) => `${name}: patientsByIdentifier(mrn: "${mrn}") { edges { node { id } } }`
    expect((await ask('billing', `{ ${search('a', '1')} ${search('b', '1')} ${search('c', ' 1 ')} }`)).status).toBe(200)
    const many = await ask('billing', `{ ${search('a', '2')} ${search('b', '3')} ${search('c', '4')} }`)
    expect(refusalOf(many)).toEqual(refusedBy('SEARCHES'))
  })

  it('without the table, only an emergency searches', async () => {
    const { ask } = await clinic.another({ env: { PHI_TABLE_BUDGETS: 'gone' } })
    const query = '{ found: patientsByIdentifier(mrn: "none") { edges { node { id } } } }'
    const codes = async (user: string, purpose: string) =>
      (await ask(user, query, {}, { 'x-purpose-of-use': purpose })).errors.map(({ extensions }) => extensions['code'])
    expect(await codes('physician', 'ETREAT')).toEqual([])
    expect(await codes('physician', 'TREAT')).toEqual(['FIELD_UNAVAILABLE'])
    expect(await codes('frontdesk', 'HOPERAT')).toEqual(['FIELD_UNAVAILABLE'])
  })
})

describe('refusals have a limit', () => {
  it('ids that are not found: the next request is refused before anything is loaded, and one record a minute has the number', async () => {
    const { ask, services, events } = await within({ unknownIds: { CLINICIAN: 3 } })
    for (let guess = 0; guess < 3; guess++) expect((await ask('nurse', NAME, { id: madeUpId() })).status).toBe(200)
    const before = services.records.counter.requests
    const [stopped, again] = [await ask('nurse', NAME, { id }), await ask('nurse', NAME, { id })]
    for (const answer of [stopped, again]) expect(refusalOf(answer)).toEqual(refusedBy('REFUSALS'))
    expect(services.records.counter.requests).toBe(before)
    const record = { path: 'Query.patient', outcome: 'DENIED', reason: 'BUDGET', count: 1 }
    expect(await auditOf(clinic, stopped)).toEqual([expect.objectContaining(record)])
    expect(await auditOf(clinic, again)).toEqual([])
    const exceeded = events.filter(({ event }) => event === 'BUDGET_EXCEEDED')
    expect(exceeded).toEqual([{ event: 'BUDGET_EXCEEDED', tenant: 'riverside', budget: 'REFUSALS', count: 1 }])
  })

  it('denied values: several applications of a user share them over all processes', async () => {
    const limits = { refusedValues: { OVERSIGHT: 2 } }
    const [one, two] = [await within(limits), await within(limits)]
    for (const { ask } of [one, two]) expect((await ask('auditor', NAME, { id })).phi.denied).toBe(1)
    // the second process learned the sum with its own refusals
    expect(refusalOf(await two.ask('auditor', NAME, { id }))).toEqual(refusedBy('REFUSALS'))
  })

  it('ETREAT, BTG and breakGlass are never refused', async () => {
    const { ask } = await within({ unknownIds: { CLINICIAN: 1 } })
    await ask('physician', NAME, { id: madeUpId() })
    expect((await ask('physician', NAME, { id })).status).toBe(429)
    expect((await ask('physician', NAME, { id }, { 'x-purpose-of-use': 'ETREAT' })).status).toBe(200)
    expect((await ask('physician', NAME, { id }, { 'x-purpose-of-use': 'BTG' })).status).toBe(200)
    const granted = await ask('physician', BREAK, { id: stranger }, { 'x-purpose-of-use': 'BTG' })
    expect([granted.status, granted.errors]).toEqual([200, []])
  })

  it('P5: for a patient, an unrelated patient and a made-up id count the same', async () => {
    const { ask } = await within({ unknownIds: { PATIENT: 2 } })
    const statuses = async (user: string, next: () => string): Promise<number[]> => {
      const given: number[] = []
      // a repeated id counts in each request
      for (let guess = 0; guess < 4; guess++) given.push((await ask(user, NAME, { id: next() })).status)
      return given
    }
    expect(await statuses('patient', () => stranger)).toEqual([200, 200, 429, 429])
    expect(await statuses('proxy', madeUpId)).toEqual([200, 200, 429, 429])
  })
})
