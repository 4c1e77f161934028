import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { importResources } from '../../harness/imported.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, first, madeUpId, nodesAt, patientsOf, RIVERSIDE } from '../asking.ts'

let clinic: RunningClinic
let store: SealedStore
let admissions: Admissions

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  admissions = new Admissions(store)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

/** The values of the observations that a filter finds, newest first. */
async function found(id: string, filter: string): Promise<unknown[]> {
  const query = `query ($id: ID!) { patient(id: $id) { observations(${filter}) { edges { node { valueString } } } } }`
  const answer = await clinic.ask('physician', query, { id })
  expect(answer.errors).toEqual([])
  return nodesAt(answer.data, 'patient', 'observations').map((node) => at(node, 'valueString'))
}

/** The refusal of a request. `audited` is the number of its audit records. */
const refusalOf = async (answer: ClinicAnswer) => ({
  status: answer.status,
  codes: answer.errors.map(({ extensions }) => extensions['code']),
  data: answer.data,
  audited: (await auditOf(clinic, answer)).length,
})
const REFUSED = { status: 400, codes: ['BAD_USER_INPUT'], data: undefined, audited: 0 }

describe('a filter compares every category and every code of a record', () => {
  it('finds a record by each of its categories, and by each of its codes', async () => {
    const survey = {
      date: '2024-05-02T08:00:00.000Z',
      codes: ['93030-5', 'TR-1'],
      categories: ['social-history', 'survey', 'sdoh'],
    }
    const laboratory = { date: '2024-05-01T08:00:00.000Z', codes: ['4548-4'], categories: ['laboratory', 'CH'] }
    const id = await admissions.write(
      'categorized',
      [
        admissions.record('categorized', 'Patient', '', { familyName: 'Sorted' }),
        admissions.record('categorized', 'Observation', 'survey', { valueString: 'survey' }, survey),
        admissions.record('categorized', 'Observation', 'laboratory', { valueString: 'laboratory' }, laboratory),
        admissions.record('categorized', 'Observation', 'bare', { valueString: 'bare' }, { date: '2024-04-01T00:00:00.000Z' }),
      ],
      ['physician'],
    )
    for (const category of survey.categories) expect(await found(id, `category: "${category}"`), category).toEqual(['survey'])
    for (const category of laboratory.categories)
      expect(await found(id, `category: "${category}"`), category).toEqual(['laboratory'])
    for (const code of survey.codes) expect(await found(id, `code: "${code}"`), code).toEqual(['survey'])
    expect(await found(id, 'category: "survey", code: "4548-4"')).toEqual([])
    expect(await found(id, 'category: ""')).toEqual([])
    expect(await found(id, 'category: null')).toEqual(['survey', 'laboratory', 'bare'])
  })
})

const DATED = {
  year: '2020',
  month: '2020-06',
  day: '2020-06-15',
  noon: '2020-06-15T12:00:00Z',
  next: '2020-06-16',
  late: '2020-12-31T23:59:59.900Z',
  later: '2021-01-01',
} as const

describe('a time span includes all of its ends', () => {
  let id: string
  beforeAll(async () => {
    const subject = { reference: 'Patient/dated' }
    const { idOf } = await importResources(clinic, [
      { resourceType: 'Patient', id: 'dated', name: [{ family: 'Dated' }] },
      ...[...Object.entries(DATED), ['undated', undefined] as const].map(([name, effectiveDateTime]) => ({
        resourceType: 'Observation',
        id: name,
        subject,
        status: 'final',
        code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
        valueString: name,
        effectiveDateTime,
      })),
    ])
    id = idOf('Patient', 'dated', 'dated')
    await admissions.change(admissions.membership('dated', 'CARE_TEAM', 'Practitioner/physician'))
  })

  it.each<readonly [string, readonly (keyof typeof DATED)[]]>([
    ['since: "2020-06-15", until: "2020-06-15"', ['noon', 'day', 'month', 'year']],
    ['since: "2020-06-16", until: "2020-06-16"', ['next', 'month', 'year']],
    ['since: "2020-06", until: "2020-06"', ['next', 'noon', 'day', 'month', 'year']],
    ['since: "2020-07", until: "2020-07"', ['year']],
    ['until: "2020"', ['late', 'next', 'noon', 'day', 'month', 'year']],
    ['since: "2020", until: "2020"', ['late', 'next', 'noon', 'day', 'month', 'year']],
    ['since: "2020-12-31"', ['later', 'late', 'year']],
    ['since: "2021", until: "2021"', ['later']],
    ['until: "2019"', []],
    ['since: "2020-06-15T12:00:00Z", until: "2020-06-15T12:00:00Z"', ['noon', 'day', 'month', 'year']],
    ['since: "2020-06-15T12:00:01Z", until: "2020-06-15T12:00:02Z"', ['day', 'month', 'year']],
    ['since: "2020-06-15T14:00:00+02:00", until: "2020-06-15T14:00:00+02:00"', ['noon', 'day', 'month', 'year']],
    ['since: "2020-12-31T23:59:59Z", until: "2020-12-31T23:59:59Z"', ['late', 'year']],
  ])('%s', async (filter, names) => {
    expect(await found(id, `first: 50, ${filter}`)).toEqual(names)
  })

  it('has the record without a date only if there is no time span', async () => {
    expect(await found(id, 'first: 50, since: null, until: null')).toEqual([...Object.keys(DATED).toReversed(), 'undated'])
  })
})

describe('a wrong date is refused before anything is read', () => {
  const WRONG = ['2020-02-30', '2020-13-01', '01.02.2020', '', '2020-6-1', ' 2020-06-01', '2020-06-01 ']
  const ROOTS = {
    patientsByIdentifier: (date: string): string =>
      `patientsByIdentifier(mrn: "M-1", birthDate: ${date}) { edges { node { id } } }`,
    patientByNameAndBirthDate: (date: string): string =>
      `patientByNameAndBirthDate(familyName: "Dated", birthDate: ${date}) { edges { node { id } } }`,
  }

  it.each(Object.entries(ROOTS))('%s', async (_name, root) => {
    for (const date of [...WRONG, '2020-06-15T12:00:00Z']) {
      for (const answer of [
        await clinic.ask('frontdesk', `{ ${root(JSON.stringify(date))} }`),
        await clinic.ask('frontdesk', `query ($date: PartialDate!) { ${root('$date')} }`, { date }),
      ])
        expect(await refusalOf(answer), date).toEqual(REFUSED)
    }
    expect((await clinic.ask('frontdesk', `{ ${root('"1980-02-03"')} }`)).errors).toEqual([])
  })

  it.each(['encounters', 'conditions', 'observations', 'medicationRequests', 'procedures', 'documentReferences', 'claims'])(
    '`since` and `until` of %s, of a patient that the caller knows or not',
    async (list) => {
      for (const id of [first(await patientsOf(clinic, 'physician')), madeUpId()]) {
        for (const [argument, date] of [['since', '2020-02-30'] as const, ['until', '2020-13'] as const]) {
          const edge = (value: string): string =>
            `patient(id: "${id}") { ${list}(${argument}: ${value}) { edges { node { id } } } }`
          for (const answer of [
            await clinic.ask('physician', `{ ${edge(JSON.stringify(date))} }`),
            await clinic.ask('physician', `query ($date: DateTime) { ${edge('$date')} }`, { date }),
          ])
            expect(await refusalOf(answer), date).toEqual(REFUSED)
        }
      }
    },
  )
})
