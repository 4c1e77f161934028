import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { OwnTeamMembership } from '../../../gateway/access/own-team.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { DROP_ANSWER, PASS, refuse } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, RIVERSIDE } from '../asking.ts'
import { refOf } from '../store/database-hand.ts'
import { ADD, admitted, conditionsOf, END, RECORD, teamOf, WITHDRAW } from './access-desk.ts'

const CARE_TEAM = { relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] } as const
const DENY = { effect: 'DENY', sensitivities: ['HIV'] }
/** More calls than a mutation makes. */
const MANY_CALLS = 60
const MANY_MS = 240_000

let clinic: RunningClinic
let proxy: HostileProxy
let ask: RunningClinic['ask']
let patient: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  patient = (await admitted(clinic, 'Outage', [[], ['HIV']], [CARE_TEAM])).id
  proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // the SDK reads the variable at the first request of a client
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  ask = (await clinic.another()).ask
  await ask('admin', ADD, { id: patient, user: 'Practitioner/warm' })
  await ask('privacy', RECORD, { id: patient, input: { effect: 'DENY', actor: 'Practitioner/warm' } })
})
afterAll(async () => {
  await clinic.stop()
  await proxy.stop()
})
afterEach(() => {
  proxy.play(() => PASS)
})

/** Runs the work while each call from this one on is refused, except those that write the audit alone. Returns the calls. */
async function refusedFrom<Result>(first: number, work: () => Promise<Result>): Promise<{ result: Result; calls: number }> {
  const { PHI_TABLE_AUDIT, PHI_TABLE_ACCESS, PHI_TABLE_RECORDS } = clinic.stack.env
  let calls = 0
  proxy.play((call) => {
    if (call.names(PHI_TABLE_AUDIT) && ![PHI_TABLE_ACCESS, PHI_TABLE_RECORDS].some((table) => call.names(table))) return PASS
    // an error that no client repeats
    return calls++ >= first ? refuse('ResourceNotFoundException') : PASS
  })
  try {
    return { result: await work(), calls }
  } finally {
    proxy.play(() => PASS)
  }
}

/** Whether the membership of a person holds, and whether the record of the member shows it. Both come from a process without faults. */
async function stateOf(user: string): Promise<{ holds: boolean; isShown: boolean }> {
  const { access, keyring } = clinic.services
  const membership = await OwnTeamMembership.read({ access, keyring }, RIVERSIDE, {
    patient: refOf(patient).patient,
    fhirUser: user,
  })
  const now = Date.now() as Instant
  const shown = (await teamOf(clinic, 'physician', patient)).filter((one) => one.userId === user)
  return {
    holds: membership.overlapping({ since: now, until: (now + 1) as Instant }) !== undefined,
    isShown: shown.some(({ period }) => period?.end === null),
  }
}

const failed = (answer: ClinicAnswer): boolean => answer.status !== 200 || answer.errors.length > 0

describe('a store that fails at any call leaves all of a change or nothing', () => {
  it(
    'care teams',
    async () => {
      for (let call = 0; call < MANY_CALLS; call++) {
        const user = `Practitioner/add-${call}`
        const { result: added, calls } = await refusedFrom(call, async () => await ask('admin', ADD, { id: patient, user }))
        const state = await stateOf(user)
        expect(state.holds).toBe(state.isShown)
        if (!failed(added)) expect(state.holds).toBe(true)
        if (calls <= call) break
      }
      expect((await ask('admin', ADD, { id: patient, user: 'Practitioner/end' })).errors).toEqual([])
      const id = (await teamOf(clinic, 'physician', patient)).find(({ userId }) => userId === 'Practitioner/end')?.id
      for (let call = 0; call < MANY_CALLS; call++) {
        const { result: ended, calls } = await refusedFrom(call, async () => await ask('admin', END, { id }))
        const state = await stateOf('Practitioner/end')
        expect(state.holds).toBe(state.isShown)
        if (!failed(ended)) expect(state.holds).toBe(false)
        if (calls <= call) break
      }
      expect(await stateOf('Practitioner/end')).toEqual({ holds: false, isShown: false })
    },
    MANY_MS,
  )

  it(
    'consents',
    async () => {
      const isOpen = async (): Promise<boolean> => (await conditionsOf(clinic, 'physician', patient)).includes('HIV')
      let recorded: ClinicAnswer | undefined
      for (let call = 0; call < MANY_CALLS; call++) {
        const { result, calls } = await refusedFrom(call, async () => await ask('privacy', RECORD, { id: patient, input: DENY }))
        if (!failed(result)) {
          recorded = result
          expect(await isOpen()).toBe(false)
        }
        if (calls <= call) break
      }
      const id = String(at(recorded?.data, 'recordConsent', 'id'))
      let isWithdrawn = false
      for (let call = 0; call < MANY_CALLS; call++) {
        const { result, calls } = await refusedFrom(call, async () => await ask('privacy', WITHDRAW, { id }))
        // a failed withdrawal leaves the denial, except if it was stored and its answer was lost
        if (!failed(result)) isWithdrawn = true
        if (calls <= call) break
      }
      expect([isWithdrawn, await isOpen()]).toEqual([true, true])
    },
    MANY_MS,
  )

  it(
    'a lost answer of the transaction fails the request, and the same call again finds what was stored',
    async () => {
      const user = 'Practitioner/lost'
      const dropped = async (work: () => Promise<ClinicAnswer>): Promise<ClinicAnswer> => {
        proxy.play((call) => (call.operation === 'TransactWriteItems' ? DROP_ANSWER : PASS))
        const answer = await work()
        proxy.play(() => PASS)
        return answer
      }
      const lost = await dropped(async () => await ask('admin', ADD, { id: patient, user }))
      expect(lost.status).toBe(503)
      expect(await stateOf(user)).toEqual({ holds: true, isShown: true })
      const again = await ask('admin', ADD, { id: patient, user })
      expect(again.errors).toEqual([])
      expect((await teamOf(clinic, 'physician', patient)).filter(({ userId }) => userId === user)).toHaveLength(1)

      const unsaid = await dropped(async () => await ask('privacy', RECORD, { id: patient, input: DENY }))
      expect(unsaid.status).toBe(503)
      expect(await conditionsOf(clinic, 'physician', patient)).toEqual([''])
      const said = await ask('privacy', RECORD, { id: patient, input: DENY })
      expect(said.errors).toEqual([])
      await ask('privacy', WITHDRAW, { id: String(at(said.data, 'recordConsent', 'id')) })
      expect(await conditionsOf(clinic, 'physician', patient)).toEqual(['', 'HIV'])
    },
    MANY_MS,
  )
})
