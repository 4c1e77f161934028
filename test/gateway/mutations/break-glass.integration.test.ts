import { QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, madeUpId, outcomesOf, patientsOf, RIVERSIDE } from '../asking.ts'
import { DatabaseHand, flipped, type Item, refOf } from '../store/database-hand.ts'

const ON_PANEL = 20
const REASON = 'found unconscious, zebra-quartz-reason'
const MINUTE = 60_000

let clinic: RunningClinic
let hand: DatabaseHand
let offPanel: string
let alsoOff: string
let foreign: string
/** Moves the clock of the processes under test. */
let ahead = 0
let now: Awaited<ReturnType<RunningClinic['another']>>

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL + 2, lakeside: 1 })
  hand = new DatabaseHand(clinic)
  const panel = await patientsOf(clinic, 'physician')
  const off = (await patientsOf(clinic, 'billing')).filter((id) => !panel.includes(id))
  offPanel = first(off)
  alsoOff = off[1] ?? ''
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
  now = await clinic.another({ now: () => Date.now() + ahead })
})
afterAll(() => clinic.stop())
beforeEach(() => {
  ahead = 0
})

const BREAK = `mutation ($id: ID!, $reason: String!, $minutes: Int) {
  breakGlass(patientId: $id, reason: $reason, minutes: $minutes) { id patientId since until endedAt }
}`
const END = 'mutation ($id: ID!) { endBreakGlass(id: $id) { id patientId until endedAt } }'
const READ = 'query ($id: ID!) { patient(id: $id) { familyName } }'
const BTG_HEADERS = { 'x-purpose-of-use': 'BTG' }

const breakGlass = async (id = offPanel, user = 'physician', minutes = 30, reason = REASON): Promise<ClinicAnswer> =>
  await now.ask(user, BREAK, { id, reason, minutes }, BTG_HEADERS)
const grantOf = (answer: ClinicAnswer): string => String(at(answer.data, 'breakGlass', 'id'))
const end = async (grant: string, user = 'physician'): Promise<ClinicAnswer> => await now.ask(user, END, { id: grant })
const read = async (id = offPanel, user = 'physician', headers: Record<string, string> = BTG_HEADERS): Promise<ClinicAnswer> =>
  await now.ask(user, READ, { id }, headers)
const opened = (answer: ClinicAnswer): boolean => typeof at(answer.data, 'patient', 'familyName') === 'string'
/** The manifest of a patient and the grants of its users. */
const itemsOf = async (id: string): Promise<{ manifest: Item; grants: Item[] }> => {
  const items = await hand.all(id, 'BREAK_GLASS')
  return {
    manifest: first(items.filter(({ sk }) => sk?.S === '#ROOT')),
    grants: items.filter(({ sk }) => sk?.S !== '#ROOT'),
  }
}

describe('C02: a break-glass grant replaces a place on the care team', () => {
  it('opens the record only for purpose BTG until its end, with the grant in the audit', async () => {
    const closed = await read()
    expect(opened(closed)).toBe(false)
    expect(closed.errors[0]?.extensions).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE', breakGlass: true })
    const before = now.events.length
    const broken = await breakGlass()
    expect(broken.errors).toEqual([])
    const { since, until, patientId, endedAt } = at(broken.data, 'breakGlass') as Record<string, string | null>
    expect(Date.parse(until ?? '') - Date.parse(since ?? '')).toBe(30 * MINUTE)
    expect([patientId, endedAt]).toEqual([offPanel, null])
    expect(now.events.slice(before).filter(({ event }) => event === 'BREAK_GLASS')).toEqual([
      {
        event: 'BREAK_GLASS',
        requestId: broken.phi.requestId,
        tenant: RIVERSIDE,
        patient: refOf(offPanel).patient,
        what: 'BROKEN',
      },
    ])
    const [record] = await auditOf(clinic, broken)
    const id = refOf(grantOf(broken)).id
    expect(record).toMatchObject({
      path: 'Mutation.breakGlass',
      action: 'CREATE',
      outcome: 'WRITTEN',
      patient: refOf(offPanel).patient,
      recordId: id,
      user: 'physician',
      purpose: 'BTG',
    })

    const given = await read()
    expect(opened(given)).toBe(true)
    expect((await auditOf(clinic, given))[0]).toMatchObject({
      outcome: 'DISCLOSED',
      basis: 'BREAK_GLASS',
      basisId: id,
      purpose: 'BTG',
    })
    // the grant counts only for purpose BTG: for treatment the care team is still missing
    expect(opened(await read(offPanel, 'physician', { 'x-purpose-of-use': 'TREAT' }))).toBe(false)
    ahead = 31 * MINUTE
    expect(opened(await read())).toBe(false)
  })

  it('opens nothing to another clinician, of another patient, or in another tenant', async () => {
    await breakGlass()
    expect(opened(await read())).toBe(true)
    expect(opened(await read(offPanel, 'nurse'))).toBe(false)
    expect(opened(await read(alsoOff))).toBe(false)
    expect(opened(await read(offPanel, 'lakeside-physician'))).toBe(false)
  })

  it('P13: an ended grant closes the record at the next request; a second end changes nothing', async () => {
    const grant = grantOf(await breakGlass())
    expect(opened(await read())).toBe(true)
    const ended = await end(grant)
    expect(at(ended.data, 'endBreakGlass', 'endedAt')).toEqual(expect.any(String))
    expect(opened(await read())).toBe(false)
    const again = await end(grant)
    expect(again.data).toEqual(ended.data)
    expect((await auditOf(clinic, ended))[0]).toMatchObject({
      path: 'Mutation.endBreakGlass',
      action: 'UPDATE',
      outcome: 'WRITTEN',
    })
  })

  it('a new grant after the end of another one is a further entry in the review queue, sealed', async () => {
    const before = grantOf(await breakGlass(alsoOff))
    await end(before)
    const after = grantOf(await breakGlass(alsoOff))
    expect(after).not.toBe(before)
    expect((await end(before)).errors[0]?.extensions['code']).toBe('NOT_FOUND')
    expect(opened(await read(alsoOff))).toBe(true)
    const { Items = [] } = await clinic.stack.dynamodb.send(
      new QueryCommand({
        TableName: clinic.stack.env.PHI_TABLE_BREAK_GLASS,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: 'riverside#REVIEW' } },
      }),
    )
    const ids = Items.map(({ sk }) => sk?.S?.split('#')[1])
    for (const grant of [before, after]) expect(ids).toContain(refOf(grant).id)
  })

  it('two users get concurrent grants for one patient', async () => {
    const both = await Promise.all([breakGlass(alsoOff, 'physician'), breakGlass(alsoOff, 'nurse')])
    expect(both.map(({ errors }) => errors)).toEqual([[], []])
    expect(opened(await read(alsoOff, 'physician'))).toBe(true)
    expect(opened(await read(alsoOff, 'nurse'))).toBe(true)
  })

  it.each(['frontdesk', 'billing', 'researcher', 'patient', 'proxy', 'auditor', 'privacy', 'admin'])(
    'P3: not for %s',
    async (user) => {
      const answer = await now.ask(user, BREAK, { id: offPanel, reason: REASON, minutes: 5 })
      expect(answer.data).toEqual({ breakGlass: null })
      expect(answer.errors[0]?.extensions).toMatchObject({ code: 'UNAUTHORIZED_FIELD_OR_TYPE', reason: 'ROLE' })
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Mutation.breakGlass DENIED ROLE'])
    },
  )

  it.each([
    ['no reason', { reason: '   ', minutes: 5 }],
    ['a reason without end', { reason: 'x'.repeat(501), minutes: 5 }],
    ['no time', { reason: REASON, minutes: 0 }],
    ['more time than the deployment allows', { reason: REASON, minutes: 241 }],
  ])('%s: refused, and nothing is written', async (_name, variables) => {
    const count = async (): Promise<number | undefined> =>
      (await clinic.stack.dynamodb.send(new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_BREAK_GLASS }))).Count
    const before = await count()
    const answer = await now.ask('physician', BREAK, { id: offPanel, ...variables })
    expect([answer.status, answer.errors[0]?.extensions['code']]).toEqual([400, 'BAD_USER_INPUT'])
    expect(await count()).toBe(before)
  })

  it("P5: an unknown patient, another tenant's patient, a grant id and an invalid id get the same answer", async () => {
    const before = now.events.length
    const grant = grantOf(await breakGlass())
    const alert = now.events.length
    expect(alert).toBeGreaterThan(before)
    for (const id of [madeUpId(), foreign, grant, 'nonsense']) {
      const answer = await breakGlass(id)
      expect(answer.data).toEqual({ breakGlass: null })
      expect(answer.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'NOT_FOUND' }])
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Mutation.breakGlass DENIED NOT_FOUND'])
    }
    expect(now.events.slice(alert).filter(({ event }) => event === 'BREAK_GLASS')).toEqual([])
    expect((await end(grant, 'nurse')).errors[0]?.extensions).toEqual({ code: 'NOT_FOUND' })
    expect(opened(await read())).toBe(true)
  })

  it('P8: no item, audit record, event or answer contains the reason', async () => {
    const answer = await breakGlass()
    expect(answer.text).not.toContain(REASON)
    expect(JSON.stringify(now.events)).not.toContain(REASON)
    for (const table of [clinic.stack.env.PHI_TABLE_BREAK_GLASS, clinic.stack.env.PHI_TABLE_AUDIT]) {
      const { Items = [] } = await clinic.stack.dynamodb.send(new ScanCommand({ TableName: table }))
      expect(Items.length).toBeGreaterThan(0)
      for (const item of Items) {
        for (const { S, B } of Object.values(item))
          expect(S ?? Buffer.from(B ?? []).toString('latin1')).not.toContain('zebra-quartz')
      }
    }
  })

  it('P2: opens nothing if the audit write fails, and reports the uncertain grant', async () => {
    const deaf = await clinic.another({ env: { PHI_TABLE_AUDIT: 'gone' } })
    const patient = alsoOff
    await end(grantOf(await breakGlass(patient)))
    const answer = await deaf.ask('physician', BREAK, { id: patient, reason: REASON, minutes: 5 }, BTG_HEADERS)
    expect([answer.status, answer.errors[0]?.extensions['code']]).toEqual([503, 'AUDIT_UNAVAILABLE'])
    expect(deaf.events).toContainEqual(expect.objectContaining({ event: 'BREAK_GLASS', what: 'UNCERTAIN' }))
    expect(opened(await read(patient))).toBe(false)
  })
})

describe('P6: a writer of the database cannot forge a grant', () => {
  const forged = async (answer: Promise<ClinicAnswer>, patient: string): Promise<unknown[]> => {
    const before = now.events.length
    expect(opened(await answer)).toBe(false)
    return now.events
      .slice(before)
      .flatMap((event) => (event.event === 'ACCESS_ITEM_FORGED' && event.patient === refOf(patient).patient ? [event.what] : []))
  }

  it('a restored item of an ended grant opens nothing', async () => {
    const grant = grantOf(await breakGlass())
    const before = await itemsOf(offPanel)
    await end(grant)
    const after = await itemsOf(offPanel)
    for (const item of before.grants) await hand.put(item, 'BREAK_GLASS')
    expect(await forged(read(), offPanel)).toEqual(['ALTERED'])
    // the earlier manifest beside the current item opens nothing either
    for (const item of [...after.grants, before.manifest]) await hand.put(item, 'BREAK_GLASS')
    expect(await forged(read(), offPanel)).toEqual(['ALTERED'])
    await hand.put(after.manifest, 'BREAK_GLASS')
    expect(await forged(read(), offPanel)).toEqual([])
  })

  it('an item or manifest that is altered or belongs to another patient or user opens nothing', async () => {
    await breakGlass(alsoOff, 'nurse')
    await breakGlass(offPanel, 'physician')
    const [own, others] = [await itemsOf(offPanel), await itemsOf(alsoOff)]
    const mine = first(own.grants.filter(({ sk }) => others.grants.some((item) => item['sk']?.S === sk?.S)))
    const { pk, sk } = mine
    for (const grant of [
      flipped(mine['v']),
      flipped(mine['v'], 3),
      { B: new Uint8Array() },
      first(others.grants)['v'] ?? { S: '' },
    ]) {
      await hand.put({ ...mine, v: grant }, 'BREAK_GLASS')
      expect(await forged(read(), offPanel)).toEqual(['ALTERED'])
    }
    await hand.put(mine, 'BREAK_GLASS')
    for (const manifest of [flipped(own.manifest['v']), others.manifest['v'] ?? { S: '' }]) {
      await hand.put({ ...own.manifest, v: manifest }, 'BREAK_GLASS')
      expect(await forged(read(), offPanel)).toEqual(['MANIFEST_ALTERED'])
    }
    await hand.remove(own.manifest, 'BREAK_GLASS')
    expect(await forged(read(), offPanel)).toEqual(['MANIFEST_MISSING'])
    await hand.put(own.manifest, 'BREAK_GLASS')
    await hand.remove({ pk: pk ?? { S: '' }, sk: sk ?? { S: '' } }, 'BREAK_GLASS')
    expect(await forged(read(), offPanel)).toEqual(['MISSING'])
    await hand.put(mine, 'BREAK_GLASS')
    expect(opened(await read())).toBe(true)
  })

  it('a damaged manifest does not prevent a new grant, and reopens no other', async () => {
    await breakGlass(offPanel, 'nurse')
    const { manifest } = await itemsOf(offPanel)
    await hand.put({ ...manifest, v: flipped(manifest['v']) }, 'BREAK_GLASS')
    expect((await breakGlass()).errors).toEqual([])
    expect(opened(await read())).toBe(true)
    expect(await forged(read(offPanel, 'nurse'), offPanel)).toEqual(['NOT_LISTED'])
  })
})
