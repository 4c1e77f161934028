import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'

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
