import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, first, patientsOf } from '../asking.ts'
import { CALL_FAULTS, type FaultyProcess, faultyProcess } from './faults-at-calls.ts'
import { auditedVersions, versionsOf } from './record-writing.ts'
import { SIGN, signatureOf, writtenNote } from './signing-desk.ts'

let clinic: RunningClinic
let behind: FaultyProcess
let patient: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  patient = first(await patientsOf(clinic, 'physician'))
  behind = await faultyProcess(clinic)
})
afterAll(async () => {
  await clinic.stop()
  await behind.stop()
})

describe('P2: a failure at any call leaves a signature with its audit, or nothing', () => {
  it.each(CALL_FAULTS)('when a call %s', { timeout: 120_000 }, async (_name, fault) => {
    await behind.atEachCall(fault, async (work) => {
      const id = await writtenNote(clinic, patient)
      const faulty = await work(() => behind.ask('physician', SIGN, { id, version: 1 }))
      const signature = await signatureOf(clinic, id)
      const isSigned = signature !== null
      expect(await versionsOf(clinic, id)).toEqual(isSigned ? [1] : [])
      expect(await auditedVersions(clinic.services, id)).toEqual(isSigned ? [1, 2] : [1])
      const answered = at(faulty.data, 'signDocument', 'signature')
      if (answered !== undefined && answered !== null) expect(answered).toEqual(signature)
      // the retry makes the signature once
      const again = await clinic.ask('physician', SIGN, { id, version: 1 })
      expect(again.errors).toEqual([])
      expect(at(again.data, 'signDocument')).toMatchObject({ version: 2, signature: isSigned ? signature : { valid: true } })
      expect(await versionsOf(clinic, id)).toEqual([1])
    })
  })
})
