import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { seeded } from '../../hostile/seeded.ts'
import { at, first, nodesAt, patientsOf } from '../asking.ts'
import {
  auditedVersions,
  CREATE_OBSERVATION,
  HEART_RATE,
  listedVersions,
  UPDATE_OBSERVATION,
  versionsOf,
} from './record-writing.ts'

// Writers in two processes over the same records. RECORD_WRITES sets the number of writes.
const WRITES = Number(process.env['RECORD_WRITES'] ?? 100)
const WRITERS = 50
const RECORDS = 8
const PATIENTS = 2
const SEED = 20_263

let clinic: RunningClinic
let another: Awaited<ReturnType<RunningClinic['another']>>
let patients: string[]

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  another = await clinic.another()
  patients = (await patientsOf(clinic, 'nurse')).slice(0, PATIENTS)
})
afterAll(() => clinic.stop())

const MAX_RETRIES = 10
const isLate = ({ errors }: ClinicAnswer): boolean =>
  ['FIELD_UNAVAILABLE', 'AUDIT_UNAVAILABLE'].includes(String(errors[0]?.extensions['code']))

const UPDATE_PATIENT = `mutation ($id: ID!, $version: Int!, $patch: PatientPatch!, $key: String!) {
  updatePatient(id: $id, expectedVersion: $version, patch: $patch, idempotencyKey: $key) { version }
}`
const FIND = 'query ($phone: String!) { patientsByIdentifier(phone: $phone) { edges { node { id } } } }'
const phoneOf = (write: number): string => `+1 555 02${String(write).padStart(5, '0')}`

it('C11: one writer wins each version, and history, index, search and audit agree', { timeout: 600_000 }, async () => {
  const observations = await Promise.all(
    Array.from({ length: RECORDS }, async (_, place) => {
      const patient = patients[place % PATIENTS] ?? ''
      const answer = await clinic.ask('physician', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: `record-${place}` })
      return String(at(answer.data, 'createObservation', 'record', 'id'))
    }),
  )
  const versions = new Map([...observations, ...patients].map((id) => [id, 1]))
  const phones = new Map<string, string>()
  const random = seeded(SEED, 'writers')
  const wins: string[] = []
  let conflicts = 0
  let late = 0
  let next = 0
  const write = async ({ ask }: Pick<RunningClinic, 'ask'>): Promise<void> => {
    for (let turn = next++; turn < WRITES; turn = next++) {
      const records = [...versions.keys()]
      const id = records[Math.floor(random() * records.length)] ?? ''
      const version = versions.get(id) ?? 1
      const isPatient = patients.includes(id)
      const patch = isPatient
        ? { phone: phoneOf(turn) }
        : { valueQuantity: { ...HEART_RATE.valueQuantity, value: 40 + (turn % 100) } }
      const variables = { id, version, patch, key: `write-${turn}` }
      const send = async (): Promise<ClinicAnswer> =>
        isPatient ? await ask('frontdesk', UPDATE_PATIENT, variables) : await ask('physician', UPDATE_OBSERVATION, variables)
      let answer = await send()
      // on a busy machine, the turn or the audit of a writer can come too late: the client repeats the call with its key
      for (let retry = 0; retry < MAX_RETRIES && isLate(answer); retry++) {
        late++
        answer = await send()
      }
      const written = at(answer.data, isPatient ? 'updatePatient' : 'updateObservation', 'version')
      if (typeof written === 'number') {
        wins.push(`${id} ${written}`)
        if (written > (versions.get(id) ?? 0)) {
          versions.set(id, written)
          if (isPatient) phones.set(id, phoneOf(turn))
        }
        continue
      }
      expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['VERSION_CONFLICT'])
      conflicts++
      const current = Number(answer.errors[0]?.extensions['currentVersion'])
      if (current > (versions.get(id) ?? 0)) versions.set(id, current)
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer % 2 === 0 ? clinic : another)))

  expect(wins.length + conflicts).toBe(WRITES)
  // each version has one winner
  expect(new Set(wins).size).toBe(wins.length)
  const upTo = (version: number): number[] => Array.from({ length: version }, (_, index) => index + 1)
  for (const [id, version] of versions) {
    expect(wins.filter((win) => win.startsWith(`${id} `)).length).toBe(version - 1)
    expect(await versionsOf(clinic, id)).toEqual(upTo(version - 1))
  }
  for (const patient of patients) {
    const listed = await listedVersions(clinic, patient)
    for (const [place, id] of observations.entries()) {
      if (patients[place % PATIENTS] !== patient) continue
      expect(listed.get(id)).toBe(versions.get(id))
      expect(await auditedVersions(clinic.services, id)).toEqual(upTo(versions.get(id) ?? 0))
    }
    const found = async (phone: string): Promise<unknown[]> =>
      nodesAt((await clinic.ask('frontdesk', FIND, { phone })).data, 'patientsByIdentifier').map((node) => at(node, 'id'))
    const phone = phones.get(patient)
    if (phone !== undefined) expect(await found(phone)).toEqual([patient])
  }
  const stale = Array.from({ length: WRITES }, (_, turn) => phoneOf(turn)).filter((phone) => ![...phones.values()].includes(phone))
  const answer = await clinic.ask('frontdesk', FIND, { phone: first(stale) })
  expect(nodesAt(answer.data, 'patientsByIdentifier')).toEqual([])
  console.info(
    `${WRITES} writes of ${WRITERS} writers on ${versions.size} records: ${wins.length} won, ${conflicts} had an old version, ${late} calls were repeated`,
  )
})
