import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TypeName } from '../../../directives/coordinates.ts'
import { decodeNodeId, encodeNodeId } from '../../../gateway/model/node-id.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import {
  at,
  auditOf,
  first,
  LAKESIDE,
  madeUpId,
  nodesAt,
  outcomesOf,
  patientsOf,
  pseudonymOf,
  RIVERSIDE,
  workOf,
} from '../asking.ts'
import { DatabaseHand } from '../store/database-hand.ts'

const MALFORMED = 'Patient/1 or 1=1'

let clinic: RunningClinic
let riverside: readonly string[]
let lakeside: string
let own: string
let deleted: string
let observation: string
let elsewhere: string
/** The pseudonym that the study would give to a patient outside the study. */
let outside: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 4, lakeside: 1 })
  const all = await patientsOf(clinic, 'billing')
  lakeside = first(await patientsOf(clinic, 'lakeside-physician'))
  own = first(await patientsOf(clinic, 'patient'))
  deleted = first(all.filter((id) => id !== own))
  riverside = all.filter((id) => id !== deleted)
  const hand = new DatabaseHand(clinic)
  for (const table of ['RECORDS', 'ACCESS', 'KEYS'] as const) {
    for (const item of await hand.all(deleted, table)) await hand.remove(item, table)
  }
  const query = 'query ($id: ID!) { patient(id: $id) { observations(first: 1) { edges { node { id } } } } }'
  const answer = await clinic.ask('patient', query, { id: own })
  elsewhere = await pseudonymOf(clinic, own, 'ANOTHER')
  outside = await pseudonymOf(clinic, madeUpId())
  observation = String(at(nodesAt(answer.data, 'patient', 'observations')[0], 'id'))
})
afterAll(() => clinic.stop())

const QUERIES = [
  'query ($id: ID!) { patient(id: $id) { id familyName ssn address { city } observations { edges { node { category } } } } }',
  'query ($id: ID!) { patient(id: $id) { id } }',
  'query ($id: ID!) { node(id: $id) { id ... on Patient { familyName birthDate } } }',
  'query ($id: ID!) { a: patient(id: $id) { familyName } b: patient(id: $id) { mrn } n: node(id: $id) { id } }',
]

/** Sent to a process without keys and sessions too. They have every field and both roots; such a process takes long to start. */
const COLD = new Set([QUERIES[0], QUERIES[3]])

interface Stranger {
  readonly user: string
  readonly tenant: typeof RIVERSIDE
  /** Ids that the caller may not know of, by kind. */
  readonly ids: () => Record<string, string>
}

const asPatient = (id: string): string => {
  const ref = decodeNodeId(id)
  if (ref === undefined) throw new Error('no node id')
  return encodeNodeId({ ...ref, type: 'Patient' as TypeName })
}

const STRANGERS: readonly Stranger[] = [
  {
    user: 'lakeside-physician',
    tenant: LAKESIDE,
    ids: () => ({ 'another tenant`s': first(riverside), 'a made-up': madeUpId(), 'a malformed': MALFORMED }),
  },
  {
    user: 'patient',
    tenant: RIVERSIDE,
    ids: () => ({
      'another patient`s': first(riverside.filter((id) => id !== own)),
      'another tenant`s': lakeside,
      'a deleted': deleted,
      'a made-up': madeUpId(),
      'a malformed': MALFORMED,
      // the type is part of an id: the id of an observation with another type names nothing
      'an altered': asPatient(observation),
    }),
  },
  {
    user: 'researcher',
    tenant: RIVERSIDE,
    ids: () => ({
      // a researcher may not use real ids, not even of patients of the study
      'a subject`s own': own,
      'another study`s': elsewhere,
      'a stranger`s': outside,
      'another tenant`s': lakeside,
      'a made-up': madeUpId(),
      'a malformed': MALFORMED,
    }),
  },
  {
    user: 'proxy',
    tenant: RIVERSIDE,
    ids: () => ({
      'an unrelated patient`s': own,
      'another tenant`s': lakeside,
      'a deleted': deleted,
      'a made-up': madeUpId(),
      'a malformed': MALFORMED,
    }),
  },
]

/** The requests of a process that has nothing in memory. Its answer has the same bytes. */
async function coldWorkOf(user: string, query: string, id: string, warm: ClinicAnswer): Promise<unknown> {
  const another = await clinic.another()
  const { result, requests } = await workOf(another, () => another.ask(user, query, { id }))
  expect(bytesOf(result)).toBe(bytesOf(warm))
  return requests
}

describe.each(STRANGERS)('P5: for $user', ({ user, tenant, ids }) => {
  it.each(QUERIES)('every unresolvable id yields the same bytes and the same work: %s', async (query) => {
    const seen: [what: string, found: { status: number; body: string; [other: string]: unknown }][] = []
    await clinic.ask(user, query, { id: madeUpId() })
    for (const [what, id] of Object.entries(ids())) {
      const { result, requests: warm } = await workOf(clinic, () => clinic.ask(user, query, { id }))
      const cold = COLD.has(query) ? await coldWorkOf(user, query, id, result) : undefined
      const { status, headers } = result
      expect(result.text).not.toContain(id)
      const entries = await auditOf(clinic, result, tenant)
      const audit = outcomesOf(entries).map((outcome) => outcome.replace(/ (?:NOT_FOUND|RELATIONSHIP)$/, ''))
      seen.push([what, { status, headers, body: bytesOf(result), audit, warm, cold }])
    }
    const [, expected] = first(seen)
    expect(expected.status).toBe(200)
    expect(expected.body).toContain('NOT_FOUND')
    for (const [what, found] of seen) expect(found, what).toEqual(expected)
  })
})

describe('P5: the content of a record does not reveal that the record exists', () => {
  it.each(['patient', 'proxy'])('for a %s nothing of an unrelated patient is read', async (user) => {
    const stranger = first(riverside.filter((id) => id !== own))
    const tables = [vi.spyOn(clinic.services.records, 'loadWithRoots'), vi.spyOn(clinic.services.keys, 'load')]
    const query =
      'query ($id: ID!) { patient(id: $id) { familyName } explainAccess(query: "{ viewer { tenant } }", patientId: $id) { policy } }'
    const answer = await clinic.ask(user, query, { id: stranger })
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['NOT_FOUND', 'NOT_FOUND'])
    const asked = JSON.stringify(tables.flatMap((table) => table.mock.calls.map((wanted) => wanted.slice(0, 4))))
    expect(asked).toContain('Patient')
    expect(asked).not.toContain(decodeNodeId(stranger)?.patient)
    for (const table of tables) table.mockRestore()
  })
})

describe('P5: the audit names what the answer hides', () => {
  const query = 'query ($id: ID!) { patient(id: $id) { familyName } }'

  it('an id without a record has the same keyed hash each time; a patient of the tenant has the own id', async () => {
    const id = madeUpId()
    const [one, two] = [await clinic.ask('researcher', query, { id }), await clinic.ask('researcher', query, { id })]
    const [[first], [second]] = [await auditOf(clinic, one), await auditOf(clinic, two)]
    expect(first?.patient).toBe(second?.patient)
    expect(first?.reason).toBe('NOT_FOUND')
    expect(JSON.stringify(first)).not.toContain(decodeNodeId(id)?.patient)

    const other = riverside.find((candidate) => candidate !== own) ?? ''
    const [entry] = await auditOf(clinic, await clinic.ask('patient', query, { id: other }))
    expect(entry).toMatchObject({ patient: decodeNodeId(other)?.patient, outcome: 'DENIED', reason: 'RELATIONSHIP' })
  })

  it("the log of the caller's tenant contains nothing of another tenant's patient", async () => {
    const answer = await clinic.ask('lakeside-physician', query, { id: own })
    const entries = await auditOf(clinic, answer, LAKESIDE)
    expect(entries).toHaveLength(1)
    expect(JSON.stringify(entries)).not.toContain(decodeNodeId(own)?.patient)
    expect(await auditOf(clinic, answer, RIVERSIDE)).toEqual([])
  })

  it('clinicians and staff learn that a patient of their tenant exists, and nothing else of an unrelated one', async () => {
    const answer = await clinic.ask('frontdesk', 'query ($id: ID!) { patient(id: $id) { id ssn } }', { id: own })
    expect(answer.data).toEqual({ patient: { id: own, ssn: null } })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', coordinate: 'Patient.ssn' } }])
  })
})
