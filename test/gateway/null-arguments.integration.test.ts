import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesOf, type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { at, first, nodesAt, patientsOf } from './asking.ts'

// Generated clients send null for each variable that is not set.

let clinic: RunningClinic
let id: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 25, lakeside: 1 })
  id = first(await patientsOf(clinic, 'nurse'))
})
afterAll(() => clinic.stop())

const PAGE = '{ edges { node { id } } pageInfo { hasNextPage } }'
const PATIENT_EDGES = {
  encounters: ['since: DateTime', 'until: DateTime'],
  conditions: ['since: DateTime', 'until: DateTime', 'code: String'],
  observations: ['since: DateTime', 'until: DateTime', 'code: String', 'category: String'],
  medicationRequests: ['since: DateTime', 'until: DateTime'],
  allergyIntolerances: [],
  immunizations: [],
  procedures: ['since: DateTime', 'until: DateTime'],
  documentReferences: ['since: DateTime', 'until: DateTime'],
  careTeam: [],
} as const

/** A field with each of its optional arguments as a variable, and the same field without them. */
function bothWays(name: string, optional: readonly string[], required = ''): { declared: string; given: string; left: string } {
  const paging = ['first: Int', 'after: String', ...optional]
  const names = paging.map((argument) => argument.split(':', 1)[0] ?? '')
  return {
    declared: paging.map((argument) => `$${argument}`).join(' '),
    given: `${name}(${required} ${names.map((argument) => `${argument}: $${argument}`).join(' ')}) ${PAGE}`,
    left: `${name}${required === '' ? '' : `(${required})`} ${PAGE}`,
  }
}

const nullFor = (declared: string): Record<string, null> =>
  Object.fromEntries([...declared.matchAll(/\$(\w+)/g)].map(([, name = '']) => [name, null] as const))

async function isTheSame(user: string, [given, left]: readonly [string, string], nulls: Record<string, null>): Promise<void> {
  const [withNulls, without] = [await clinic.ask(user, given, nulls), await clinic.ask(user, left)]
  expect(withNulls.errors).toEqual([])
  expect(bytesOf(withNulls)).toBe(bytesOf(without))
}

describe('an argument with a default that is null is the default', () => {
  it('at the first page of the panel, and at the next one', async () => {
    const { declared, given, left } = bothWays('patients', [])
    await isTheSame('billing', [`query (${declared}) { ${given} }`, `{ ${left} }`], nullFor(declared))
    const answer = await clinic.ask(
      'billing',
      `query (${declared}) { patients(first: $first, after: $after) { edges { cursor } } }`,
      {
        first: null,
        after: null,
      },
    )
    expect(at(answer.data, 'patients', 'edges')).toHaveLength(20)
    const after = at(answer.data, 'patients', 'edges', 19, 'cursor')
    const next = await clinic.ask('billing', `query (${declared}) { ${given} }`, { first: null, after })
    expect(nodesAt(next.data, 'patients')).toHaveLength(5)
  })

  it('as a literal, and as the default of a variable', async () => {
    await isTheSame('nurse', [`{ patients(first: null, after: null) ${PAGE} }`, `{ patients ${PAGE} }`], {})
    await isTheSame('nurse', [`query ($first: Int = null) { patients(first: $first) ${PAGE} }`, `{ patients ${PAGE} }`], {})
  })

  it.each(Object.entries(PATIENT_EDGES))('at %s of a patient', async (name, optional) => {
    const { declared, given, left } = bothWays(name, optional)
    const patient = (selection: string): string => `patient(id: "${id}") { ${selection} }`
    await isTheSame('nurse', [`query (${declared}) { ${patient(given)} }`, `{ ${patient(left)} }`], nullFor(declared))
  })

  it.each(['coverages', 'claims'])('at %s of a patient, for billing', async (name) => {
    const { declared, given, left } = bothWays(name, [])
    const patient = (selection: string): string => `patient(id: "${id}") { ${selection} }`
    await isTheSame('billing', [`query (${declared}) { ${patient(given)} }`, `{ ${patient(left)} }`], nullFor(declared))
  })

  it('at a search', async () => {
    const found = await clinic.ask('nurse', `{ patient(id: "${id}") { mrn familyName birthDate } }`)
    const { mrn, familyName, birthDate } = at(found.data, 'patient') as Record<string, string>
    const identifiers = bothWays('patientsByIdentifier', ['ssn: String', 'phone: String', 'memberId: String'], `mrn: "${mrn}"`)
    const person = bothWays('patientByNameAndBirthDate', [], `familyName: "${familyName}", birthDate: "${birthDate}"`)
    for (const { declared, given, left } of [identifiers, person]) {
      await isTheSame('nurse', [`query (${declared}) { ${given} }`, `{ ${left} }`], nullFor(declared))
    }
  })

  it('at the review queue', async () => {
    const { declared, given, left } = bothWays('breakGlassGrants', ['reviewed: Boolean'])
    await isTheSame('privacy', [`query (${declared}) { ${given} }`, `{ ${left} }`], nullFor(declared))
  })

  it('at a break-glass grant', async () => {
    const query = `mutation ($minutes: Int) { breakGlass(patientId: "${id}", reason: "a test", minutes: $minutes) { since until } }`
    const { data, errors } = await clinic.ask('physician', query, { minutes: null })
    expect(errors).toEqual([])
    const { since, until } = at(data, 'breakGlass') as Record<string, string>
    expect(Date.parse(until ?? '') - Date.parse(since ?? '')).toBe(60 * 60_000)
  })

  it('and costs as much: a page of the default size', async () => {
    const { ask } = await clinic.another({ env: { PHI_LIMITS: '{"operation": {"CLINICIAN": 40}}' } })
    const query = 'query ($first: Int) { patients(first: $first) { edges { node { familyName } } } }'
    expect((await ask('nurse', query, { first: null })).status).toBe(200)
    expect((await ask('nurse', query, { first: 41 })).errors[0]?.extensions['code']).toBe('OPERATION_TOO_COSTLY')
  })
})

describe('P11: a null for an argument that reads a field filters nothing', () => {
  it('and costs no right to read the field', async () => {
    const query = `query ($code: String) { patient(id: "${id}") { conditions(code: $code) ${PAGE} } }`
    const { errors, phi } = await clinic.ask('nurse', query, { code: null })
    expect([errors, phi.denied]).toEqual([[], 0])
  })
})
