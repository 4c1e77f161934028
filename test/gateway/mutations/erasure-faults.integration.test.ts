import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { comparisonOf } from '../../../directives/comparisons.ts'
import { CUT, DROP_ANSWER, PASS, refuse } from '../../hostile/faults.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { fetchToken } from '../../../infra/local/token.ts'
import { Admissions } from '../admitted.ts'
import { at, RIVERSIDE } from '../asking.ts'
import { clinic as compiled } from '../decide/clinic-policy.ts'
import { refOf } from '../store/database-hand.ts'
import { codesOf } from './access-desk.ts'
import { APPROVE, entriesOf, NO_RETENTION, requested } from './erasure-desk.ts'
import { CALL_FAULTS, type FaultyProcess, faultyProcess } from './faults-at-calls.ts'
import { CREATE_OBSERVATION, HEART_RATE } from './record-writing.ts'

let clinic: RunningClinic
let store: SealedStore
/** A process that reaches the tables directly. */
let direct: Awaited<ReturnType<RunningClinic['another']>>
let behind: FaultyProcess
let count = 0

const env = { PHI_RETENTION: NO_RETENTION }

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  direct = await clinic.another({ env })
  await direct.ask('admin', '{ viewer { userId } }')
  const { policy } = compiled
  store = await openStore(
    RIVERSIDE,
    policy.digest,
    clinic.stack.env,
    [...policy.searchable.values()],
    'existing',
    comparisonOf(policy.comparisons),
  )
  behind = await faultyProcess(clinic, env)
})
afterAll(async () => {
  await store.close()
  await clinic.stop()
  await behind.stop()
})

const NAME = 'query ($id: ID!) { patient(id: $id) { familyName } }'

/** A new patient with a requested erasure. Each coverage has an entry in the search index. */
async function patientWith(
  coverages: number,
): Promise<{ readonly id: string; readonly erasure: string; readonly entries: number }> {
  const name = `patient-${++count}`
  const ward = new Admissions(store)
  const date = '2020-01-01T00:00:00.000Z'
  await ward.write(
    name,
    [
      ward.record(
        name,
        'Patient',
        '',
        { familyName: name, birthDate: '1980-01-01', mrn: `MR ${name}`, phone: '+1 555 0100' },
        { date },
      ),
      ...Array.from({ length: coverages }, (_, number) =>
        ward.record(name, 'Coverage', String(number), { subscriberId: `${name} ${number}` }, { date }),
      ),
    ],
    ['physician'],
  )
  const id = ward.id(name)
  return { id, erasure: await requested(direct, id), entries: (await entriesOf(clinic, id)).length }
}

const stateOf = async (erasure: string) =>
  String(
    at((await direct.ask('privacy', 'query ($id: ID!) { erasure(id: $id) { state } }', { id: erasure })).data, 'erasure', 'state'),
  )

/** Whether a process without memory reads the patient, and that nothing is in between. */
async function isWhole(id: string): Promise<boolean> {
  const cold = await direct.ask('physician', NAME, { id })
  const name = at(cold.data, 'patient', 'familyName')
  if (typeof name === 'string') return true
  expect(codesOf(cold)).toEqual(['FIELD_ERASED'])
  return false
}

/** The audit records of finished erasures of a patient. */
const audited = async (id: string) =>
  (await direct.services.history.entriesBy('patient', RIVERSIDE, refOf(id).patient)).filter(
    ({ path, action, outcome }) => path === '#erasure' && action === 'DELETE' && outcome === 'WRITTEN',
  ).length

describe('C26, P2: a failure at any call of an approval leaves everything or nothing, and the next call finishes', () => {
  it.each(CALL_FAULTS)('when a call %s', { timeout: 240_000 }, async (_name, fault) => {
    await behind.atEachCall(fault, async (work) => {
      const { id, erasure, entries } = await patientWith(1)
      await work(() => behind.ask('privacy', APPROVE, { id: erasure }))
      const whole = await isWhole(id)
      expect([await stateOf(erasure), (await entriesOf(clinic, id)).length, await audited(id)]).toEqual(
        whole ? ['REQUESTED', entries, 0] : ['ERASED', 0, 1],
      )
      const again = await direct.ask('privacy', APPROVE, { id: erasure })
      expect(at(again.data, 'approveErasure', 'state')).toBe('ERASED')
      expect([await isWhole(id), await entriesOf(clinic, id), await audited(id)]).toEqual([false, [], 1])
    })
  })

  it('of a patient with more entries than a transaction holds', { timeout: 240_000 }, async () => {
    const { id, erasure, entries } = await patientWith(150)
    expect(entries).toBeGreaterThan(150)
    const states: string[] = []
    for (let place = 0; ; place++) {
      let calls = 0
      // an error that no client repeats, from this call on
      behind.play(() => (calls++ >= place ? refuse('ResourceNotFoundException') : PASS))
      await behind.ask('privacy', APPROVE, { id: erasure })
      behind.play(() => PASS)
      const state = await stateOf(erasure)
      states.push(state)
      expect(await isWhole(id)).toBe(state !== 'ERASED')
      if (calls <= place) break
    }
    // the approval is stored with the first entries that are removed
    expect([...new Set(states)]).toEqual(['REQUESTED', 'APPROVED', 'ERASED'])
    expect([await entriesOf(clinic, id), await audited(id)]).toEqual([[], 1])
  })
})

describe('C26: writers at the same time', () => {
  it('come before the erasure, or get FIELD_ERASED; nothing of them remains', { timeout: 120_000 }, async () => {
    for (let round = 0; round < 3; round++) {
      const { id, erasure } = await patientWith(3)
      const writers = Array.from({ length: 4 }, async (_, number) =>
        direct.ask('physician', CREATE_OBSERVATION, { patient: id, input: HEART_RATE, key: `race-${round}-${number}` }),
      )
      const [approved, ...written] = await Promise.all([behind.ask('privacy', APPROVE, { id: erasure }), ...writers])
      for (const answer of written) expect([[], ['FIELD_ERASED']]).toContainEqual(codesOf(answer))
      expect(at(approved.data, 'approveErasure', 'state')).toBe('ERASED')
      expect([await isWhole(id), await entriesOf(clinic, id)]).toEqual([false, []])
    }
  })
})

describe('C26: kill -9 in an approval', () => {
  it('loses nothing, and the next call finishes', { timeout: 240_000 }, async () => {
    const token = await fetchToken(clinic.stack, 'privacy')
    const child = (erasure: string) => {
      const script = new URL('erasing-process.ts', import.meta.url).pathname
      const started = spawn(process.execPath, [script], {
        env: {
          ...process.env,
          ...clinic.stack.env,
          ...env,
          AWS_ENDPOINT_URL_DYNAMODB: behind.endpoint,
          TOKEN: token,
          ERASURE: erasure,
        },
        stdio: 'ignore',
      })
      return { started, ended: once(started, 'exit') }
    }
    for (const [coverages, at_, isDone] of [
      [1, 1, false],
      [150, 2, false],
      [1, 1, true],
    ] as const) {
      const { id, erasure } = await patientWith(coverages)
      let transactions = 0
      let kill = (): void => undefined
      behind.play((call) => {
        if (call.operation !== 'TransactWriteItems' || ++transactions !== at_) return PASS
        kill()
        return isDone ? DROP_ANSWER : CUT
      })
      const { started, ended } = child(erasure)
      kill = () => void started.kill('SIGKILL')
      const [, signal] = (await ended) as [number | null, string | null]
      expect(signal).toBe('SIGKILL')
      behind.play(() => PASS)
      expect([await stateOf(erasure), await isWhole(id)]).toEqual(
        isDone ? ['ERASED', false] : [coverages > 1 ? 'APPROVED' : 'REQUESTED', true],
      )
      const again = await direct.ask('privacy', APPROVE, { id: erasure })
      expect(at(again.data, 'approveErasure', 'state')).toBe('ERASED')
      expect([await isWhole(id), await entriesOf(clinic, id), await audited(id)]).toEqual([false, [], 1])
    }
  })
})
