import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { breakGlassGrants } from '../../../gateway/access/break-glass.ts'
import { createGateway } from '../../../gateway/create-gateway.ts'
import { clinicResolvers } from '../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import { SealedSource } from '../../../gateway/store/sealed-source.ts'
import type { Caller } from '../../../gateway/model/decision.ts'
import type { UserId } from '../../../gateway/model/ids.ts'
import type { Role } from '../../../directives/policy.ts'
import { bytesOf, type ClinicAnswer, read, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { RELATIONSHIPS } from '../decide/clinic-policy.ts'
import { at, auditOf, first, nodesAt, outcomesOf, patientsOf, RIVERSIDE } from '../asking.ts'
import { DatabaseHand, flipped, type Item, refOf } from '../store/database-hand.ts'
import { admit, BREAK, CHART, END } from './break-glass-ward.ts'

const MINUTE = 60_000
const REASON = 'found unconscious'
const NOTE = 'opal-heron-note'

let clinic: RunningClinic
let hand: DatabaseHand
let ada: string
let ben: string
let ahead = 0
let now: Awaited<ReturnType<RunningClinic['another']>>

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  ada = await admit(clinic, 'ada', [])
  ben = await admit(clinic, 'ben', [])
  now = await clinic.another({ now: () => Date.now() + ahead })
})
afterAll(() => clinic.stop())

const LIST = `query ($first: Int = 100, $after: String, $reviewed: Boolean) {
  breakGlassGrants(first: $first, after: $after, reviewed: $reviewed) {
    edges { node { id patientId userId since until endedAt reviewed finding reviewedBy reviewedAt } }
    pageInfo { hasNextPage endCursor }
  }
}`
const TEXTS = '{ breakGlassGrants(first: 100) { edges { node { id a: reason b: reason note } } } }'
const REVIEW = `mutation ($id: ID!, $finding: BreakGlassFinding!, $note: String) {
  reviewBreakGlass(id: $id, finding: $finding, note: $note) { id reviewed finding reviewedBy note }
}`

const breakGlass = async (patient: string, user = 'physician', minutes = 5): Promise<string> => {
  const answer = await now.ask(user, BREAK, { id: patient, minutes }, { 'x-purpose-of-use': 'BTG' })
  expect(answer.errors).toEqual([])
  return String(at(answer.data, 'breakGlass', 'id'))
}
/** Creates a grant, then ends it as its holder. */
const done = async (patient: string, user = 'physician'): Promise<string> => {
  const id = await breakGlass(patient, user)
  expect((await now.ask(user, END, { id })).errors).toEqual([])
  return id
}
const list = async (reviewed = false, variables: Record<string, unknown> = {}): Promise<ClinicAnswer> =>
  await now.ask('privacy', LIST, { reviewed, ...variables })
const idsOf = (answer: ClinicAnswer): unknown[] => nodesAt(answer.data, 'breakGlassGrants').map((node) => at(node, 'id'))
const review = async (id: string, finding: string, note?: string, user = 'privacy'): Promise<ClinicAnswer> =>
  await now.ask(user, REVIEW, { id, finding, note })
const codesOf = (answer: ClinicAnswer): unknown[] => answer.errors.map(({ extensions }) => extensions['code'])
const queued = async (id: string): Promise<Item> => {
  const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_BREAK_GLASS }))
  return first(Items.filter(({ pk, sk }) => pk?.S?.includes('#REVIEW') === true && sk?.S?.endsWith(refOf(id).id)))
}
const faultsSince = (from: number): unknown[] =>
  now.events.slice(from).flatMap((event) => (event.event === 'ACCESS_ITEM_FORGED' ? [event.what] : []))

describe('C02: each break-glass grant waits for a review', () => {
  it('lists user, patient, time and reason; the audit records each listed grant and each opened reason', async () => {
    const id = await breakGlass(ada)
    const shown = await list()
    const node = nodesAt(shown.data, 'breakGlassGrants').find((one) => at(one, 'id') === id)
    expect(node).toMatchObject({
      patientId: ada,
      userId: 'physician',
      endedAt: null,
      reviewed: false,
      finding: null,
      reviewedBy: null,
    })
    const patient = refOf(ada).patient
    const records = (await auditOf(clinic, shown)).filter(({ recordId }) => recordId === refOf(id).id)
    expect(records).toMatchObject([
      { path: 'Query.breakGlassGrants', action: 'READ', outcome: 'DISCLOSED', patient, user: 'privacy' },
    ])
    const opened = await now.ask('privacy', TEXTS)
    const text = nodesAt(opened.data, 'breakGlassGrants').find((one) => at(one, 'id') === id)
    expect(text).toEqual({ id, a: REASON, b: REASON, note: null })
    const reasons = (await auditOf(clinic, opened)).filter(({ path }) => path === 'BreakGlassGrant.reason')
    expect(reasons.filter(({ recordId }) => recordId === refOf(id).id)).toMatchObject([{ outcome: 'DISCLOSED', patient }])
    await now.ask('privacy', END, { id })
  })

  it('a final finding removes the grant from the queue; the same finding again changes nothing, and another one conflicts', async () => {
    const id = await done(ada)
    const answer = await review(id, 'APPROPRIATE', NOTE)
    expect(at(answer.data, 'reviewBreakGlass')).toEqual({
      id,
      reviewed: true,
      finding: 'APPROPRIATE',
      reviewedBy: 'privacy',
      note: NOTE,
    })
    const [record] = (await auditOf(clinic, answer)).filter(({ path }) => path === 'Mutation.reviewBreakGlass')
    expect(record).toMatchObject({
      action: 'UPDATE',
      outcome: 'WRITTEN',
      recordId: refOf(id).id,
      patient: refOf(ada).patient,
      finding: 'APPROPRIATE',
    })
    expect(JSON.stringify(record)).not.toContain(NOTE)
    expect(idsOf(await list())).not.toContain(id)
    expect(idsOf(await list(true))).toContain(id)
    const before = await queued(id)
    const again = await review(id, 'APPROPRIATE', NOTE)
    expect(again.data).toEqual(answer.data)
    expect(codesOf(await review(id, 'INAPPROPRIATE', NOTE))).toEqual(['VERSION_CONFLICT'])
    expect(codesOf(await review(id, 'APPROPRIATE', 'another'))).toEqual(['VERSION_CONFLICT'])
    expect(await queued(id)).toEqual(before)
  })

  it('FOLLOW_UP keeps the grant in the queue until there is a final finding', async () => {
    const id = await done(ada)
    expect(at((await review(id, 'FOLLOW_UP', 'ask')).data, 'reviewBreakGlass')).toMatchObject({
      reviewed: false,
      finding: 'FOLLOW_UP',
    })
    expect(idsOf(await list())).toContain(id)
    expect(at((await review(id, 'INAPPROPRIATE')).data, 'reviewBreakGlass')).toMatchObject({ reviewed: true, note: null })
    expect(idsOf(await list())).not.toContain(id)
    // a new grant does not affect the earlier one
    const next = await breakGlass(ada)
    expect(idsOf(await list())).toContain(next)
    expect(idsOf(await list(true))).toContain(id)
  })

  it('P13: the privacy officer may end any grant, with an event for operators; a clinician may end only their own', async () => {
    const id = await breakGlass(ben)
    expect(codesOf(await review(id, 'APPROPRIATE'))).toEqual(['BAD_USER_INPUT'])
    const chart = async (): Promise<unknown> =>
      at((await now.ask('physician', CHART, { id: ben }, { 'x-purpose-of-use': 'BTG' })).data, 'patient', 'familyName')
    expect(await chart()).toBe('ben')
    expect(codesOf(await now.ask('nurse', END, { id }))).toEqual(['NOT_FOUND'])
    const before = now.events.length
    const ended = await now.ask('privacy', END, { id })
    expect(ended.errors).toEqual([])
    expect(now.events.slice(before).filter(({ event }) => event === 'BREAK_GLASS')).toMatchObject([
      { what: 'ENDED', patient: refOf(ben).patient },
    ])
    expect(await chart()).toBe(null)
    const again = await now.ask('privacy', END, { id })
    expect(again.data).toEqual(ended.data)
    expect(now.events.slice(before).filter(({ event }) => event === 'BREAK_GLASS')).toHaveLength(1)
    expect((await now.ask('physician', END, { id })).data).toEqual(ended.data)
  })

  it('an expired grant waits too, and queue items never expire', async () => {
    const id = await breakGlass(ben, 'nurse')
    ahead = 400 * 24 * 60 * MINUTE
    const { services } = await clinic.another({ now: () => Date.now() + ahead })
    const queue = await services.breakGlass.queue(RIVERSIDE, 'REVIEW', undefined, 100)
    ahead = 0
    expect(queue.map(({ place }) => place.sk.split('#')[1])).toContain(refOf(id).id)
    const item = await queued(id)
    // there is no attribute for a time to live
    expect(Object.keys(item).toSorted()).toEqual(['pk', 'sk', 'v'])
  })

  it('pages have no gap and no repeat, and a cursor is valid only for its own queue', async () => {
    await Promise.all([done(ada), done(ben, 'nurse')])
    const all = idsOf(await list())
    expect(all.length).toBeGreaterThan(2)
    const seen: unknown[] = []
    let after: unknown
    for (;;) {
      const page = await list(false, { first: 2, after })
      seen.push(...idsOf(page))
      after = at(page.data, 'breakGlassGrants', 'pageInfo', 'endCursor')
      if (at(page.data, 'breakGlassGrants', 'pageInfo', 'hasNextPage') !== true) break
    }
    expect(seen).toEqual(all)
    for (const variables of [{ after }, { after: 'x' }, { first: 0 }, { first: 101 }]) {
      expect(codesOf(await list(true, variables))).toEqual(['BAD_USER_INPUT'])
    }
  })
})

describe('P3: only the privacy officer reviews', () => {
  it.each(['physician', 'nurse', 'billing', 'patient', 'auditor', 'admin'])('not for %s', async (user) => {
    const id = await done(ada)
    for (const answer of [await now.ask(user, LIST), await review(id, 'APPROPRIATE', undefined, user)]) {
      expect(Object.values(answer.data ?? {})).toEqual([null])
      expect(answer.errors[0]?.extensions).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'ROLE' })
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual([expect.stringMatching(/DENIED ROLE$/)])
    }
    expect(idsOf(await list())).toContain(id)
  })

  it("P5: another tenant's grant is in no queue, and gets the answer of an unknown grant", async () => {
    const foreign = first(await patientsOf(clinic, 'lakeside-physician'))
    const id = await breakGlass(foreign, 'lakeside-physician')
    const known = idsOf(await list())
    expect(known).not.toContain(id)
    const texts = new Set<string>()
    for (const asked of [id, ada, 'nonsense']) {
      for (const answer of [await review(asked, 'APPROPRIATE'), await now.ask('privacy', END, { id: asked })]) {
        expect(codesOf(answer)).toEqual(['NOT_FOUND'])
        expect(outcomesOf(await auditOf(clinic, answer))).toEqual([expect.stringMatching(/DENIED NOT_FOUND$/)])
      }
      texts.add(bytesOf(await review(asked, 'APPROPRIATE')))
    }
    expect(texts.size).toBe(1)
  })

  it('P8: no item, audit record or event contains the text of a reviewer', async () => {
    for (const table of [clinic.stack.env.PHI_TABLE_BREAK_GLASS, clinic.stack.env.PHI_TABLE_AUDIT]) {
      const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: table }))
      for (const value of Items.flatMap((item) => Object.values(item)))
        expect(value.S ?? Buffer.from(value.B ?? []).toString('latin1')).not.toContain(NOTE)
    }
    expect(JSON.stringify(now.events)).not.toContain(NOTE)
  })

  it('C01: users cannot review their own grants, with any roles', async () => {
    const { breakGlass: table, keyring, events, records, audit, process } = now.services
    const both = (user: string): Caller => ({
      tenant: RIVERSIDE,
      user: user as UserId,
      roles: new Set(['PHYSICIAN', 'PRIVACY_OFFICER'] as Role[]),
      purpose: 'HOPERAT',
      mayClaim: ['HOPERAT'],
      seesExistence: true,
      mfa: true,
    })
    let caller = both('physician')
    const exists = (): Promise<boolean> => Promise.resolve(true)
    const never = { periods: () => Promise.resolve(new Map()), panel: () => Promise.resolve([]) }
    const gateway = await createGateway({
      typeDefs: clinicTypeDefs(),
      resolvers: clinicResolvers,
      lock: clinicLock(),
      relationships: new Map(RELATIONSHIPS.map((name) => [name, never])),
      breakGlass: breakGlassGrants({ table, keyring, exists, events, now: Date.now, maxMinutes: 60 }),
      sources: new Map([['dynamodb', new SealedSource(records, keyring)]]),
      identity: () => ({ callerOf: () => Promise.resolve(caller) }),
      keys: keyring,
      audit: { log: audit, process },
      events,
    })
    try {
      const id = await done(ada)
      const request = await clinic.requestOf('privacy', REVIEW, { id, finding: 'APPROPRIATE' })
      const own = read(await gateway.handle(request))
      expect(own.data).toEqual({ reviewBreakGlass: null })
      expect(own.errors[0]?.extensions).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'RELATIONSHIP' })
      expect(outcomesOf(await auditOf(clinic, own))).toEqual(['Mutation.reviewBreakGlass DENIED RELATIONSHIP'])
      caller = both('another')
      expect(at(read(await gateway.handle(request)).data, 'reviewBreakGlass', 'reviewedBy')).toBe('another')
    } finally {
      await gateway.stop()
    }
  })
})

describe('P6: a writer of the database can neither review nor remove a grant undetected', () => {
  it('an altered, restored or removed grant keeps its position as damaged, and the others are listed', async () => {
    const [one, two] = [await done(ada), await done(ada, 'nurse')]
    const before = await queued(one)
    const others = idsOf(await list()).filter((id) => id !== one)
    const damaged = async (what: string): Promise<void> => {
      const eventsBefore = now.events.length
      const answer = await list()
      expect(idsOf(answer).filter((id) => id !== undefined)).toEqual(others)
      expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
      expect(faultsSince(eventsBefore)).toEqual([what])
      expect(outcomesOf(await auditOf(clinic, answer))).toContain('Query.breakGlassGrants UNAVAILABLE INTEGRITY')
    }
    await hand.put({ ...before, v: flipped(before['v']) }, 'BREAK_GLASS')
    await damaged('ALTERED')
    expect(codesOf(await review(one, 'APPROPRIATE'))).toEqual(['FIELD_UNAVAILABLE'])
    await hand.remove(before, 'BREAK_GLASS')
    await damaged('MISSING')
    await hand.put({ ...before, v: (await queued(two))['v'] ?? { S: '' } }, 'BREAK_GLASS')
    await damaged('ALTERED')
    await hand.put(before, 'BREAK_GLASS')
    expect(idsOf(await list())).toContain(one)
    // an attempt to undo a review by restoring the earlier item in its queue
    expect((await review(one, 'INAPPROPRIATE')).errors).toEqual([])
    await hand.put(before, 'BREAK_GLASS')
    await damaged('NOT_LISTED')
    await hand.remove(before, 'BREAK_GLASS')
    expect(idsOf(await list(true))).toContain(one)
  })
})

describe('C02: the review while services are unavailable', () => {
  it('without its table nothing is listed or written, and the outage is reported', async () => {
    const id = await done(ada)
    const cut = await clinic.another({ env: { PHI_TABLE_BREAK_GLASS: 'gone' } })
    for (const answer of [await cut.ask('privacy', LIST), await cut.ask('privacy', REVIEW, { id, finding: 'APPROPRIATE' })]) {
      expect(Object.values(answer.data ?? {})).toEqual([null])
      expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual([expect.stringMatching(/UNAVAILABLE STORE$/)])
    }
  })

  it('P2: without the audit no grant is reviewed or listed', async () => {
    const id = await done(ada)
    const deaf = await clinic.another({ env: { PHI_TABLE_AUDIT: 'gone' } })
    for (const answer of [await deaf.ask('privacy', TEXTS), await deaf.ask('privacy', REVIEW, { id, finding: 'APPROPRIATE' })]) {
      expect([answer.status, codesOf(answer)]).toEqual([503, ['AUDIT_UNAVAILABLE']])
      expect(answer.text).not.toContain(REASON)
    }
    expect(idsOf(await list())).toContain(id)
  })
})
