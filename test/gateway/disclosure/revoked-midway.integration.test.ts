import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { RecordTable } from '../../../gateway/store/records.ts'
import { type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { AUDIENCE, ISSUER, startIssuer } from '../access/issuer.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, nodesAt, outcomesOf, RIVERSIDE } from '../asking.ts'

const PATIENTS = ['a', 'b', 'c', 'd']
const ENDED = '2020-01-01T00:00:00.000Z'
/** Bound within which an ended session ends in every process: docs/identity.md. */
const SESSION_BOUND_MS = 30_000

type Process = Awaited<ReturnType<RunningClinic['another']>>
type Claims = Readonly<Record<string, unknown>>

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let issuer: Awaited<ReturnType<typeof startIssuer>>
/** Two processes with an issuer of this test, and the milliseconds by which both clocks are ahead. */
let one: Process
let two: Process
let later = 0

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  issuer = await startIssuer()
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env)
  ward = new Admissions(store)
  const options = {
    now: () => Date.now() + later,
    env: { PHI_ISSUER: ISSUER, PHI_AUDIENCE: AUDIENCE, PHI_JWKS_URI: issuer.jwksUri },
  }
  one = await clinic.another(options)
  two = await clinic.another(options)
  for (const patient of PATIENTS) {
    const observations = [1, 2, 3, 4].map((day) =>
      ward.record(
        patient,
        'Observation',
        `o${day}`,
        { valueString: `${patient} of day ${day}` },
        { date: `2024-01-0${day}T00:00:00.000Z` },
      ),
    )
    await ward.write(patient, [ward.record(patient, 'Patient', '', { familyName: `Name ${patient}` }), ...observations])
  }
})
afterAll(async () => {
  await store.close()
  await issuer.stop()
  await clinic.stop()
})
beforeEach(() => {
  later = 0
})

/** A new user for each test, with a relationship to all of the patients. */
interface Reader {
  readonly fhirUser: string
  readonly relationship: 'CARE_TEAM' | 'PROXY'
  readonly claims: Claims
}
let readers = 0

async function newReader(role: 'NURSE' | 'PROXY'): Promise<Reader> {
  const name = `reader-${++readers}`
  const fhirUser = role === 'NURSE' ? `Practitioner/${name}` : `RelatedPerson/${name}`
  const relationship = role === 'NURSE' ? 'CARE_TEAM' : 'PROXY'
  for (const patient of PATIENTS) await ward.change(ward.membership(patient, relationship, fhirUser))
  const authTime = Math.floor(Date.now() / 1000)
  const claims = {
    sub: name,
    aud: AUDIENCE,
    tenant: RIVERSIDE,
    roles: [role],
    fhirUser,
    client_id: 'web',
    sid: name,
    amr: ['mfa'],
    auth_time: authTime,
  }
  return { fhirUser, relationship, claims }
}

const endFor = async (reader: Reader, patient: string): Promise<void> => {
  await ward.change(ward.membership(patient, reader.relationship, reader.fhirUser, [{ until: ENDED }]))
}

async function ask(claims: Claims, query: string, variables: Claims = {}, process = one): Promise<ClinicAnswer> {
  const authorization = `Bearer ${await issuer.sign(claims)}`
  const headers = { 'content-type': 'application/json', authorization }
  const body = JSON.stringify({ query, variables })
  return read(await process.gateway.handle({ method: 'POST', headers, body, sourceIp: '127.0.0.1' }))
}

const PANEL = `query ($after: String) { patients(first: 2, after: $after) {
  edges { node { id familyName } } pageInfo { endCursor hasNextPage } } }`
const LIST = `query ($id: ID!, $after: String) { patient(id: $id) { observations(first: 2, after: $after) {
  edges { node { valueString } } pageInfo { endCursor hasNextPage } } } }`
const namesIn = ({ data }: ClinicAnswer) => nodesAt(data, 'patients').map((node) => at(node, 'familyName'))
const valuesIn = ({ data }: ClinicAnswer) => nodesAt(data, 'patient', 'observations').map((node) => at(node, 'valueString'))
const codesIn = ({ errors }: ClinicAnswer) => errors.map(({ extensions }) => extensions['code'])

/** Reads the first pages of the panel and of one patient's observations. The returned functions read the next pages. */
async function firstPages({ claims }: Reader, process = one) {
  const panel = await ask(claims, PANEL, {}, process)
  expect(namesIn(panel)).toHaveLength(2)
  const id = ward.id('a')
  const list = await ask(claims, LIST, { id }, process)
  expect(valuesIn(list)).toEqual(['a of day 4', 'a of day 3'])
  const [afterPatients, afterObservations] = [
    at(panel.data, 'patients', 'pageInfo', 'endCursor'),
    at(list.data, 'patient', 'observations', 'pageInfo', 'endCursor'),
  ]
  return {
    seen: new Set(namesIn(panel)),
    patients: async (as: Claims = claims) => await ask(as, PANEL, { after: afterPatients }, process),
    observations: async (as: Claims = claims) => await ask(as, LIST, { id, after: afterObservations }, process),
  }
}

describe('P13: between two pages without a change', () => {
  it('both lists have a second page, so the cursors are valid', async () => {
    const pages = await firstPages(await newReader('NURSE'))
    const names = namesIn(await pages.patients())
    expect(names).toHaveLength(2)
    expect(names.filter((name) => pages.seen.has(name))).toEqual([])
    expect(valuesIn(await pages.observations())).toEqual(['a of day 2', 'a of day 1'])
  })
})

describe('P13: a membership that ends between two pages', () => {
  it('of a role that sees existence: the next page omits the patients, and the list of records is denied', async () => {
    const reader = await newReader('NURSE')
    const pages = await firstPages(reader)
    const left = PATIENTS.filter((patient) => !pages.seen.has(`Name ${patient}`))
    await endFor(reader, left[0] ?? '')
    expect(namesIn(await pages.patients())).toEqual([`Name ${left[1] ?? ''}`])
    await endFor(reader, left[1] ?? '')
    expect(namesIn(await pages.patients())).toEqual([])

    if (!left.includes('a')) await endFor(reader, 'a')
    const list = await pages.observations()
    expect(list.data).toEqual({ patient: { observations: null } })
    expect(list.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'RELATIONSHIP' } }])
    expect(outcomesOf(await auditOf(one, list))).toEqual(['Patient.observations DENIED RELATIONSHIP'])
  })

  it('of a role that does not see existence: the patient is NOT_FOUND', async () => {
    const reader = await newReader('PROXY')
    const pages = await firstPages(reader)
    for (const patient of PATIENTS) await endFor(reader, patient)
    expect(await pages.patients()).toMatchObject({ data: { patients: { edges: [], pageInfo: { hasNextPage: false } } } })
    const list = await pages.observations()
    expect([list.data, codesIn(list)]).toEqual([{ patient: null }, ['NOT_FOUND']])
    expect(outcomesOf(await auditOf(one, list))).toEqual(['Patient.observations DENIED RELATIONSHIP'])
  })

  it('while a request reads: this request keeps its decision, the next one does not', async () => {
    const reader = await newReader('PROXY')
    const pages = await firstPages(reader)
    const read = one.services.records.indexRoot.bind(one.services.records)
    const index = vi.spyOn(RecordTable.prototype, 'indexRoot').mockImplementationOnce(async (...wanted) => {
      await endFor(reader, 'a')
      return await read(...wanted)
    })
    const under = await pages.observations()
    expect(index).toHaveBeenCalled()
    expect(valuesIn(under)).toEqual(['a of day 2', 'a of day 1'])
    expect(codesIn(await pages.observations())).toEqual(['NOT_FOUND'])
  })

  it('before the request reads the relationship: the end counts', async () => {
    const reader = await newReader('PROXY')
    const pages = await firstPages(reader)
    const load = one.services.access.load.bind(one.services.access)
    let ending: Promise<void> | undefined
    const access = vi.spyOn(one.services.access, 'load').mockImplementation(async (...wanted) => {
      await (ending ??= endFor(reader, 'a'))
      return await load(...wanted)
    })
    const under = await pages.observations()
    access.mockRestore()
    expect(codesIn(under)).toEqual(['NOT_FOUND'])
  })
})

describe('P13: a session that ends between two pages', () => {
  it('has no second page: at once in the process that ended it, within 30 seconds everywhere', async () => {
    const reader = await newReader('NURSE')
    const [here, there] = [await firstPages(reader, one), await firstPages(reader, two)]
    expect((await ask(reader.claims, 'mutation { endSession }')).data).toEqual({ endSession: true })
    for (const page of [await here.patients(), await here.observations()]) {
      expect([page.status, page.data, codesIn(page)]).toEqual([401, undefined, ['SESSION_EXPIRED']])
    }
    later = SESSION_BOUND_MS
    for (const page of [await there.patients(), await there.observations()]) {
      expect([page.status, page.data, codesIn(page)]).toEqual([401, undefined, ['SESSION_EXPIRED']])
    }
  })

  it('of a user that an administrator revoked: no second page; the cursor is invalid for other users', async () => {
    const [reader, other] = [await newReader('PROXY'), await newReader('PROXY')]
    const there = await firstPages(reader, two)
    const admin = { ...reader.claims, sub: 'an-admin', sid: 'an-admin', roles: ['ADMIN'], fhirUser: undefined }
    const query = 'mutation ($id: ID!) { revokeUser(userId: $id) }'
    expect((await ask(admin, query, { id: reader.claims['sub'] })).data).toEqual({ revokeUser: true })
    later = SESSION_BOUND_MS
    for (const page of [await there.patients(), await there.observations()]) expect(codesIn(page)).toEqual(['SESSION_EXPIRED'])
    for (const page of [await there.patients(other.claims), await there.observations(other.claims)]) {
      expect(codesIn(page)).toEqual(['BAD_USER_INPUT'])
    }
  })
})

describe('P13: a role that is removed between two pages', () => {
  it('is missing in the next token, and grants nothing from then on', async () => {
    const reader = await newReader('NURSE')
    const pages = await firstPages(reader)
    const without = { ...reader.claims, roles: ['FRONT_DESK'] }
    // the cursor belongs to the purpose of the removed role
    expect(codesIn(await pages.patients(without))).toEqual(['BAD_USER_INPUT'])
    const list = await pages.observations(without)
    expect(list.data).toEqual({ patient: { observations: null } })
    expect(list.errors).toMatchObject([{ extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'ROLE' } }])
  })

  it('of two roles: the other one remains, with only its own rights', async () => {
    const reader = await newReader('PROXY')
    const both = { ...reader, claims: { ...reader.claims, roles: ['PROXY', 'PATIENT'] } }
    const pages = await firstPages(both)
    const without = { ...both.claims, roles: ['PATIENT'] }
    expect(namesIn(await pages.patients(without))).toEqual([])
    const list = await pages.observations(without)
    expect([list.data, codesIn(list)]).toEqual([{ patient: null }, ['NOT_FOUND']])
    // a caller without a role is refused
    expect((await pages.patients({ ...both.claims, roles: [] })).status).toBe(401)
  })
})
