import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sealAccessItem } from '../../../gateway/crypto/access-seal.ts'
import { userToken } from '../../../gateway/crypto/tokens.ts'
import { hourPlace } from '../../../gateway/store/break-glass.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, madeUpId, nodesAt, outcomesOf, RIVERSIDE } from '../asking.ts'
import { DatabaseHand, flipped, type Item, refOf } from '../store/database-hand.ts'
import { BREAK_FOR, type Desk, openDesk } from './break-glass-desk.ts'
import { END } from './break-glass-ward.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const QUEUE = `query ($grants: Int = 100, $first: Int = 60, $skip: Int = 0) {
  breakGlassGrants(first: $grants) { edges { node { id patientId userId since until reason renewalCount renewals(first: $first, skip: $skip) {
    at until reason
  } } } }
}`

let clinic: RunningClinic
let now: Awaited<ReturnType<RunningClinic['another']>>
let desk: Desk
let hand: DatabaseHand
let ahead = 0
let start: number

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  // the clock begins with an hour and moves only by `ahead`, so that no test meets the end of an hour by chance
  start = Math.ceil(Date.now() / HOUR) * HOUR
  now = await clinic.another({ now: () => start + ahead })
  desk = await openDesk(now.services)
})
afterAll(async () => {
  await desk.stop()
  await clinic.stop()
})
beforeEach(() => {
  // past every grant of the tests before
  ahead = Math.ceil(ahead / HOUR) * HOUR + 24 * HOUR
})

const breakGlass = async (user: string, id: string, reason = 'found unconscious', minutes = 30): Promise<ClinicAnswer> =>
  await desk.ask(user, BREAK_FOR, { id, reason, minutes })
const granted = (answer: ClinicAnswer): Record<string, unknown> => {
  expect(answer.errors).toEqual([])
  return at(answer.data, 'breakGlass') as Record<string, unknown>
}
const codesOf = ({ errors }: ClinicAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
const queueOf = async (patientId: string, variables: Record<string, unknown> = {}): Promise<unknown[]> => {
  const answer = await desk.ask('privacy', QUEUE, variables)
  return nodesAt(answer.data, 'breakGlassGrants').filter((node) => at(node, 'patientId') === patientId)
}
const eventsSince = (from: number): unknown[] =>
  now.events
    .slice(from)
    .flatMap((event) => (event.event === 'BREAK_GLASS' || event.event === 'ACCESS_ITEM_FORGED' ? [event.what] : []))
/** Minutes from the beginning of a test to a time. */
const minutesTo = (time: unknown, from: number): number => (Date.parse(String(time)) - start - from) / MINUTE

describe('C02: a further call for a patient renews the open grant', () => {
  it('moves the end, up to the maximum from the beginning, with each reason in one entry of the queue', async () => {
    const [patient, from, events] = [madeUpId(), ahead, now.events.length]
    const { id, renewals } = granted(await breakGlass('ann', patient, 'found unconscious', 30))
    expect(renewals).toBeNull()
    ahead += 20 * MINUTE
    const second = await breakGlass('ann', patient, 'still unconscious', 60)
    expect(granted(second)).toMatchObject({ id, renewalCount: 1 })
    expect(minutesTo(granted(second)['until'], from)).toBe(80)
    const [record] = await auditOf(clinic, second)
    expect(record).toMatchObject({
      path: 'Mutation.breakGlass',
      action: 'UPDATE',
      outcome: 'WRITTEN',
      recordId: refOf(String(id)).id,
    })
    // a shorter time does not shorten the grant
    expect(minutesTo(granted(await breakGlass('ann', patient, 'one more look', 1))['until'], from)).toBe(80)
    ahead += 55 * MINUTE
    expect(minutesTo(granted(await breakGlass('ann', patient, 'surgery', 240))['until'], from)).toBe(240)
    expect(eventsSince(events)).toEqual(['BROKEN', 'RENEWED', 'RENEWED', 'RENEWED'])

    const [entry, ...others] = await queueOf(patient)
    expect(others).toEqual([])
    expect(entry).toMatchObject({ id, userId: 'ann', reason: 'found unconscious', renewalCount: 3 })
    const texts = at(entry, 'renewals') as { at: string; until: string; reason: string }[]
    expect(texts.map(({ reason, at: time, until }) => [reason, minutesTo(time, from), minutesTo(until, from)])).toEqual([
      ['still unconscious', 20, 80],
      ['one more look', 20, 80],
      ['surgery', 75, 240],
    ])
    ahead = from + 240 * MINUTE
    const next = granted(await breakGlass('ann', patient))
    expect(next['id']).not.toBe(id)
    expect(await queueOf(patient)).toHaveLength(2)
  })

  it('keeps the reasons of many renewals, gives them in pages, and records each opened one', async () => {
    const patient = madeUpId()
    await breakGlass('bea', patient, 'reason 0', 1)
    for (let index = 1; index <= 40; index++) granted(await breakGlass('bea', patient, `reason ${index}`, 2))
    const [entry] = await queueOf(patient)
    const reasons = (node: unknown): unknown[] => (at(node, 'renewals') as unknown[]).map((one) => at(one, 'reason'))
    expect(reasons(entry)).toEqual(Array.from({ length: 40 }, (_, index) => `reason ${index + 1}`))
    expect(reasons(first(await queueOf(patient, { first: 5, skip: 30 })))).toEqual(
      [31, 32, 33, 34, 35].map((one) => `reason ${one}`),
    )
    expect(reasons(first(await queueOf(patient, { first: 5, skip: 40 })))).toEqual([])
    const answer = await desk.ask('privacy', QUEUE, { first: 3, skip: 0 })
    const opened = (await auditOf(clinic, answer)).filter(
      ({ path, recordId }) => path === 'BreakGlassRenewal.reason' && recordId === refOf(String(at(entry, 'id'))).id,
    )
    expect(opened.map(({ outcome }) => outcome)).toEqual(['DISCLOSED', 'DISCLOSED', 'DISCLOSED'])
    for (const variables of [{ first: 0 }, { first: 101 }, { skip: -1 }])
      expect(codesOf(await desk.ask('privacy', QUEUE, { grants: 10, ...variables }))).toEqual(['BAD_USER_INPUT'])
  })

  it('another user has a grant of their own, and an ended grant is not renewed', async () => {
    const patient = madeUpId()
    const one = granted(await breakGlass('cem', patient))
    const other = granted(await breakGlass('dan', patient))
    expect(other['id']).not.toBe(one['id'])
    await desk.ask('cem', END, { id: one['id'] })
    expect(granted(await breakGlass('cem', patient))['id']).not.toBe(one['id'])
    expect(await queueOf(patient)).toHaveLength(3)
  })

  it('P6: removed or altered renewals are reported, and do not prevent the next renewal', async () => {
    const patient = madeUpId()
    await breakGlass('eva', patient)
    await breakGlass('eva', patient, 'renewed once')
    const renewals = async (): Promise<Item> =>
      first((await hand.all(patient, 'BREAK_GLASS')).filter(({ sk }) => sk?.S?.startsWith('RENEWALS#')))
    const item = await renewals()
    const isDamaged = async (what: string): Promise<void> => {
      const from = now.events.length
      const answer = await desk.ask('privacy', QUEUE)
      expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
      const node = nodesAt(answer.data, 'breakGlassGrants').find((one) => at(one, 'patientId') === patient)
      expect(node).toMatchObject({ renewalCount: 1, renewals: null })
      expect(eventsSince(from)).toEqual([what])
      expect(outcomesOf(await auditOf(clinic, answer))).toContain('BreakGlassGrant.renewals UNAVAILABLE INTEGRITY')
    }
    await hand.put({ ...item, v: flipped(item['v']) }, 'BREAK_GLASS')
    await isDamaged('ALTERED')
    await hand.remove(item, 'BREAK_GLASS')
    await isDamaged('MISSING')
    const from = now.events.length
    expect(granted(await breakGlass('eva', patient, 'renewed twice'))).toMatchObject({ renewalCount: 2 })
    expect(eventsSince(from)).toEqual(['MISSING', 'RENEWED'])
    // the damaged renewal stays damaged, and the next one is listed
    expect(first(await queueOf(patient, { first: 1, skip: 1 }))).toMatchObject({ renewals: [{ reason: 'renewed twice' }] })
    await hand.put(item, 'BREAK_GLASS')
    expect(at(first(await queueOf(patient)), 'renewals')).toMatchObject([{ reason: 'renewed once' }, { reason: 'renewed twice' }])
  })
})

describe('C02: the number of break-glass calls is limited', () => {
  it('a user opens 60 patients in an hour; the next one is refused, and a renewal or an opened patient is not', async () => {
    const patients = Array.from({ length: 60 }, madeUpId)
    const answers = await Promise.all(patients.map(async (patient) => await breakGlass('fay', patient)))
    expect(answers.flatMap(({ errors }) => errors)).toEqual([])
    const from = now.events.length
    const beyond = madeUpId()
    const refused = await breakGlass('fay', beyond)
    expect([refused.status, refused.data]).toEqual([429, undefined])
    expect(refused.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'PHI_BUDGET_EXCEEDED', budget: 'BREAK_GLASS' }])
    const [record] = await auditOf(clinic, refused)
    expect(record).toMatchObject({
      path: 'Mutation.breakGlass',
      outcome: 'DENIED',
      reason: 'BUDGET',
      patient: refOf(beyond).patient,
    })
    expect(eventsSince(from)).toEqual(['REFUSED'])
    expect(await queueOf(beyond)).toEqual([])

    const [opened = ''] = patients
    const { id } = granted(await breakGlass('fay', opened))
    await desk.ask('fay', END, { id })
    expect(granted(await breakGlass('fay', opened))['id']).not.toBe(id)
    // the limit is of one user and one hour
    granted(await breakGlass('gus', beyond))
    ahead += HOUR
    granted(await breakGlass('fay', beyond))
  })

  it('a user begins a limited number of grants in an hour, of the same patient too', async () => {
    const patient = madeUpId()
    const { id } = granted(await breakGlass('gil', patient))
    await desk.ask('gil', END, { id })
    const { keyring } = now.services
    const place = hourPlace(RIVERSIDE, userToken(await keyring.purposeKey(RIVERSIDE, 'lookup'), 'gil'))
    const count = { hour: Math.floor((start + ahead) / HOUR), grants: 1_200, patients: [refOf(patient).patient] }
    const sealed = sealAccessItem(await keyring.purposeKey(RIVERSIDE, 'access'), place, count)
    await hand.put({ pk: { S: place.pk }, sk: { S: place.sk }, v: { B: sealed } }, 'BREAK_GLASS')
    expect((await breakGlass('gil', patient)).status).toBe(429)
    ahead += HOUR
    granted(await breakGlass('gil', patient))
  })

  it('a damaged count never closes an emergency, and is reported', async () => {
    granted(await breakGlass('hal', madeUpId()))
    const { keyring } = now.services
    const { pk, sk } = hourPlace(RIVERSIDE, userToken(await keyring.purposeKey(RIVERSIDE, 'lookup'), 'hal'))
    const item = await hand.read({ pk: { S: pk }, sk: { S: sk } }, 'BREAK_GLASS')
    await hand.put({ ...item, v: flipped(item['v']) }, 'BREAK_GLASS')
    const from = now.events.length
    granted(await breakGlass('hal', madeUpId()))
    expect(eventsSince(from)).toEqual(['ALTERED', 'BROKEN'])
  })

  it.each([
    [
      'two aliases',
      '{ a: breakGlass(patientId: $one, reason: "x") { id } b: breakGlass(patientId: $two, reason: "x") { id } }',
      '',
    ],
    [
      'a fragment',
      '{ breakGlass(patientId: $one, reason: "x") { id } ...Again }',
      'fragment Again on Mutation { again: breakGlass(patientId: $two, reason: "x") { id } }',
    ],
  ])('an operation with two calls is refused before any work: %s', async (_name, selection, fragment) => {
    const [one, two, from] = [madeUpId(), madeUpId(), now.events.length]
    const { breakGlass: table } = now.services
    const requests = table.counter.requests
    const answer = await desk.ask('ida', `mutation ($one: ID!, $two: ID!) ${selection} ${fragment}`, { one, two })
    expect([answer.status, codesOf(answer)]).toEqual([400, ['OPERATION_TOO_COSTLY']])
    expect(table.counter.requests).toBe(requests)
    expect(eventsSince(from)).toEqual([])
    for (const patient of [one, two]) expect(await hand.all(patient, 'BREAK_GLASS')).toEqual([])
  })

  it('a call that @skip leaves out does not count', async () => {
    const query = `mutation ($id: ID!) {
      a: breakGlass(patientId: $id, reason: "x") @skip(if: true) { id } b: breakGlass(patientId: $id, reason: "x") { id }
    }`
    const answer = await desk.ask('jan', query, { id: madeUpId() })
    expect(answer.errors).toEqual([])
    expect(at(answer.data, 'b', 'id')).toEqual(expect.any(String))
  })
})

describe('C02: concurrent calls for one patient', () => {
  it('12 users at once each get a grant while another user floods the patient from two processes', async () => {
    const patient = madeUpId()
    const { services } = await clinic.another({ now: () => start + ahead })
    const elsewhere = await openDesk(services)
    let isOver = false
    let flooded = 0
    const flood = async (from: Desk, user: string): Promise<void> => {
      while (!isOver) {
        const answer = await from.ask(user, BREAK_FOR, { id: patient, reason: 'again', minutes: 5 })
        const id = at(answer.data, 'breakGlass', 'id')
        if (typeof id === 'string' && flooded++ % 2 === 0) await from.ask(user, END, { id })
      }
    }
    try {
      const events = now.events.length
      const floods = [desk, desk, desk, elsewhere, elsewhere, elsewhere].map(async (from) => await flood(from, 'flooder'))
      const users = Array.from({ length: 12 }, (_, index) => `user-${index}`)
      const answers = await Promise.all(users.map(async (user) => await breakGlass(user, patient)))
      isOver = true
      await Promise.all(floods)
      expect(flooded).toBeGreaterThan(3)
      expect(answers.flatMap(({ errors }) => errors)).toEqual([])
      const ids = new Set(answers.map((answer) => granted(answer)['id']))
      expect(ids.size).toBe(12)
      expect(eventsSince(events)).not.toEqual(expect.arrayContaining(['ALTERED']))
      expect(now.events.slice(events).filter(({ event }) => event === 'ACCESS_ITEM_FORGED')).toEqual([])
    } finally {
      isOver = true
      await elsewhere.stop()
    }
  })

  it('12 calls at once of one user are one grant with eleven renewals', async () => {
    const patient = madeUpId()
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => await breakGlass('kim', patient, `call ${index}`)),
    )
    expect(new Set(answers.map((answer) => granted(answer)['id'])).size).toBe(1)
    const [entry, ...others] = await queueOf(patient)
    expect(others).toEqual([])
    const reasons = [at(entry, 'reason'), ...(at(entry, 'renewals') as unknown[]).map((one) => at(one, 'reason'))]
    expect(reasons.toSorted()).toEqual(Array.from({ length: 12 }, (_, index) => `call ${index}`).toSorted())
  })
})
