import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Sensitivity } from '../../../directives/policy.ts'
import { openStore, type SealedStore } from '../../../gateway/admin/open-store.ts'
import { PATIENT_DISCLOSURES } from '../../../gateway/audit/patient-disclosures.ts'
import type { Contract } from '../../../gateway/model/contract.ts'
import { MINORS } from '../../../gateway/model/minors.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { type CountedProcess, countedProcess } from '../../harness/counted-requests.ts'
import { seenOf, seenOfAll } from '../../harness/compared-work.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { Admissions } from '../admitted.ts'
import { auditOf, first, madeUpId, patientsOf, RIVERSIDE, workOf } from '../asking.ts'
import { type AuditDesk, auditDesk } from './audit-clinic.ts'
import { approved, disclose, DISCLOSURES, type Shown, type ShownEntry, shownIn } from './disclosed.ts'
import { type ServedAudit, serveAudit } from './who-saw.ts'

let clinic: RunningClinic
let store: SealedStore
let ward: Admissions
let audit: ServedAudit
let desk: AuditDesk
let registry: Contract
let counted: CountedProcess

const CONFIDENTIAL = ['SEX'] as Sensitivity[]
const TIMES = { at: '', from: '', to: '' }
const DATE = { date: '2024-01-01T00:00:00.000Z' }
const day = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const span = () => ({ from: day(-30), to: day(1) })
const codesOf = ({ errors }: Pick<ClinicAnswer, 'errors'>): unknown[] => errors.map(({ extensions }) => extensions['code'])
const ask = async (user: string, id: string, more: Record<string, unknown> = {}): Promise<ClinicAnswer> =>
  await clinic.ask(user, DISCLOSURES, { id, ...span(), ...more })
const shown = async (user: string, id: string): Promise<Shown> => shownIn(await ask(user, id))
const entries = async (user: string, id: string): Promise<readonly ShownEntry[]> => (await shown(user, id)).entries

/** A minor with an open condition, and with a confidential one if `hasClosed`. The parent is a limited proxy. */
async function minor(name: string, hasClosed = false): Promise<string> {
  const of = (one: string, labels: readonly Sensitivity[] = []) =>
    ward.record(name, 'Condition', one, { code: { text: one } }, { ...DATE, labels })
  const records = [
    ward.record(name, 'Patient', '', { familyName: 'Quartz', birthDate: '2012' }),
    of('open'),
    ...(hasClosed ? [of('closed', CONFIDENTIAL)] : []),
  ]
  const id = await ward.write(name, records, ['physician'])
  await ward.change(ward.membership(name, 'SELF', 'Patient/riverside-1'))
  await ward.change(ward.membership(name, 'PROXY', 'RelatedPerson/proxy', [{ scope: MINORS.scope }]))
  return id
}
const condition = (name: string, one: string) => [ward.ref(name, 'Condition', one), 'Condition.code'] as const
const birthDate = (name: string) => [ward.ref(name), 'Patient.birthDate'] as const

async function officer(query: string, variables: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { data, errors } = await desk.ask('privacy', query, variables)
  expect(errors).toEqual([])
  return Object.values(data ?? {})[0] as Record<string, unknown>
}
const RECORD =
  'mutation ($patientId: ID!, $input: DisclosureInput!) { recordDisclosure(patientId: $patientId, input: $input) { id } }'
const SUSPEND =
  'mutation ($patientId: ID!, $input: SuspensionInput!) { suspendAccounting(patientId: $patientId, input: $input) { id } }'
const STUDY = 'mutation ($input: StudyDisclosuresInput!) { describeStudy(input: $input) { protocol } }'
const FORMAL = `query ($patientId: ID!, $from: DateTime!, $to: DateTime!) {
  accountingOfDisclosures(patientId: $patientId, from: $from, to: $to) { protocols { protocol } entries {
    at recipient { name address } description purpose statement repeated { count last frequency } } } }`
const subpoena = (changes: object = {}) => ({
  basis: 'LAW_ENFORCEMENT',
  date: day(-3),
  recipient: { name: 'City Police', address: '2 Main Street' },
  description: 'Dates of visits',
  purpose: 'Search warrant 12',
  ...changes,
})

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  store = await openStore(RIVERSIDE, '0'.repeat(64), clinic.stack.env, searchIndexes(clinicLock()))
  ward = new Admissions(store)
  audit = serveAudit(clinic)
  desk = auditDesk(clinic)
  registry = await approved(clinic, 'registry')
  await ask('patient', await minor('warm'))
  counted = await countedProcess(clinic)
}, 60_000)
afterEach(() => audit.restore())
afterAll(async () => {
  await counted.stop()
  await store.close()
  await clinic.stop()
})

describe('C20: a patient sees to whom information was disclosed', () => {
  it('C20: sees what the privacy officer sees: log, entries, summaries and protocols', async () => {
    const id = await minor('equal')
    for (let count = 0; count < 3; count++) await disclose(clinic, { contract: registry, values: [birthDate('equal')] })
    await disclose(clinic, { contract: registry, values: [condition('equal', 'open')] })
    await disclose(clinic, { contract: registry, values: [condition('equal', 'open')], purpose: 'TREAT' })
    await disclose(clinic, { contract: registry, values: [condition('equal', 'open')], purpose: 'HRESCH', study: 'EQUAL-1' })
    const contact = { name: 'Sponsor', address: '1 Street', phone: '555' }
    const about = { protocol: 'EQUAL-1', description: 'Compares', information: 'Diagnoses', from: day(-9), individuals: 50 }
    await officer(STUDY, { input: { ...about, standing: 'OTHER_ENTITY', sponsor: contact, researcher: contact } })
    await officer(RECORD, { patientId: id, input: subpoena() })
    await officer(RECORD, { patientId: id, input: subpoena({ basis: 'NOT_PERMITTED' }) })
    const answer = await ask('patient', id)
    const { entries: own, protocols, mayBeIncomplete } = shownIn(answer)
    const formal = (await officer(FORMAL, { patientId: id, ...span() })) as unknown as Shown
    expect(own).toEqual(formal.entries)
    expect(protocols.map(({ protocol }) => protocol)).toEqual(formal.protocols.map(({ protocol }) => protocol))
    expect([own.length, protocols.length, mayBeIncomplete]).toEqual([3, 1, true])
    expect(own.find(({ repeated }) => repeated !== null)).toMatchObject({
      recipient: { name: 'registry of the county', address: '1 registry Street' },
      purpose: 'Public health activities (45 CFR 164.512(b))',
      repeated: { count: 4 },
    })

    // P2: the question and the answer of the audit function are in the log, and nothing was given formally
    const records = await auditOf(clinic, answer)
    expect(records.map(({ path, outcome, count }) => [path, outcome, count])).toContainEqual([
      'Query.disclosuresOfMyRecord',
      'DISCLOSED',
      4,
    ])
    const reviews = await clinic.services.history.entriesBy('user', RIVERSIDE, 'function:graphql')
    expect(reviews.filter(({ filter }) => filter?.includes(answer.phi.requestId) === true)).toMatchObject([
      { path: 'AuditLog.patientDisclosures', action: 'REVIEW', outcome: 'REVIEWED', patient: ward.ref('equal').patient },
    ])
    expect(await officer('query ($id: ID!) { accountings(patientId: $id) { total } }', { id })).toEqual({ total: 0 })
  })

  it('C20: has nothing of a suspended disclosure, nor a hint of it', async () => {
    const [id, other] = [await minor('suspended'), await minor('nothing')]
    await officer(RECORD, { patientId: id, input: subpoena() })
    await disclose(clinic, { contract: registry, values: [birthDate('suspended')] })
    for (const agency of ['City Police', 'Registry of the County'])
      await officer(SUSPEND, { patientId: id, input: { agency, statement: 'WRITTEN', until: day(9) } })
    const [one, none] = [await ask('patient', id), await ask('patient', other)]
    // the times of the questions differ
    expect({ ...shownIn(one), ...TIMES }).toEqual({ ...shownIn(none), ...TIMES })
    expect(shownIn(none).entries).toEqual([])
    const answered = await audit.answer(
      {
        kind: PATIENT_DISCLOSURES,
        tenant: RIVERSIDE,
        patient: ward.ref('suspended').patient,
        from: 0,
        to: 4e12,
        requestId: 'kakjK50GAZyo7n57cmVxdWVz',
        entered: true,
      },
      Date.now() + 5_000,
    )
    expect(answered).toMatchObject({ kind: PATIENT_DISCLOSURES, terms: [], disclosures: [], entered: [], protocols: [] })
  })

  it('C20: P2 withholds the answer if the question cannot be recorded', async () => {
    const id = await minor('withheld')
    await disclose(clinic, { contract: registry, values: [birthDate('withheld')] })
    const deaf = await clinic.another({ env: { PHI_TABLE_AUDIT: 'gone' } })
    const answer = await deaf.ask('patient', DISCLOSURES, { id, ...span() })
    expect([answer.status, codesOf(answer), answer.data]).toEqual([503, ['AUDIT_UNAVAILABLE'], undefined])
  })

  it('C20: a long log is read in several answers, and each disclosure is counted once', async () => {
    const id = await minor('long')
    for (let count = 0; count < 3; count++)
      await disclose(clinic, { contract: registry, values: [birthDate('long'), condition('long', 'open')] })
    const all = await entries('patient', id)
    expect(all).toMatchObject([{ repeated: { count: 3 } }])
    // the first answer has one value of each disclosure, and the second one the others
    audit.replace(async ({ after, ...event }) => {
      const answer = await audit.answer(event, Date.now() + 8_000)
      if (answer.kind !== PATIENT_DISCLOSURES) return answer
      const part = after === undefined ? ([0, 1] as const) : ([1] as const)
      const disclosures = answer.disclosures.map((one) => ({ ...one, values: one.values.slice(...part) }))
      const next = { time: Number(event['to']), lane: 'l', sequence: 1, index: 1 }
      return { ...answer, disclosures, ...(after === undefined && { next }) }
    })
    expect(await entries('patient', id)).toEqual(all)
  })
})

describe('P5 C20: a parent learns nothing of a disclosure of a confidential record', () => {
  it('gets the same bytes, with the same work, as without the record', async () => {
    const both = [await minor('with', true), await minor('without')] as const
    for (const name of ['with', 'without']) {
      const values = [condition(name, 'open'), birthDate(name)]
      await disclose(clinic, { contract: registry, values: [...(name === 'with' ? [condition(name, 'closed')] : []), ...values] })
    }
    for (let count = 0; count < 3; count++) await disclose(clinic, { contract: registry, values: [condition('with', 'closed')] })
    await disclose(clinic, { contract: registry, values: [condition('with', 'closed')], purpose: 'HRESCH', study: 'EQUAL-1' })
    await officer(RECORD, { patientId: both[0], input: subpoena() })
    const own = await shown('patient', both[0])
    expect([own.entries.length, own.protocols.length]).toEqual([2, 1])
    for (const id of both) await counted.ask('proxy', DISCLOSURES, { id, ...span() })
    const seen = await seenOfAll([0, 1] as const, async (side) => {
      const before = clinic.stack.lambda.calls
      const work = await counted.ask('proxy', DISCLOSURES, { id: both[side], ...span() })
      const all = seenOf(work, [`function ${clinic.stack.lambda.calls - before}`])
      return { work, seen: { ...all, text: all.text.replaceAll(/"(at|to)":"[^"]*"/g, '"$1"') } }
    })
    expect(seen[0]?.seen).toEqual(seen[1]?.seen)
    expect(shownIn(seen[0]?.work.answer ?? ({ data: undefined, errors: [] } as never))).toMatchObject({
      entries: [{ repeated: null, statement: null }],
      protocols: [],
      mayBeIncomplete: true,
    })
  }, 60_000)

  it('sees nothing of a record that becomes confidential, and nothing of one that was confidential', async () => {
    const id = await minor('relabeled')
    await disclose(clinic, { contract: registry, values: [condition('relabeled', 'open')] })
    expect(await entries('proxy', id)).toHaveLength(1)
    for (const [labels, source] of [
      [CONFIDENTIAL, 'a'],
      [[], 'b'],
    ] as const) {
      const records = [
        ward.record('relabeled', 'Condition', 'open', { code: { text: source } }, { ...DATE, labels: [...labels], source }),
      ]
      await store.write({ patient: ward.ref('relabeled').patient, records, memberships: [] })
      expect(await entries('proxy', id)).toEqual([])
    }
    expect(await entries('patient', id)).toHaveLength(1)
  })

  it('a proxy without limits sees entered disclosures too', async () => {
    const id = await minor('full')
    await ward.change(ward.membership('full', 'PROXY', 'RelatedPerson/proxy'))
    await officer(RECORD, { patientId: id, input: subpoena() })
    expect(await entries('proxy', id)).toMatchObject([{ recipient: { name: 'City Police' }, statement: 'Search warrant 12' }])
  })
})

describe('P5 C20: nobody else gets an answer', () => {
  it('an unknown patient, one of another tenant and one without relationship give the same bytes, code and work', async () => {
    await minor('hidden')
    await ward.change(ward.membership('hidden', 'SELF', 'Patient/riverside-1', []))
    const foreign = first(await patientsOf(clinic, 'lakeside-physician'))
    const calls = clinic.stack.lambda.calls
    await ask('patient', madeUpId())
    const seen = []
    for (const id of [ward.id('hidden'), foreign, madeUpId(), ward.id('hidden', 'Condition', 'open'), 'not an id']) {
      const { result, requests } = await workOf(clinic, async () => await ask('patient', id))
      expect(codesOf(result)).toEqual(['NOT_FOUND'])
      seen.push(JSON.stringify([bytesOf(result), requests]))
    }
    expect(new Set(seen).size).toBe(1)
    expect(clinic.stack.lambda.calls).toBe(calls)
  })

  it.each(['physician', 'billing', 'privacy'])('P3: refuses %s by role', async (user) => {
    const answer = await ask(user, await minor('by role'))
    expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  })

  it.each([
    ['a reversed span', { from: day(-1), to: day(-2) }],
    ['no date', { from: 'yesterday' }],
    ['more than six years', { from: '2019' }],
    ['a time in the future', { from: day(3), to: day(4) }],
  ])('refuses %s', async (_, variables) => {
    expect(codesOf(await ask('patient', madeUpId(), variables))).toEqual(['BAD_USER_INPUT'])
  })

  it('answers one question of a request', async () => {
    const id = await minor('twice')
    const part = `(patientId: "${id}", from: "${day(-9)}", to: "${day(0)}")`
    const both = `{ disclosuresOfMyRecord${part} { at } whoSawMyRecord${part} { edges { node { at } } } }`
    expect(codesOf(await clinic.ask('patient', both))).toEqual(['OPERATION_TOO_COSTLY'])
  })

  it('P9: is unavailable without the function, and too costly if its answer is too long', async () => {
    const id = await minor('unavailable')
    audit.replace(() => Promise.resolve({ kind: 'REFUSED', code: 'UNAVAILABLE' }))
    const answer = await ask('patient', id)
    expect([codesOf(answer), answer.data]).toEqual([['FIELD_UNAVAILABLE'], { disclosuresOfMyRecord: null }])
    audit.replace(() => Promise.resolve({ kind: 'REFUSED', code: 'TOO_LARGE' }))
    expect(codesOf(await ask('patient', id))).toEqual(['OPERATION_TOO_COSTLY'])
  })
})
