import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { scrubOf } from '../../../gateway/scrub-charts.ts'
import type { ScrubCounts } from '../../../gateway/store/chart-scrub.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, patientsOf, RIVERSIDE } from '../asking.ts'
import { CREATE_OBSERVATION, HEART_RATE, RETRACT_OBSERVATION, UPDATE_OBSERVATION } from '../mutations/record-writing.ts'
import { DatabaseHand, flipped, indexRoot, type Item, recordItem, refOf } from './database-hand.ts'

const PATIENTS = 3

const READ = 'query ($id: ID!) { node(id: $id) { ... on Observation { version valueQuantity { value } } } }'

let clinic: RunningClinic
let hand: DatabaseHand
let patient: string
let observation: string
let version: number

/** Scrubs the tenant. @returns the counts, the findings as `FAULT name`, and the events of these findings */
async function scrub(): Promise<{ counts: ScrubCounts; findings: string[]; events: string[] }> {
  const from = clinic.events.length
  const findings: string[] = []
  const counts = await scrubOf(clinic.services, 20)(
    RIVERSIDE,
    ({ fault, record }) => findings.push(`${fault} ${record ?? ''}`.trim()),
    () => undefined,
  )
  const events = clinic.events.slice(from).flatMap((event) => (event.event === 'CHART_FAULT' ? [event.what] : []))
  return { counts, findings, events }
}

const change = async (value: number): Promise<void> => {
  const patch = { valueQuantity: { ...HEART_RATE.valueQuantity, value } }
  const answer = await clinic.ask('nurse', UPDATE_OBSERVATION, { id: observation, version, patch, key: `key-${value}` })
  expect(answer.errors).toEqual([])
  version = Number(at(answer.data, 'updateObservation', 'version'))
}
const nameOf = (id: string): string => `${refOf(id).type}#${refOf(id).id}`

beforeAll(async () => {
  clinic = await runClinic({ riverside: PATIENTS, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  patient = (await patientsOf(clinic, 'physician'))[0] ?? ''
  const created = await clinic.ask('nurse', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: 'create' })
  observation = String(at(created.data, 'createObservation', 'record', 'id'))
  version = Number(at(created.data, 'createObservation', 'version'))
})
afterAll(() => clinic.stop())

describe('P6: a scrub compares records and indexes with the audit of writes', () => {
  let before: Item[] = []
  const remember = async (): Promise<void> => {
    before = await hand.all(patient)
  }
  afterEach(async () => {
    for (const item of before) await hand.put(item)
    before = []
  })

  it('finds nothing after imports and changes through the API', async () => {
    await change(72)
    const second = await clinic.ask('nurse', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: 'second' })
    const id = String(at(second.data, 'createObservation', 'record', 'id'))
    await clinic.ask('physician', RETRACT_OBSERVATION, { id, version: 1, reason: 'entered for another patient' })
    const { counts, findings, events } = await scrub()
    expect({ findings, events }).toEqual({ findings: [], events: [] })
    expect(counts).toMatchObject({ sound: PATIENTS, faulty: 0, erased: 0, busy: 0 })
    expect(counts.records).toBeGreaterThan(PATIENTS)
  })

  it('C11: finds a record and its index that were put back together', async () => {
    const [record, ...index] = [
      await hand.read(recordItem(observation)),
      ...(await hand.all(patient)).filter(({ sk }) => sk?.S?.startsWith('#INDEX') === true),
    ]
    await change(73)
    await remember()
    for (const item of [record, ...index]) await hand.put(item)
    // the gateway cannot notice it: the record is authentic, and the index lists it
    const read = await clinic.ask('nurse', READ, { id: observation })
    expect(at(read.data, 'node')).toMatchObject({ version: version - 1, valueQuantity: { value: 72 } })
    expect(await scrub()).toMatchObject({
      counts: { sound: PATIENTS - 1, faulty: 1 },
      findings: [`ROLLED_BACK ${nameOf(observation)}`],
      events: ['ROLLED_BACK'],
    })
  })

  it.each<[string, () => Promise<unknown>, () => string]>([
    ['a removed record', () => hand.remove(recordItem(observation)), () => `MISSING ${nameOf(observation)}`],
    [
      'an altered value',
      async () => {
        const item = await hand.read(recordItem(observation))
        await hand.put({ ...item, 'f:valueQuantity': flipped(item['f:valueQuantity']) })
      },
      () => `ALTERED ${nameOf(observation)}`,
    ],
    [
      'a removed value',
      async () => {
        const item = await hand.read(recordItem(observation))
        delete item['f:valueQuantity']
        await hand.put(item)
      },
      () => `ALTERED ${nameOf(observation)}`,
    ],
    ['a removed index', () => hand.remove(indexRoot(patient)), () => 'INDEX_BROKEN'],
    [
      'an altered manifest',
      async () => {
        const item = await hand.read(recordItem(observation))
        await hand.put({ ...item, m: flipped(item['m']) })
      },
      () => `ALTERED ${nameOf(observation)}`,
    ],
  ])('finds %s', async (_, tamper, finding) => {
    await remember()
    await tamper()
    expect((await scrub()).findings).toEqual([finding()])
  })

  it('finds a record that was put back alone, and one that was put back after its retraction', async () => {
    const former = await hand.read(recordItem(observation))
    await change(74)
    const current = await hand.read(recordItem(observation))
    await hand.put(former)
    expect((await scrub()).findings).toEqual([`VERSION ${nameOf(observation)}`])
    await hand.put(current)
    await clinic.ask('physician', RETRACT_OBSERVATION, { id: observation, version, reason: 'entered for another patient' })
    expect((await scrub()).findings).toEqual([])
    await hand.put(current)
    expect((await scrub()).findings).toEqual([`UNLISTED ${nameOf(observation)}`])
    await hand.remove(recordItem(observation))
  })

  it('finds a patient without keys, and continues with the others', async () => {
    const key = { pk: indexRoot(patient)['pk'] ?? { S: '' }, sk: { S: 'KEY' } }
    const item = await hand.read(key, 'KEYS')
    await hand.remove(key, 'KEYS')
    try {
      expect(await scrub()).toMatchObject({ counts: { sound: PATIENTS - 1, faulty: 1 }, findings: ['KEYS_MISSING'] })
    } finally {
      await hand.put(item, 'KEYS')
    }
  })

  it('finds nothing while clients write', async () => {
    const created = await clinic.ask('nurse', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: 'busy' })
    observation = String(at(created.data, 'createObservation', 'record', 'id'))
    version = 1
    const scrubbing = new AbortController()
    const writing = (async () => {
      for (let value = 80; !scrubbing.signal.aborted; value++) await change(value)
    })()
    try {
      for (let run = 0; run < 3; run++) expect((await scrub()).findings).toEqual([])
    } finally {
      scrubbing.abort()
      await writing
    }
  })
})
