import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, patientsOf } from '../asking.ts'
import { CALL_FAULTS, type FaultyProcess, faultyProcess } from './faults-at-calls.ts'
import {
  auditedVersions,
  CREATE_OBSERVATION,
  HEART_RATE,
  listedVersions,
  RETRACT_OBSERVATION,
  UPDATE_OBSERVATION,
  versionsOf,
} from './record-writing.ts'

let clinic: RunningClinic
let behind: FaultyProcess
let patients: readonly string[]
let keys = 0

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  patients = await patientsOf(clinic, 'physician')
  behind = await faultyProcess(clinic)
})
afterAll(async () => {
  await clinic.stop()
  await behind.stop()
})

type Act = (process: Pick<RunningClinic, 'ask'>) => Promise<ClinicAnswer>

/** The patient of one test: the lists stay short. */
const patientOf = (number: number): string => String(patients[number])

const created = async (patient: string): Promise<string> => {
  const answer = await clinic.ask('physician', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: `base-${++keys}` })
  return String(at(answer.data, 'createObservation', 'record', 'id'))
}

const CASES = CALL_FAULTS.map(([name, fault], number) => [name, fault, number] as const)

describe('P2: a failure at any call leaves a whole change with its audit, or nothing', () => {
  it.each(CASES)('create, when a call %s', { timeout: 120_000 }, async (_name, fault, number) => {
    const input = { ...HEART_RATE, interpretation: 'N' }
    const patient = patientOf(number)
    await behind.atEachCall(fault, async (work) => {
      const key = `create-${++keys}`
      const act: Act = (process) => process.ask('physician', CREATE_OBSERVATION, { patient, input, key })
      const before = await listedVersions(clinic, patient)
      await work(() => act(behind))
      const after = await listedVersions(clinic, patient)
      const added = [...after.keys()].filter((id) => !before.has(id))
      expect(added.length).toBeLessThanOrEqual(1)
      for (const id of added) expect(await auditedVersions(clinic.services, id)).toEqual([1])
      // the retry makes the change once
      const again = await act(clinic)
      expect(again.errors).toEqual([])
      const id = String(at(again.data, 'createObservation', 'record', 'id'))
      if (added.length > 0) expect([id]).toEqual(added)
      expect((await listedVersions(clinic, patient)).size).toBe(before.size + 1)
    })
  })

  it.each(CASES)('update, when a call %s', { timeout: 120_000 }, async (_name, fault, number) => {
    const patient = patientOf(4 + number)
    await behind.atEachCall(fault, async (work) => {
      const id = await created(patient)
      const key = `update-${++keys}`
      const act: Act = (process) =>
        process.ask('physician', UPDATE_OBSERVATION, { id, version: 1, patch: { interpretation: 'H' }, key })
      await work(() => act(behind))
      const version = (await listedVersions(clinic, patient)).get(id) ?? 0
      expect(await versionsOf(clinic, id)).toEqual(version === 2 ? [1] : [])
      expect(await auditedVersions(clinic.services, id)).toEqual(version === 2 ? [1, 2] : [1])
      const again = await act(clinic)
      expect(at(again.data, 'updateObservation', 'version')).toBe(2)
      expect(await versionsOf(clinic, id)).toEqual([1])
    })
  })

  it.each(CASES)('retract, when a call %s', { timeout: 120_000 }, async (_name, fault, number) => {
    const patient = patientOf(8 + number)
    await behind.atEachCall(fault, async (work) => {
      const id = await created(patient)
      const act: Act = (process) => process.ask('physician', RETRACT_OBSERVATION, { id, version: 1, reason: 'wrong person' })
      await work(() => act(behind))
      const isListed = (await listedVersions(clinic, patient)).has(id)
      expect(await versionsOf(clinic, id)).toEqual(isListed ? [] : [1, 2])
      expect(await auditedVersions(clinic.services, id)).toEqual(isListed ? [1] : [1, 2])
      await act(clinic)
      expect(await versionsOf(clinic, id)).toEqual([1, 2])
    })
  })
})
