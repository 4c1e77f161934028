import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { PATIENT_ACCESSES } from '../../../gateway/audit/patient-accesses.ts'
import type { Sensitivity } from '../../../directives/policy.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { at, auditOf, first, LAKESIDE, madeUpId, patientsOf, pseudonymOf, RIVERSIDE, STUDY, workOf } from '../asking.ts'
import { pageInfoOf, removeRecord, type Row, rowsOf, type ServedAudit, serveAudit, SPAN, WHO_SAW } from './who-saw.ts'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let audit: ServedAudit

const codesOf = ({ errors }: ClinicAnswer): unknown[] => errors.map(({ extensions }) => extensions['code'])
const whoSaw = async (user: string, id: string, more: Record<string, unknown> = {}): Promise<ClinicAnswer> =>
  await clinic.ask(user, WHO_SAW, { id, ...SPAN, first: 100, ...more })
const others = (rows: readonly Row[]): readonly Row[] => rows.filter(({ mine }) => !mine)

const BTG = { 'x-purpose-of-use': 'BTG' }
const CHART = `query ($id: ID!) { patient(id: $id) { familyName birthDate
  conditions { edges { node { code { text } } } } } }`
const RECORD = 'query ($id: ID!) { node(id: $id) { id ... on Condition { code { text } } } }'

async function admit(name: string, conditions: Readonly<Record<string, readonly Sensitivity[]>> = { plain: [] }): Promise<string> {
  const records = [
    ward.record(name, 'Patient', '', { familyName: 'Quartz', birthDate: '1990', mrn: name }),
    ...Object.entries(conditions).map(([one, labels]) =>
      ward.record(name, 'Condition', one, { code: { text: `finding ${one}` } }, { labels, date: '2024-01-01T00:00:00.000Z' }),
    ),
  ]
  const id = await ward.write(name, records, ['physician'])
  await ward.change(ward.membership(name, 'SELF', 'Patient/riverside-1'))
  return id
}

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, searchIndexes(clinicLock()))
  ward = new Admissions(store)
  audit = serveAudit(clinic)
})
afterEach(() => audit.restore())
afterAll(async () => {
  await store.close()
  await clinic.stop()
})

describe('C08: a patient sees who accessed the record', () => {
  it('C08: has each reader with role, kind of access, categories, purpose and reason', async () => {
    const id = await admit('seen')
    await ward.change(ward.membership('seen', 'STUDY', `ResearchStudy/${STUDY}`))
    await clinic.ask('physician', CHART, { id })
    await clinic.ask('physician', '{ patients(first: 100) { edges { node { familyName } } } }')
    await clinic.ask('frontdesk', '{ patientsByIdentifier(mrn: "seen") { edges { node { id } } } }')
    await clinic.ask('billing', 'query ($id: ID!) { patient(id: $id) { ssn mrn } }', { id })
    await clinic.ask('acme', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })
    await clinic.ask('researcher', 'query ($id: ID!) { patient(id: $id) { birthDate } }', { id: await pseudonymOf(clinic, id) })
    const broken = await clinic.ask(
      'nurse',
      'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "found unconscious", minutes: 30) { id } }',
      { id },
      BTG,
    )
    expect(broken.errors).toEqual([])
    await clinic.ask('nurse', CHART, { id }, BTG)
    await clinic.ask('proxy', CHART, { id })
    await clinic.ask('patient', CHART, { id })

    const answer = await whoSaw('patient', id)
    expect(answer.errors).toEqual([])
    const rows = rowsOf(answer)
    const shown = rows.map(({ role, access, breakGlass, mine, why }) => [role, access, breakGlass, mine, why].join(' | '))
    expect(shown).toEqual([
      "PATIENT | OPENED | false | true | the patient's own access",
      'PROXY | REFUSED | false | false | none: the access was refused',
      'NURSE | OPENED | true | false | emergency access without a relationship to the patient',
      expect.stringMatching(/^RESEARCHER \| OPENED .*research study/),
      expect.stringMatching(/^PARTNER \| OPENED .*contract of a partner/),
      expect.stringMatching(/^BILLING \| OPENED .*works for the organization/),
      expect.stringMatching(/^FRONT_DESK \| SEARCHED/),
      'PHYSICIAN | LISTED | false | false | member of the care team',
      'PHYSICIAN | OPENED | false | false | member of the care team',
    ])
    expect(rows.at(-1)?.categories).toEqual(['health conditions, visits and care', 'names and identifiers', 'personal details'])
    expect(rows.at(-1)?.purpose).toBe('treatment')
    expect(rows.map(({ at: time }) => time)).toEqual(
      rows
        .map(({ at: time }) => time)
        .toSorted()
        .reverse(),
    )
    expect(rows.every(({ who }) => who === null)).toBe(true)
    // no account of a member of the workforce, and no value
    expect(answer.text).not.toMatch(/Quartz|finding|frontdesk|"physician"|"nurse"/)
    expect(at(answer.data, 'whoSawMyRecord', 'mayBeIncomplete')).toBe(true)
  })

  it('C08: records the query, and the answer of the audit function with the id of the request', async () => {
    const id = await admit('recorded')
    await clinic.ask('physician', CHART, { id })
    const answer = await whoSaw('patient', id)
    const own = await auditOf(clinic, answer)
    expect(own.map(({ path, outcome, count }) => [path, outcome, count])).toContainEqual(['Query.whoSawMyRecord', 'DISCLOSED', 1])
    const entries = await clinic.services.history.entriesBy('user', RIVERSIDE, 'function:graphql')
    const reviews = entries.filter(({ filter }) => filter?.includes(answer.phi.requestId) === true)
    expect(reviews).toMatchObject([
      { path: 'AuditLog.patientAccesses', action: 'REVIEW', outcome: 'REVIEWED', patient: ward.ref('recorded').patient },
    ])
    // a receipt of the clinical request proves all records with its id
    expect(reviews[0]?.requestId).not.toBe(answer.phi.requestId)
    // the next list has the query itself
    const again = rowsOf(await whoSaw('patient', id))
    expect(again[0]).toMatchObject({ mine: true, categories: ['who accessed the record'] })
  })

  it('P2: withholds the rows if the query cannot be recorded', async () => {
    const id = await admit('withheld')
    await clinic.ask('physician', CHART, { id })
    const deaf = await clinic.another({ env: { PHI_TABLE_AUDIT: 'gone' } })
    const answer = await deaf.ask('patient', WHO_SAW, { id, ...SPAN })
    expect([answer.status, codesOf(answer), answer.data]).toEqual([503, ['AUDIT_UNAVAILABLE'], undefined])
    expect(answer.text).not.toContain('PHYSICIAN')
  })

  it('C08: pages are full, continue where they ended, and have cursors of one length', async () => {
    const id = await admit('paged')
    for (let count = 0; count < 5; count++) await clinic.ask('physician', CHART, { id })
    const all = others(rowsOf(await whoSaw('patient', id)))
    expect(all).toHaveLength(5)
    const seen: Row[] = []
    const lengths = new Set<number>()
    let after: string | null = null
    for (let pages = 0; pages < 9; pages++) {
      const answer = await whoSaw('patient', id, { first: 2, after })
      const info = pageInfoOf(answer)
      seen.push(...rowsOf(answer))
      lengths.add(info.endCursor?.length ?? 0)
      if (!info.hasNextPage) break
      expect(rowsOf(answer)).toHaveLength(2)
      expect(info.hasPreviousPage).toBe(after !== null)
      after = info.endCursor
    }
    expect(others(seen)).toEqual(all)
    expect(lengths.size).toBe(1)
  })

  it('C08: a log of more than a page can read continues on short pages, with each request once and whole', async () => {
    const id = await admit('long')
    for (let count = 0; count < 3; count++) await clinic.ask('physician', CHART, { id })
    const all = others(rowsOf(await whoSaw('patient', id)))
    expect(all.map(({ categories }) => categories.length)).toEqual([3, 3, 3])
    // an answer of two field-level records, and so a page of eight
    audit.replace(async (event) => await audit.answer({ ...event, limit: 2 }, Date.now() + 8_000))
    const [seen, sizes]: [Row[], number[]] = [[], []]
    let after: string | null = null
    for (let pages = 0; pages < 30; pages++) {
      const answer = await whoSaw('patient', id, { after, to: all[0]?.at })
      const info = pageInfoOf(answer)
      seen.push(...rowsOf(answer))
      sizes.push(rowsOf(answer).length)
      expect(answer.errors).toEqual([])
      if (!info.hasNextPage) break
      after = info.endCursor
    }
    expect(seen).toEqual(all)
    expect(sizes.length).toBeGreaterThan(1)
  })

  it('C08: has only accesses within the span', async () => {
    const id = await admit('span')
    await clinic.ask('physician', CHART, { id })
    const [row] = rowsOf(await whoSaw('patient', id))
    expect(rowsOf(await whoSaw('patient', id, { from: row?.at, to: row?.at })).length).toBe(1)
    expect(rowsOf(await whoSaw('patient', id, { from: '2020', to: '2021' }))).toEqual([])
  })

  it('C08: has no access to a record with a label that the patient may not read, in its earlier versions too', async () => {
    const id = await admit('withheld note', { plain: [], therapy: ['PSYTHPN' as Sensitivity] })
    const note = ward.id('withheld note', 'Condition', 'therapy')
    await clinic.ask(
      'nurse',
      'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "seizure", minutes: 30) { id } }',
      { id },
      BTG,
    )
    await clinic.ask('physician', RECORD, { id: note })
    expect(others(rowsOf(await whoSaw('patient', id)))).toEqual([])
    // the label is removed, and the earlier version has it
    await store.write({
      patient: ward.ref('withheld note').patient,
      records: [ward.record('withheld note', 'Condition', 'therapy', { code: { text: 'finding' } }, { source: 'relabeled' })],
      memberships: [],
    })
    expect(others(rowsOf(await whoSaw('patient', id)))).toEqual([])
  })

  it('C08: still has the accesses to a record that was removed', async () => {
    const id = await admit('removed', { plain: [], gone: [] })
    const gone = ward.ref('removed', 'Condition', 'gone')
    await clinic.ask('physician', RECORD, { id: ward.id('removed', 'Condition', 'gone') })
    const before = others(rowsOf(await whoSaw('patient', id)))
    expect(before).toMatchObject([{ role: 'PHYSICIAN', categories: ['health conditions, visits and care'] }])
    await removeRecord(clinic, gone)
    expect(others(rowsOf(await whoSaw('patient', id)))).toEqual(before)
  })
})

describe('P5: nobody else gets an answer', () => {
  it('an unknown patient, one of another tenant and one without relationship give the same bytes, code and work', async () => {
    const hidden = await admit('hidden')
    await ward.change(ward.membership('hidden', 'SELF', 'Patient/riverside-1', []))
    await ward.change(ward.membership('hidden', 'SELF', 'Patient/other'))
    const foreign = first(await patientsOf(clinic, 'lakeside-physician'))
    const condition = ward.id('hidden', 'Condition', 'plain')
    const calls = clinic.stack.lambda.calls
    await whoSaw('patient', madeUpId())
    const seen = []
    for (const id of [hidden, foreign, madeUpId(), condition, 'not an id']) {
      const { result, requests } = await workOf(clinic, async () => await whoSaw('patient', id, { after: 'hostile' }))
      expect(codesOf(result)).toEqual(['NOT_FOUND'])
      seen.push(JSON.stringify([bytesOf(result), requests]))
    }
    expect(new Set(seen).size).toBe(1)
    expect(clinic.stack.lambda.calls).toBe(calls)
  })

  it.each(['physician', 'nurse', 'frontdesk', 'billing', 'researcher', 'admin', 'auditor', 'privacy'])(
    'P3: refuses %s by role, and records it',
    async (user) => {
      const id = await admit('by role')
      const calls = clinic.stack.lambda.calls
      const answer = await whoSaw(user, id)
      expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
      expect(clinic.stack.lambda.calls).toBe(calls)
      const records = await auditOf(clinic, answer)
      expect(records).toMatchObject([{ path: 'Query.whoSawMyRecord', outcome: 'DENIED', reason: 'ROLE' }])
    },
  )

  it.each([
    ['a reversed span', { from: '2024', to: '2023' }],
    ['no date', { from: 'yesterday' }],
    ['a page of 0', { first: 0 }],
    ['a page of 101', { first: 101 }],
    ['a made-up cursor', { after: 'AAAA' }],
    ['a long cursor', { after: 'A'.repeat(5_000) }],
  ])('refuses %s', async (_, variables) => {
    const id = await admit('hostile')
    expect(codesOf(await whoSaw('patient', id, variables))).toEqual(['BAD_USER_INPUT'])
  })

  it('refuses a cursor of another patient, of another span and of another user', async () => {
    const [id, other] = [await admit('cursor'), await admit('other cursor')]
    await ward.change(ward.membership('cursor', 'PROXY', 'RelatedPerson/proxy'))
    for (let count = 0; count < 2; count++) await clinic.ask('physician', CHART, { id })
    const after = pageInfoOf(await whoSaw('patient', id, { first: 1 })).endCursor
    expect(rowsOf(await whoSaw('patient', id, { after })).length).toBeGreaterThan(0)
    expect(codesOf(await whoSaw('patient', other, { after }))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await whoSaw('patient', id, { after, from: '2021' }))).toEqual(['BAD_USER_INPUT'])
    expect(codesOf(await whoSaw('proxy', id, { after }))).toEqual(['BAD_USER_INPUT'])
  })

  it('answers once in a request', async () => {
    const id = await admit('twice')
    const part = `whoSawMyRecord(patientId: "${id}", from: "2020", to: "2100") { edges { node { at } } }`
    expect(codesOf(await clinic.ask('patient', `{ a: ${part} b: ${part} }`))).toEqual(['OPERATION_TOO_COSTLY'])
  })
})

describe('P9: an answer that cannot be given is no empty list', () => {
  const seen = async (): Promise<string> => {
    const id = await admit('unavailable')
    await clinic.ask('physician', CHART, { id })
    return id
  }
  const garbage: readonly (readonly [string, (event: Readonly<Record<string, unknown>>) => Promise<unknown>])[] = [
    ['fails', () => Promise.reject(new Error('PHYSICIAN'))],
    ['answers nothing', () => Promise.resolve(null)],
    ['answers a text', () => Promise.resolve('none')],
    ['answers another form', () => Promise.resolve({ kind: PATIENT_ACCESSES, accesses: [{ who: 'PHYSICIAN' }] })],
    ['refuses', () => Promise.resolve({ kind: 'REFUSED', code: 'UNAVAILABLE' })],
    ['has unknown members', () => Promise.resolve({ kind: PATIENT_ACCESSES, accesses: [], more: 1 })],
    ['is too long', () => Promise.resolve({ kind: PATIENT_ACCESSES, accesses: [], next: 'x'.repeat(5_800_000) })],
    [
      'goes round in circles',
      () => Promise.resolve({ kind: PATIENT_ACCESSES, accesses: [], next: { time: 9e15, lane: 'a', sequence: 1, index: 1 } }),
    ],
  ]
  it.each(garbage)('is unavailable if the function %s', async (_, handler) => {
    const id = await seen()
    audit.replace(handler)
    const answer = await whoSaw('patient', id)
    expect([codesOf(answer), answer.data]).toEqual([['FIELD_UNAVAILABLE'], { whoSawMyRecord: null }])
    expect(answer.text).not.toContain('PHYSICIAN')
    expect(await auditOf(clinic, answer)).toContainEqual(
      expect.objectContaining({ path: 'Query.whoSawMyRecord', outcome: 'UNAVAILABLE', reason: 'STORE' }),
    )
  })

  it.each(['tenant', 'patient'])('P5: refuses an answer with the rows of another %s', async (member) => {
    const id = await seen()
    audit.replace(async (event) => {
      const answer = await audit.answer(event, Date.now() + 8_000)
      if (answer.kind !== PATIENT_ACCESSES) return answer
      return { ...answer, accesses: answer.accesses.map((access) => ({ ...access, [member]: 'another' })) }
    })
    expect(codesOf(await whoSaw('patient', id))).toEqual(['FIELD_UNAVAILABLE'])
  })

  it('is unavailable in time if the function does not answer', async () => {
    const id = await seen()
    let release: () => void = () => undefined
    audit.replace(() => new Promise((resolve) => (release = () => resolve(null))))
    const answer = await whoSaw('patient', id)
    release()
    expect(codesOf(answer)).toEqual(['FIELD_UNAVAILABLE'])
  }, 20_000)

  it('is unavailable without the function', async () => {
    const id = await seen()
    const alone = await clinic.another({ env: { PHI_AUDIT_FUNCTION: 'no-such-function' } })
    expect(codesOf(await alone.ask('patient', WHO_SAW, { id, ...SPAN }))).toEqual(['FIELD_UNAVAILABLE'])
  })
})

describe('P3: the audit function answers the question of the clinical function only', () => {
  const question = () => ({
    kind: PATIENT_ACCESSES,
    tenant: RIVERSIDE,
    patient: ward.ref('question').patient,
    from: 0,
    to: 4_000_000_000_000,
    requestId: 'kakjK50GAZyo7n57cmVxdWVz',
    limit: 10,
  })

  it.each([
    ['another kind', { kind: 'OTHER' }],
    ['an unknown member', { more: true }],
    ['a tenant of another form', { tenant: 'a#b' }],
    ['a patient of another form', { patient: 'a#b' }],
    ['too many records', { limit: 5_001 }],
    ['a reversed span', { from: 2, to: 1 }],
    ['no request id', { requestId: '' }],
    ['a request of API Gateway', { requestContext: { http: { method: 'POST' } } }],
  ])('refuses %s', async (_, change) => {
    expect(await audit.answer({ ...question(), ...change }, Date.now() + 5_000)).toEqual({ kind: 'REFUSED', code: 'BAD_REQUEST' })
  })

  it('P5: has nothing of a patient for another tenant', async () => {
    const id = await admit('question')
    await clinic.ask('physician', CHART, { id })
    const own = await audit.answer(question(), Date.now() + 5_000)
    expect('accesses' in own ? own.accesses.length : 0).toBeGreaterThan(0)
    const foreign = await audit.answer({ ...question(), tenant: LAKESIDE }, Date.now() + 5_000)
    expect(foreign).toEqual({ kind: PATIENT_ACCESSES, accesses: [] })
  })
})
