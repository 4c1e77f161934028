import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { setTimeout as sleep } from 'node:timers/promises'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { expectIntact } from '../../gateway/audit/lane-bench.ts'
import { first, patientsOf, RIVERSIDE } from '../../gateway/asking.ts'
import { readLanes } from './lanes.ts'
import { startStorm, type Storm, type TimedAnswer } from './storm.ts'

const REQUESTS_A_SECOND = 20
const SECONDS = 5
const VALUES = 40
const WITHIN_MS = 8_000

/** Forty values of one patient and her records, each recorded, and two edges. */
const WHOLE = `query Whole($id: ID!) { patient(id: $id) {
  mrn familyName givenName birthDate deceasedDate gender phone email maritalStatus { text } language race ethnicity
  address { line city district state postalCode country }
  observations(first: 10) { edges { node { code { text } effectiveDateTime } } } } }`

let clinic: RunningClinic
let storm: Storm

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  await patientsOf(clinic, 'physician')
  storm = await startStorm(clinic, { seed: 1, processes: 1 })
})
afterAll(async () => {
  await clinic.stop()
  await storm.stop()
})

describe('P2: a patient that many users read at once', () => {
  it('P2: 20 requests a second of 40 values, at 1,000 write units a second for each key: all answered, all recorded', async () => {
    const id = first(await patientsOf(clinic, 'physician'))
    const question = { user: 'physician', tenant: 'riverside', query: WHOLE, variables: { id } } as const
    const process = first(storm.processes)
    const calm = await storm.ask(process, question, WITHIN_MS)
    storm.store.blow({ WRITE_UNITS: 1 })
    const asked: Promise<TimedAnswer>[] = []
    while (asked.length < REQUESTS_A_SECOND * SECONDS) {
      asked.push(storm.ask(process, question, WITHIN_MS))
      await sleep(1_000 / REQUESTS_A_SECOND)
    }
    const answers = await Promise.all(asked)
    storm.store.calm()

    expect(answers.filter(({ answer }) => answer.status !== 200)).toEqual([])
    for (const { answer } of answers) expect(answer.data).toEqual(calm.answer.data)
    expect(process.events.filter(({ event }) => event.startsWith('AUDIT_'))).toEqual([])

    const { entries } = await readLanes(clinic.stack.dynamodb, clinic.stack.env.PHI_TABLE_AUDIT, RIVERSIDE)
    for (const held of entries.values()) expectIntact(held)
    const records = new Map<string, number>()
    for (const { requestId } of [...entries.values()].flat()) records.set(requestId, (records.get(requestId) ?? 0) + 1)
    const each = answers.map(({ answer }) => records.get(answer.phi.requestId))
    expect(new Set(each)).toEqual(new Set([records.get(calm.answer.phi.requestId)]))
    expect(each[0]).toBeGreaterThanOrEqual(VALUES - 2)
  }, 60_000)
})
