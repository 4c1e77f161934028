import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openScrub } from '../../../gateway/open-scrub.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, patientsOf } from '../asking.ts'
import { DatabaseHand, refOf } from '../store/database-hand.ts'
import { codesOf } from './access-desk.ts'
import { APPROVE, HOLD, LIST, NO_RETENTION, requested, storedErasure } from './erasure-desk.ts'

let clinic: RunningClinic
let open: Awaited<ReturnType<RunningClinic['another']>>
let patients: string[]
beforeAll(async () => {
  clinic = await runClinic({ riverside: 8, lakeside: 1 })
  open = await clinic.another({ env: { PHI_RETENTION: NO_RETENTION } })
  patients = (await patientsOf(clinic, 'physician')).toSorted((one, other) =>
    Buffer.compare(Buffer.from(refOf(one).patient), Buffer.from(refOf(other).patient)),
  )
})
afterAll(async () => await clinic.stop())

const HOUR_MS = 3_600_000
const patientAt = (place: number): string => patients[place] ?? ''
const idsOf = (answer: ClinicAnswer) => nodesAt(answer.data, 'erasures').map((node) => (node as { patientId: string }).patientId)
const list = async (user = 'privacy', variables = {}): Promise<ClinicAnswer> => await open.ask(user, LIST, variables)

async function reported(): Promise<GatewayEvent[]> {
  const events: GatewayEvent[] = []
  await openScrub(clinic.stack.env, { events: (event) => events.push(event) }).run(0)
  return events.filter(({ event }) => event === 'ERASURE_UNFINISHED')
}

describe('C26: the list of unfinished erasures', () => {
  it('has requested and approved ones of the tenant, without their reasons, and records each one shown', async () => {
    const empty = await list()
    expect(idsOf(empty)).toEqual([])
    expect(await auditOf(clinic, empty)).toMatchObject([{ path: 'Query.erasures', outcome: 'ABSENT' }])

    await requested(open, patientAt(0))
    await storedErasure(clinic, patientAt(1), { requested: { at: 1, by: 'a' }, approved: { at: 2, by: 'b' } })
    await storedErasure(clinic, patientAt(2), { until: Date.now() - 1 })
    await open.ask('privacy', HOLD, { id: patientAt(3) })
    await open.ask('privacy', APPROVE, { id: await requested(open, patientAt(4)) })
    for (const user of ['admin', 'privacy']) {
      const shown = await list(user)
      expect(shown.errors).toEqual([])
      expect(nodesAt(shown.data, 'erasures')).toMatchObject([
        { patientId: patientAt(0), state: 'REQUESTED', reason: null },
        { patientId: patientAt(1), state: 'APPROVED', reason: null },
      ])
      expect(await auditOf(clinic, shown)).toMatchObject(
        [0, 1].map((place) => ({ path: 'Query.erasures', outcome: 'DISCLOSED', patient: refOf(patientAt(place)).patient })),
      )
    }
  })

  it('has pages, of which a page without an unfinished erasure does not end the list', async () => {
    await storedErasure(clinic, patientAt(5), {})
    const found: string[] = []
    let after: unknown = null
    for (let page = 0; page < 5; page++) {
      const answer = await list('privacy', { first: 1, after })
      found.push(...idsOf(answer))
      after = at(answer.data, 'erasures', 'pageInfo', 'endCursor')
      if (at(answer.data, 'erasures', 'pageInfo', 'hasNextPage') !== true) break
    }
    expect(found).toEqual([patientAt(0), patientAt(1), patientAt(5)])
    expect((await list('admin', { first: 1, after })).status).toBe(400)
    expect((await list('admin', { first: 0 })).status).toBe(400)
  })

  it('P4: is denied to other roles', async () => {
    for (const user of ['physician', 'patient', 'frontdesk'])
      expect(codesOf(await list(user))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE ROLE'])
  })

  it('P6: has an error for an erasure that was altered, and none for an entry that was added', async () => {
    const hand = new DatabaseHand(clinic)
    const key = { pk: { S: `riverside#${refOf(patientAt(5)).patient}` }, sk: { S: '#ERASURE' } }
    const item = await hand.read(key, 'ACCESS')
    await hand.put({ ...item, v: { B: Buffer.alloc(80) } }, 'ACCESS')
    await hand.put(
      { pk: { S: `riverside#${refOf(patientAt(6)).patient}` }, sk: { S: 'X' }, user: { S: 'riverside##ERASURE' } },
      'ACCESS',
    )
    const damaged = await list()
    expect(codesOf(damaged)).toEqual(['FIELD_UNAVAILABLE'])
    expect(nodesAt(damaged.data, 'erasures')).toHaveLength(3)
    expect(nodesAt(damaged.data, 'erasures')[2]).toBeNull()
    await hand.put(item, 'ACCESS')
    expect(idsOf(await list())).toHaveLength(3)
  })
})

it('C26: the scrub reports erasures that were approved an hour ago and not finished', async () => {
  // the one of the list was approved long ago
  expect(await reported()).toEqual([{ event: 'ERASURE_UNFINISHED', tenant: 'riverside', count: 1 }])
  await storedErasure(clinic, patientAt(1), { requested: { at: 1, by: 'a' }, approved: { at: Date.now() - HOUR_MS / 2, by: 'b' } })
  expect(await reported()).toEqual([])
  const erasure = await storedErasure(clinic, patientAt(1), { requested: { at: 1, by: 'a' }, approved: { at: 2, by: 'b' } })
  expect(at((await open.ask('privacy', APPROVE, { id: erasure })).data, 'approveErasure', 'state')).toBe('ERASED')
  expect(await reported()).toEqual([])
})
