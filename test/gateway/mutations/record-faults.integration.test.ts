import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cancel, CUT, DROP_ANSWER, type Fault, PASS, refuse, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, first, patientsOf } from '../asking.ts'
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
let proxy: HostileProxy
/** A process that reaches the tables through the proxy. */
let behind: Awaited<ReturnType<RunningClinic['another']>>
let patient: string
let keys = 0

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

type Ask = (user: string, query: string, variables: Record<string, unknown>) => Promise<ClinicAnswer>
type Act = (ask: Ask, key: string) => Promise<ClinicAnswer>

const directly: Ask = async (...asked) => await clinic.ask(...asked)
const throughProxy: Ask = async (...asked) => await behind.ask(...asked)

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

const created = async (): Promise<string> => {
  const answer = await clinic.ask('physician', CREATE_OBSERVATION, { patient, input: HEART_RATE, key: `base-${++keys}` })
  return String(at(answer.data, 'createObservation', 'record', 'id'))
}

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['is refused', refuse('InternalServerError', 500)],
  ['is cut off', CUT],
  ['is executed, and its answer is lost', DROP_ANSWER],
  ['meets another transaction', cancel('TransactionConflict')],
]

describe('P2: a failure at any call leaves a whole change with its audit, or nothing', () => {
  it.each(FAULTS)('create, when a call %s', { timeout: 120_000 }, async (_name, fault) => {
    const input = { ...HEART_RATE, interpretation: 'N' }
    const act: Act = (ask, key) => ask('physician', CREATE_OBSERVATION, { patient, input, key })
    for (let place = 0; ; place++) {
      const key = `create-${++keys}`
      const before = await listedVersions(clinic, patient)
      const { calls } = playedAt(place, fault)
      await act(throughProxy, key)
      proxy.play(() => PASS)
      const after = await listedVersions(clinic, patient)
      const added = [...after.keys()].filter((id) => !before.has(id))
      expect(added.length).toBeLessThanOrEqual(1)
      for (const id of added) expect(await auditedVersions(clinic.services, id)).toEqual([1])
      // the retry makes the change once
      const again = await act(directly, key)
      expect(again.errors).toEqual([])
      const id = String(at(again.data, 'createObservation', 'record', 'id'))
      if (added.length > 0) expect([id]).toEqual(added)
      expect((await listedVersions(clinic, patient)).size).toBe(before.size + 1)
      if (calls.length <= place) break
    }
  })

  it.each(FAULTS)('update, when a call %s', { timeout: 120_000 }, async (_name, fault) => {
    for (let place = 0; ; place++) {
      const id = await created()
      const key = `update-${++keys}`
      const act: Act = (ask) => ask('physician', UPDATE_OBSERVATION, { id, version: 1, patch: { interpretation: 'H' }, key })
      const { calls } = playedAt(place, fault)
      await act(throughProxy, key)
      proxy.play(() => PASS)
      const version = (await listedVersions(clinic, patient)).get(id) ?? 0
      expect(await versionsOf(clinic, id)).toEqual(version === 2 ? [1] : [])
      expect(await auditedVersions(clinic.services, id)).toEqual(version === 2 ? [1, 2] : [1])
      const again = await act(directly, key)
      expect(at(again.data, 'updateObservation', 'version')).toBe(2)
      expect(await versionsOf(clinic, id)).toEqual([1])
      if (calls.length <= place) break
    }
  })

  it.each(FAULTS)('retract, when a call %s', { timeout: 120_000 }, async (_name, fault) => {
    for (let place = 0; ; place++) {
      const id = await created()
      const act: Act = (ask) => ask('physician', RETRACT_OBSERVATION, { id, version: 1, reason: 'wrong person' })
      const { calls } = playedAt(place, fault)
      await act(throughProxy, '')
      proxy.play(() => PASS)
      const isListed = (await listedVersions(clinic, patient)).has(id)
      expect(await versionsOf(clinic, id)).toEqual(isListed ? [] : [1, 2])
      expect(await auditedVersions(clinic.services, id)).toEqual(isListed ? [1] : [1, 2])
      await act(directly, '')
      expect(await versionsOf(clinic, id)).toEqual([1, 2])
      if (calls.length <= place) break
    }
  })
})
