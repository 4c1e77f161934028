import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { RecordTable } from '../../../gateway/store/records.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, nodesAt, outcomesOf, patientsOf } from '../asking.ts'

let clinic: RunningClinic
let id: string
/** A patient of the tenant outside the physician's panel. */
let stranger: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 21, lakeside: 1 })
  const panel = await patientsOf(clinic, 'physician')
  id = first(panel)
  stranger = first((await patientsOf(clinic, 'billing')).filter((patient) => !panel.includes(patient)))
})
afterAll(() => clinic.stop())

/** Every opening of a field in this process, by any caller. The crypto module itself is spied on. */
const openings = vi.spyOn(SealedRecord.prototype, 'openField')
beforeEach(() => {
  openings.mockClear()
})

const GIVEN = new Set(['DISCLOSED', 'MASKED'])
/** The disclosed values by the audit, each as record and path. Edges have a count. */
const valuesGiven = (entries: readonly AuditEntry[]): string[] =>
  entries
    .filter(({ outcome, view, count }) => GIVEN.has(outcome) && view !== undefined && count === undefined)
    .map(({ recordId, path }) => `${recordId ?? ''} ${path}`)

interface Case {
  readonly what: string
  readonly user: string
  readonly query: string
  readonly opened: number
}

const CASES: readonly Case[] = [
  {
    what: 'under aliases, by another root and through an interface',
    user: 'physician',
    query: `query ($id: ID!) {
      a: patient(id: $id) { x: familyName y: familyName }
      b: patient(id: $id) { familyName givenName }
      n: node(id: $id) { id ... on Patient { familyName z: birthDate } }
    }`,
    opened: 3,
  },
  {
    what: 'through fragments, with @skip and @include by variables',
    user: 'physician',
    query: `query ($id: ID!, $yes: Boolean = true, $no: Boolean = false) {
      patient(id: $id) {
        ...Named
        familyName @skip(if: $yes)
        phone @include(if: $no)
        email @include(if: $yes)
        ... @skip(if: $yes) { language }
        ...Named @include(if: $no)
      }
    }
    fragment Named on Patient { mrn ... on Node { ... on Patient { gender } } }`,
    opened: 3,
  },
  {
    what: 'over edges and back',
    user: 'physician',
    query: `query ($id: ID!) {
      patient(id: $id) {
        familyName
        observations(first: 5) { edges { node { category patient { familyName birthDate
          observations(first: 5) { edges { node { again: category } } } } } } }
      }
    }`,
    opened: 7,
  },
  {
    what: 'in embedded objects, part by part, and in composites as one value',
    user: 'physician',
    query: `query ($id: ID!) {
      patient(id: $id) { address { city postalCode } maritalStatus { text coding { code } } }
      again: patient(id: $id) { address { line city } }
    }`,
    opened: 4,
  },
  {
    what: 'of a whole panel',
    user: 'billing',
    query: '{ patients(first: 4) { edges { node { familyName ssn birthDate } } } }',
    opened: 12,
  },
  {
    what: 'never where it is denied or absent',
    user: 'physician',
    query: 'query ($id: ID!) { patient(id: $id) { ssn deceasedDate familyName } }',
    opened: 1,
  },
  {
    what: 'never where the relationship is missing, though the value was loaded for the decision',
    user: 'physician',
    query: 'query ($stranger: ID!) { patient(id: $stranger) { familyName gender address { city } } }',
    opened: 0,
  },
  {
    what: 'never where role and purpose close it for every record',
    user: 'researcher',
    query: '{ patients(first: 4) { edges { node { familyName phone mrn } } } }',
    opened: 0,
  },
]

describe('P1: a value is opened once a request, and only if it is granted', () => {
  it.each(CASES)('$what', async ({ user, query, opened }) => {
    const answer = await clinic.ask(user, query, { id, stranger })
    expect(answer.status).toBe(200)
    expect(openings).toHaveBeenCalledTimes(opened)
    expect(answer.phi.resolved).toBe(opened)
    const given = valuesGiven(await auditOf(clinic, answer))
    expect(given).toHaveLength(opened)
    expect(new Set(given).size).toBe(opened)
  })

  it('an operation without PHI opens nothing', async () => {
    const query = 'query ($id: ID!) { viewer { tenant } patient(id: $id) { id version } node(id: $id) { __typename id } }'
    const answer = await clinic.ask('physician', query, { id })
    expect(at(answer.data, 'patient', 'id')).toBe(id)
    expect(openings).not.toHaveBeenCalled()
    expect(answer.phi.resolved).toBe(0)
  })

  it('a record that is requested again while it loads is loaded, opened and recorded once', async () => {
    const load = clinic.services.records.loadWithRoots.bind(clinic.services.records)
    vi.spyOn(RecordTable.prototype, 'loadWithRoots').mockImplementationOnce(async (...args) => {
      // long enough for the panel to be known, so that the panel requests this record while it loads
      await sleep(150)
      return await load(...args)
    })
    const query = `query ($id: ID!) {
      patient(id: $id) { familyName }
      patients(first: 4) { edges { node { familyName gender } } }
    }`
    const answer = await clinic.ask('physician', query, { id })
    expect(nodesAt(answer.data, 'patients')).toHaveLength(4)
    expect(openings).toHaveBeenCalledTimes(8)
    expect(answer.phi.resolved).toBe(8)
    const given = valuesGiven(await auditOf(clinic, answer))
    expect(given).toHaveLength(8)
    expect(new Set(given).size).toBe(8)
  })
})

describe('P4: fields are decided by their schema path, never by their response key', () => {
  const SWAPPED = 'query ($id: ID!) { patient(id: $id) { familyName: ssn  ssn: familyName } }'

  it("decides and records a physician's swapped names by path", async () => {
    const answer = await clinic.ask('physician', SWAPPED, { id })
    expect(at(answer.data, 'patient', 'familyName')).toBeNull()
    expect(at(answer.data, 'patient', 'ssn')).toMatch(/^\p{L}/u)
    expect(answer.errors).toMatchObject([{ path: ['patient', 'familyName'], extensions: { coordinate: 'Patient.ssn', count: 1 } }])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Patient.familyName DISCLOSED', 'Patient.ssn DENIED ROLE'])
  })

  it("masks and records billing's swapped names by path", async () => {
    const answer = await clinic.ask('billing', SWAPPED, { id })
    expect(at(answer.data, 'patient', 'familyName')).toMatch(/^\*{3}-\*{2}-\d{4}$/)
    expect(at(answer.data, 'patient', 'ssn')).toMatch(/^\p{L}/u)
    expect(answer.errors).toEqual([])
    expect(answer.phi.masked).toEqual([{ coordinate: 'Patient.ssn', view: 'LAST4', count: 1, paths: [['patient', 'familyName']] }])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Patient.familyName DISCLOSED', 'Patient.ssn MASKED LAST4'])
  })

  it('resolves fragments, @include and interfaces in the same way', async () => {
    const query = `query ($id: ID!, $yes: Boolean = true) {
      node(id: $id) { ... on Patient { familyName: ssn @include(if: $yes) ...S } }
    }
    fragment S on Patient { ssn: mrn }`
    const answer = await clinic.ask('physician', query, { id })
    expect(at(answer.data, 'node', 'familyName')).toBeNull()
    expect(at(answer.data, 'node', 'ssn')).toMatch(/^MRN-/)
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Patient.mrn DISCLOSED', 'Patient.ssn DENIED ROLE'])
  })
})
