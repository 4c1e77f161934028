import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { SealedRecord } from '../../../gateway/crypto/sealed-record.ts'
import { HOUR_MS } from '../../../gateway/model/budget.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { contractedProcess } from '../../harness/contracted-process.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { SEED_VARIABLE } from '../../hostile/suite-weather.ts'
import { auditOf, first, patientsOf } from '../asking.ts'
import { contractWith } from '../decide/contracts.ts'

const DAY_MS = 24 * HOUR_MS
const PATIENT = 'query ($id: ID!) { patient(id: $id) { familyName givenName gender } }'
const NAME = 'query ($id: ID!) { patient(id: $id) { familyName } }'

let clinic: RunningClinic
let id: string
const opened: { stop(): Promise<void> }[] = []

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  for (const process of opened.splice(0)) await process.stop()
})
afterAll(() => clinic.stop())

/** A process in which every caller has the contract of one client. */
async function processOf(
  change: Partial<Contract>,
  { now = Date.now, env = {} }: { now?: () => number; env?: Record<string, string> } = {},
) {
  const contract = contractWith({ expiresAt: Date.UTC(2100, 0) as Instant, ...change })
  const process = await contractedProcess(clinic, { contractOf: () => contract, now, env })
  opened.push(process)
  return process
}

/** With injected faults, an update that is repeated after a lost answer counts twice, and the client has fewer values. */
const isCalm = process.env[SEED_VARIABLE] === undefined
function expectGiven({ phi, status }: ClinicAnswer, values: number): void {
  const expected = [[200, values], ...(isCalm ? [] : [[429, undefined]])]
  expect(expected).toContainEqual([status, phi.resolved])
}
function expectSpent({ status, data, errors, text }: ClinicAnswer): void {
  expect(status).toBe(429)
  expect(data).toBeUndefined()
  expect(errors.map(({ extensions }) => extensions)).toEqual([{ code: 'PHI_BUDGET_EXCEEDED', budget: 'DAY' }])
  expect(text).not.toContain('notices')
}

describe('P10: a client with a contract receives a limited number of values in a day', () => {
  it('up to the exact limit, over all users and processes of the client', async () => {
    const change = { client: 'exact', valuesPerDay: 7 }
    const [one, two] = [await processOf(change), await processOf(change)]
    expectGiven(await one.ask('frontdesk', PATIENT, { id }), 3)
    expectGiven(await two.ask('billing', PATIENT, { id }), 3)
    const openings = vi.spyOn(SealedRecord.prototype, 'openField')
    const beyond = await one.ask('billing', PATIENT, { id })
    expect(openings).not.toHaveBeenCalled()
    expectSpent(beyond)
    const audit = await auditOf(clinic, beyond)
    expect(audit.map(({ outcome, reason }) => [outcome, reason])).toEqual(Array(3).fill(['DENIED', 'BUDGET']))
    // the remaining value is still available
    expectGiven(await two.ask('frontdesk', NAME, { id }), 1)
    // another client, and a caller without a contract, have limits of their own
    const other = await processOf({ ...change, client: 'other' })
    expectGiven(await other.ask('frontdesk', PATIENT, { id }), 3)
    expect((await clinic.ask('frontdesk', PATIENT, { id })).status).toBe(200)
  })

  it('until midnight UTC: a new hour brings nothing, and a new day brings the whole budget', async () => {
    const midnight = (Math.floor(Date.now() / DAY_MS) + 1) * DAY_MS
    let offset = midnight - Date.now() - 1.5 * HOUR_MS
    const now = () => Date.now() + offset
    const process = await processOf({ client: 'midnight', valuesPerDay: 3 }, { now })
    expectGiven(await process.ask('frontdesk', PATIENT, { id }), 3)
    expectSpent(await process.ask('frontdesk', NAME, { id }))
    offset += HOUR_MS
    expectSpent(await process.ask('billing', NAME, { id }))
    offset += HOUR_MS
    expectGiven(await process.ask('frontdesk', PATIENT, { id }), 3)
    expectSpent(await process.ask('frontdesk', NAME, { id }))
  })

  it('a lower limit of the contract holds from the next request on', async () => {
    const before = await processOf({ client: 'lowered', valuesPerDay: 50_000 })
    expectGiven(await before.ask('frontdesk', PATIENT, { id }), 3)
    const after = await processOf({ client: 'lowered', valuesPerDay: 3 })
    expectSpent(await after.ask('frontdesk', NAME, { id }))
  })

  it('the hour of the user still counts, and is named if only it is spent', async () => {
    const process = await processOf({ client: 'hourly' }, { env: { PHI_LIMITS: '{"hour": {"STAFF": 2}}' } })
    const answer = await process.ask('frontdesk', PATIENT, { id })
    expect(answer.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'PHI_BUDGET_EXCEEDED', budget: 'VALUES' }])
  })

  it('asks for both budgets at once, and a warm request asks for none', async () => {
    const { ask, services } = await processOf({ client: 'warm' })
    const asked: number[] = []
    let waiting = 0
    let most = 0
    const reserve = services.budgets.reserve.bind(services.budgets)
    vi.spyOn(services.budgets, 'reserve').mockImplementation(async (...given) => {
      most = Math.max(most, ++waiting)
      return await reserve(...given).finally(() => waiting--)
    })
    for (let request = 0; request < 11; request++) {
      const before = services.budgets.counter.requests
      expect((await ask('billing', PATIENT, { id })).phi.resolved).toBe(3)
      asked.push(services.budgets.counter.requests - before)
    }
    expect(asked).toEqual([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
    expect(most).toBe(2)
  })

  it.each([
    ['physician', 'TREAT'],
    ['physician', 'ETREAT'],
    ['frontdesk', 'HOPERAT'],
  ])('without the count, nothing is given to %s for %s', async (user, purpose) => {
    const env = { PHI_TABLE_BUDGETS: 'gone' }
    const { ask, events } = await processOf({ client: 'outage' }, { env })
    const answer = await ask(user, NAME, { id }, { 'x-purpose-of-use': purpose })
    expect(answer.data).toEqual({ patient: { familyName: null } })
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    expect((await auditOf(clinic, answer)).map(({ outcome, reason }) => [outcome, reason])).toEqual([['UNAVAILABLE', 'STORE']])
    expect(events.filter(({ event }) => event === 'STORE_UNAVAILABLE')).toHaveLength(1)
  })
})
