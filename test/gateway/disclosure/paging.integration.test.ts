import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchToken } from '../../../infra/local/token.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, nodesAt, patientsOf } from '../asking.ts'

const ON_PANEL = 20

let clinic: RunningClinic
let one: string
let two: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL + 2, lakeside: 2 })
  // the nurse's patients are on the physician's panel too
  ;[one = '', two = ''] = await patientsOf(clinic, 'nurse')
})
afterAll(() => clinic.stop())

const OBSERVATIONS = `query ($id: ID!, $first: Int = 3, $after: String) {
  patient(id: $id) { observations(first: $first, after: $after) {
    edges { cursor node { id effectiveDateTime } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    mayBeIncomplete
  } }
}`
const PATIENTS = `query ($first: Int = 3, $after: String) {
  patients(first: $first, after: $after) {
    edges { cursor node { id } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    mayBeIncomplete
  }
}`

/** Reads every page of a list. */
async function pagesOf(user: string, query: string, place: readonly string[], variables = {}): Promise<unknown[][]> {
  const pages: unknown[][] = []
  for (let after: unknown = null; ; ) {
    const answer = await clinic.ask(user, query, { ...variables, after })
    expect(answer.errors).toEqual([])
    const info = at(answer.data, ...place, 'pageInfo')
    const cursors = (at(answer.data, ...place, 'edges') as readonly unknown[]).map((edge) => at(edge, 'cursor'))
    expect(info).toMatchObject({
      hasPreviousPage: after !== null,
      startCursor: cursors[0] ?? null,
      endCursor: cursors.at(-1) ?? null,
    })
    // a label can close a record of a patient, but not a patient
    expect(at(answer.data, ...place, 'mayBeIncomplete')).toBe(place.length > 1)
    pages.push(nodesAt(answer.data, ...place))
    if (at(info, 'hasNextPage') !== true) return pages
    expect(pages.length).toBeLessThan(100)
    after = at(info, 'endCursor')
  }
}

describe('P12: a list is complete, page by page', () => {
  it('observations come newest first, without a gap or a repeat', async () => {
    const whole = nodesAt((await clinic.ask('physician', OBSERVATIONS, { id: one, first: 100 })).data, 'patient', 'observations')
    const pages = await pagesOf('physician', OBSERVATIONS, ['patient', 'observations'], { id: one })
    expect(pages.map((page) => page.length)).toEqual([3, 3, 3, 3])
    expect(pages.flat()).toEqual(whole)
    const times = whole.map((node) => String(at(node, 'effectiveDateTime')))
    expect(times).toEqual(times.toSorted().toReversed())
    expect(new Set(whole.map((node) => at(node, 'id'))).size).toBe(12)
  })

  it.each([
    ['physician', ON_PANEL],
    ['nurse', 10],
    ['billing', ON_PANEL + 2],
    ['researcher', 12],
    ['frontdesk', ON_PANEL + 2],
    ['patient', 1],
    ['proxy', 0],
    ['lakeside-physician', 2],
  ])('the pages of %s hold every patient once, %i in total', async (user, count) => {
    const pages = await pagesOf(user, PATIENTS, ['patients'])
    const ids = pages.flat().map((node) => String(at(node, 'id')))
    expect(ids).toHaveLength(count)
    expect(new Set(ids).size).toBe(count)
    expect(ids).toEqual(await patientsOf(clinic, user))
    // every relationship sorts by the same order, so that the lists of several can be merged into pages
    if (user !== 'researcher') expect(ids).toEqual(ids.toSorted())
    expect(pages.slice(0, -1).every((page) => page.length === 3)).toBe(true)
  })

  it('an exact last page has no next page', async () => {
    const answer = await clinic.ask('physician', OBSERVATIONS, { id: one, first: 12 })
    expect(at(answer.data, 'patient', 'observations', 'pageInfo', 'hasNextPage')).toBe(false)
  })

  it('a record on two pages of one request counts once for each value, and once for the edge', async () => {
    const { data } = await clinic.ask('physician', OBSERVATIONS, { id: one })
    const after = at(data, 'patient', 'observations', 'edges', 0, 'cursor')
    const query = `query ($id: ID!, $after: String) { patient(id: $id) {
      a: observations(first: 3) { edges { node { category } } }
      b: observations(first: 3, after: $after) { edges { node { category } } }
    } }`
    const answer = await clinic.ask('physician', query, { id: one, after })
    expect(answer.phi.resolved).toBe(4)
    const entries = await auditOf(clinic, answer)
    expect(entries.filter(({ path }) => path === 'Patient.observations').map(({ count }) => count)).toEqual([4])
  })
})

describe('P8: a cursor is valid only for the list that it was made for', () => {
  const refused = (answer: ClinicAnswer, cursor: unknown): void => {
    expect(answer.status).toBe(400)
    expect(answer.data).toBeUndefined()
    expect(answer.errors).toEqual([{ message: 'An argument or a variable is not valid.', extensions: { code: 'BAD_USER_INPUT' } }])
    expect(answer.text).not.toContain(String(cursor))
  }
  const cursorOf = async (user: string, query: string, place: readonly string[], variables = {}): Promise<unknown> =>
    at((await clinic.ask(user, query, variables)).data, ...place, 'pageInfo', 'endCursor')

  it('not for another user, patient, field, purpose or tenant', async () => {
    const after = await cursorOf('physician', OBSERVATIONS, ['patient', 'observations'], { id: one })
    expect(after).toEqual(expect.any(String))
    refused(await clinic.ask('nurse', OBSERVATIONS, { id: one, after }), after)
    refused(await clinic.ask('physician', OBSERVATIONS, { id: two, after }), after)
    refused(await clinic.ask('physician', PATIENTS, { after }), after)
    refused(await clinic.ask('physician', OBSERVATIONS, { id: one, after }, { 'x-purpose-of-use': 'ETREAT' }), after)
    const team = 'query ($id: ID!, $after: String) { patient(id: $id) { careTeam(after: $after) { edges { cursor } } } }'
    refused(await clinic.ask('physician', team, { id: one, after }), after)
    const foreign = await cursorOf('lakeside-physician', PATIENTS, ['patients'], { first: 1 })
    refused(await clinic.ask('physician', PATIENTS, { after: foreign }), foreign)
  })

  it('a purpose from the token counts like one from the header', async () => {
    const token = await fetchToken(clinic.stack, 'physician', 'ETREAT')
    const ask = (headers?: Record<string, string>): Promise<ClinicAnswer> => clinic.ask('physician', PATIENTS, {}, headers)
    const after = at((await ask({ authorization: `Bearer ${token}` })).data, 'patients', 'pageInfo', 'endCursor')
    refused(await clinic.ask('physician', PATIENTS, { after }), after)
    const answer = await clinic.ask('physician', PATIENTS, { after }, { 'x-purpose-of-use': 'ETREAT' })
    expect(answer.status).toBe(200)
  })

  it('an invalid cursor is refused, and the answer quotes no part of it', async () => {
    const good = String(await cursorOf('physician', PATIENTS, ['patients']))
    const altered = `${good.slice(0, -2)}${good.endsWith('AA') ? 'BB' : 'AA'}`
    for (const after of ['canary-of-a-cursor', '', altered, `${good} `, `${good}=`, good.slice(4), 'A'.repeat(5_000)]) {
      const answer = await clinic.ask('physician', PATIENTS, { after })
      expect(answer.status, after.slice(0, 20)).toBe(400)
      if (after !== '') refused(answer, after)
    }
  })

  it.each([0, -1, 101, 100_000])('P8: first: %i is refused', async (size) => {
    refused(await clinic.ask('physician', PATIENTS, { first: size }), 'patients')
    refused(await clinic.ask('physician', OBSERVATIONS, { id: one, first: size }), 'observations')
    // a variable and a literal are treated alike
    refused(await clinic.ask('physician', `{ patients(first: ${size}) { edges { cursor } } }`), 'patients')
  })

  it('a refused request discloses nothing, not even values found before the fault', async () => {
    const query = 'query ($id: ID!) { patient(id: $id) { familyName observations(first: 0) { edges { cursor } } } }'
    const name = at(
      (await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: one })).data,
      'patient',
    )
    const answer = await clinic.ask('physician', query, { id: one })
    refused(answer, at(name, 'familyName'))
    expect(first(answer.errors).path).toBeUndefined()
  })
})
