import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancel, CUT, DROP_ANSWER, type Fault, PASS, refuse, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, first, patientsOf } from '../asking.ts'
import { auditedVersions, versionsOf } from './record-writing.ts'
import { SIGN, signatureOf, writtenNote } from './signing-desk.ts'

let clinic: RunningClinic
let proxy: HostileProxy
/** A process that reaches the tables through the proxy. */
let behind: Awaited<ReturnType<RunningClinic['another']>>
let patient: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 12, lakeside: 1 })
  patient = first(await patientsOf(clinic, 'physician'))
  proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // the SDK reads the variable itself, at a client's first request
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  behind = await clinic.another()
  await behind.ask('physician', '{ patients(first: 1) { edges { node { id } } } }')
})
afterAll(async () => {
  await clinic.stop()
  await proxy.stop()
})

/** Plays a fault at one call, counted from 0, and lets all others pass. Returns the number of calls. */
const playedAt = (place: number, fault: Fault): { readonly calls: readonly ServiceCall[] } => {
  const calls: ServiceCall[] = []
  proxy.play((call) => {
    // a retry of the SDK is the same call, and meets the same fault
    const known = calls.findIndex(({ invocation }) => invocation === call.invocation)
    if (known < 0) calls.push(call)
    return (known < 0 ? calls.length - 1 : known) === place ? fault : PASS
  })
  return { calls }
}

describe('P2: a failure at any call leaves a signature with its audit, or nothing', () => {
  it.each<readonly [string, Fault]>([
    ['is refused', refuse('InternalServerError', 500)],
    ['is cut off', CUT],
    ['is executed, and its answer is lost', DROP_ANSWER],
    ['meets another transaction', cancel('TransactionConflict')],
  ])('when a call %s', { timeout: 120_000 }, async (_name, fault) => {
    for (let place = 0; ; place++) {
      const id = await writtenNote(clinic, patient)
      const { calls } = playedAt(place, fault)
      const faulty = await behind.ask('physician', SIGN, { id, version: 1 })
      proxy.play(() => PASS)
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
      if (calls.length <= place) break
    }
  })
})
