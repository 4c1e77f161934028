import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, LAKESIDE, nodesAt, outcomesOf, patientsOf, workOf } from '../asking.ts'

const PATIENTS = 25

let clinic: RunningClinic

beforeAll(async () => {
  clinic = await runClinic({ riverside: PATIENTS, lakeside: 2 })
})
afterAll(() => clinic.stop())

const LIST = 'query ($first: Int!) { patients(first: $first) { edges { node { familyName ssn birthDate } } } }'

/** The calls that KMS received during some work. */
async function kmsCallsOf<T>(work: () => Promise<T>): Promise<{ result: T; calls: number }> {
  const before = clinic.stack.kms.calls()
  const result = await work()
  return { result, calls: clinic.stack.kms.calls() - before }
}

describe('P13: keys', () => {
  it.each([1, PATIENTS])('a cold request of %i patients makes one KMS call, a warm one none', async (first) => {
    const cold = await clinic.another()
    const ask = (): Promise<ClinicAnswer> => cold.ask('billing', LIST, { first })
    const one = await kmsCallsOf(() => workOf(cold, ask))
    expect(nodesAt(one.result.result.data, 'patients')).toHaveLength(first)
    expect(one.result.result.phi.resolved).toBe(3 * first)
    expect(one.calls).toBe(1)
    expect(one.result.requests.kms).toBe(1)

    const two = await kmsCallsOf(() => workOf(cold, ask))
    expect(two.result.result.phi.resolved).toBe(3 * first)
    expect(two.calls).toBe(0)
    // one batch of records and one of the patients' consents; keys come from the cache, and staff of the tenant have no
    // memberships to load
    expect(two.result.requests).toMatchObject({ keys: 0, kms: 0, access: 1 })
  })

  it('concurrent requests to a cold process make one KMS call for each tenant', async () => {
    const cold = await clinic.another()
    const users = ['billing', 'physician', 'nurse', 'researcher', 'lakeside-physician', 'frontdesk', 'patient', 'acme']
    const { result, calls } = await kmsCallsOf(() => Promise.all(users.map((user) => cold.ask(user, LIST, { first: 1 }))))
    expect(result.map(({ status }) => status)).toEqual(users.map(() => 200))
    expect(calls).toBe(2)
  })

  it('200 concurrent requests of one tenant to a cold process make one KMS call', async () => {
    const id = first(await patientsOf(clinic, 'physician'))
    const cold = await clinic.another()
    const request = await clinic.requestOf('physician', 'query ($id: ID!) { patient(id: $id) { familyName birthDate } }', { id })
    // a busy machine needs time for so many requests, and the test does not measure their duration
    const ask = async (): Promise<ClinicAnswer> => read(await cold.gateway.handle({ ...request, deadline: Date.now() + 50_000 }))
    const { result, calls } = await kmsCallsOf(() => Promise.all(Array.from({ length: 200 }, ask)))
    expect(new Set(result.map(({ status }) => status))).toEqual(new Set([200]))
    // The store's client waits 1.5 s for an answer, which a busy machine exceeds. Only such a request lacks its values.
    const late = cold.events.flatMap((event) => (event.event === 'STORE_UNAVAILABLE' ? [event] : []))
    for (const { cause } of late) expect(cause).toBe('TimeoutError')
    const lateRequests = new Set<string>(late.map(({ requestId }) => requestId))
    const complete = result.filter(({ phi }) => !lateRequests.has(phi.requestId))
    expect(complete.length).toBeGreaterThan(0)
    expect(new Set(complete.map(({ phi }) => phi.resolved))).toEqual(new Set([2]))
    expect(calls).toBe(1)
    expect(cold.services.keyring.counts.kms).toBe(1)
  }, 60_000)

  it('while KMS refuses, a warm process continues, and a cold one discloses no PHI and reports the fields as unavailable', async () => {
    await clinic.ask('billing', LIST, { first: 5 })
    const cold = await clinic.another()
    clinic.stack.kms.disable(clinic.stack.env.PHI_KMS_KEY_ID)
    try {
      const warm = await clinic.ask('billing', LIST, { first: 5 })
      expect(warm.phi.resolved).toBe(15)
      expect(warm.errors).toEqual([])
      const known = nodesAt(warm.data, 'patients').map((node) => String(at(node, 'familyName')))

      const answer = await cold.ask('billing', LIST, { first: 5 })
      expect(answer.status).toBe(200)
      expect(answer.data).toEqual({ patients: null })
      expect(answer.errors).toMatchObject([{ path: ['patients'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
      expect(answer.phi.resolved).toBe(0)
      for (const name of known) expect(answer.text).not.toContain(name)
      expect(cold.events).toContainEqual(expect.objectContaining({ event: 'KEY_UNAVAILABLE', cause: 'DisabledException' }))

      // the same for ids of any form: the outage reveals no record
      const { data } = await clinic.ask('billing', '{ patients(first: 1) { edges { node { id } } } }')
      const id = at(nodesAt(data, 'patients')[0], 'id')
      for (const user of ['billing', 'physician', 'researcher']) {
        for (const wanted of [id, 'no id at all']) {
          const byId = await cold.ask(user, 'query ($id: ID!) { patient(id: $id) { familyName ssn } }', { id: wanted })
          expect(byId.data).toEqual({ patient: null })
          expect(byId.errors).toMatchObject([{ path: ['patient'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
          const audit = outcomesOf(await auditOf(clinic, byId))
          expect(audit).toEqual(['Patient.familyName UNAVAILABLE KEY', 'Patient.ssn UNAVAILABLE KEY'])
        }
      }
    } finally {
      clinic.stack.kms.setState(clinic.stack.env.PHI_KMS_KEY_ID, 'Enabled')
    }
    const back = await cold.ask('billing', LIST, { first: 5 })
    expect(back.phi.resolved).toBe(15)
  })

  it('P13: a key that KMS refuses stops working after its age in memory, and not before', async () => {
    let later = 0
    const process = await clinic.another({ now: () => Date.now() + later })
    expect((await process.ask('billing', LIST, { first: 2 })).phi.resolved).toBe(6)
    clinic.stack.kms.disable(clinic.stack.env.PHI_KMS_KEY_ID)
    try {
      // the requests take time too
      later = 290_000
      expect((await process.ask('billing', LIST, { first: 2 })).phi.resolved).toBe(6)
      later = 301_000
      const answer = await process.ask('billing', LIST, { first: 2 })
      expect(answer.phi.resolved).toBe(0)
      expect(answer.errors[0]?.extensions['code']).toBe('FIELD_UNAVAILABLE')
    } finally {
      clinic.stack.kms.setState(clinic.stack.env.PHI_KMS_KEY_ID, 'Enabled')
    }
  })
})

describe("P13: KMS is unavailable for one tenant's own key", () => {
  const OWN = 'alias/phi-lakeside'
  const BY_ID = 'query ($id: ID!) { patient(id: $id) { familyName birthDate } }'
  const away: readonly (readonly [string, () => void])[] = [
    ['disabled', () => clinic.stack.kms.setState(OWN, 'Disabled')],
    ['denied', () => clinic.stack.kms.setState(OWN, 'Denied')],
    ['pending deletion', () => clinic.stack.kms.setState(OWN, 'PendingDeletion')],
    ['throttled', () => clinic.stack.kms.interfere(OWN, 'THROTTLED')],
    ['unreachable', () => clinic.stack.kms.interfere(OWN, 'CUT')],
  ]
  const back = (): void => {
    clinic.stack.kms.setState(OWN, 'Enabled')
    clinic.stack.kms.interfere(OWN, undefined)
  }
  afterEach(back)

  it.each(away)(
    '%s: a warm process continues until its bound, a cold one reports the failure, other tenants are unaffected, and the tenant recovers',
    async (_how, go) => {
      let later = 0
      const process = await clinic.another({ now: () => Date.now() + later })
      const cold = await clinic.another()
      const id = first(await patientsOf(process, 'lakeside-physician'))
      const before = await process.ask('lakeside-physician', BY_ID, { id })
      expect(before.phi.resolved).toBe(2)
      go()

      later = 290_000
      expect((await process.ask('lakeside-physician', BY_ID, { id })).data).toEqual(before.data)
      later = 301_000
      for (const asked of [process, cold]) {
        const answer = await asked.ask('lakeside-physician', BY_ID, { id })
        expect(answer.data).toEqual({ patient: null })
        expect(answer.errors).toMatchObject([{ path: ['patient'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
        expect(outcomesOf(await auditOf(clinic, answer, LAKESIDE))).toEqual([
          'Patient.birthDate UNAVAILABLE KEY',
          'Patient.familyName UNAVAILABLE KEY',
        ])
        // a tenant under another KMS key in the same process, equally cold
        expect((await asked.ask('billing', LIST, { first: 2 })).phi.resolved).toBe(6)
      }
      expect(cold.events).toContainEqual(expect.objectContaining({ event: 'KEY_UNAVAILABLE', tenant: 'lakeside' }))
      back()
      for (const asked of [process, cold]) {
        expect((await asked.ask('lakeside-physician', BY_ID, { id })).data).toEqual(before.data)
      }
    },
  )

  it('slow: other requests do not wait for it, and waiting requests get their answer once KMS answers', async () => {
    const cold = await clinic.another()
    const id = first(await patientsOf(clinic, 'lakeside-physician'))
    clinic.stack.kms.interfere(OWN, 'SILENT')
    let answered = false
    const waiting = Promise.all([1, 2, 3].map(() => cold.ask('lakeside-physician', BY_ID, { id }))).finally(() => (answered = true))
    expect((await cold.ask('billing', LIST, { first: 2 })).phi.resolved).toBe(6)
    expect(answered).toBe(false)
    back()
    for (const { phi } of await waiting) expect(phi.resolved).toBe(2)
  })
})
