import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { importResources } from '../../harness/imported.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import type { TypeName } from '../../../directives/coordinates.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { at, auditOf, first, madeUpId, patientsOf, RIVERSIDE } from '../asking.ts'
import { refOf } from '../store/database-hand.ts'
import { admitted, codesOf, conditionsOf, reads, RECORD, WITHDRAW } from './access-desk.ts'

const CARE_TEAM = { relationship: 'CARE_TEAM', fhirUser: 'Practitioner/physician', periods: [{}] } as const
const SELF = { relationship: 'SELF', fhirUser: 'Patient/riverside-1', periods: [{}] } as const
const PROXY = { relationship: 'PROXY', fhirUser: 'RelatedPerson/proxy', periods: [{}] } as const
const LIMITED = {
  ...PROXY,
  periods: [{ scope: { categories: ['IDENTITY', 'CLINICAL'], labeled: false } }],
} as const

let clinic: RunningClinic
let foreign: string
let another: RunningClinic['ask']

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  foreign = first(await patientsOf(clinic, 'lakeside-physician'))
  another = (await clinic.another()).ask
})
afterAll(() => clinic.stop())

const record = async (user: string, id: string, input: object): Promise<ClinicAnswer> =>
  await clinic.ask(user, RECORD, { id, input })
const withdraw = async (user: string, id: string): Promise<ClinicAnswer> => await clinic.ask(user, WITHDRAW, { id })
const idOf = (answer: ClinicAnswer): string => String(at(answer.data, 'recordConsent', 'id'))
const writes = async (answer: ClinicAnswer) => (await auditOf(clinic, answer)).filter(({ outcome }) => outcome === 'WRITTEN')
const permit = { effect: 'PERMIT', sensitivities: ['ETH'] }
const denyHiv = { effect: 'DENY', sensitivities: ['HIV'] }

describe('recordConsent and withdrawConsent', () => {
  it('a permission opens a labeled record at the next request, and its withdrawal closes it', async () => {
    const { id } = await admitted(clinic, 'Permits', [[], ['ETH']], [CARE_TEAM, SELF])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual([''])
    const recorded = await record('patient', id, permit)
    expect(recorded.errors).toEqual([])
    expect(at(recorded.data, 'recordConsent')).toEqual({
      id: idOf(recorded),
      patientId: id,
      withdrawn: false,
      effect: 'PERMIT',
      sensitivities: ['ETH'],
      actor: null,
      roles: null,
      purposes: null,
      records: null,
      start: null,
      end: null,
    })
    expect(await conditionsOf(clinic, 'physician', id)).toEqual(['', 'ETH'])
    expect(await conditionsOf({ ask: another }, 'physician', id)).toEqual(['', 'ETH'])
    expect(await writes(recorded)).toMatchObject([
      {
        path: 'Consent',
        action: 'CREATE',
        recordType: 'Consent',
        recordId: refOf(idOf(recorded)).id,
        patient: refOf(id).patient,
        basis: 'SELF',
        user: 'patient',
      },
    ])
    const withdrawn = await withdraw('patient', idOf(recorded))
    expect([at(withdrawn.data, 'withdrawConsent'), withdrawn.errors]).toEqual([
      { id: idOf(recorded), patientId: id, withdrawn: true, effect: null, sensitivities: null },
      [],
    ])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual([''])
    expect(await writes(withdrawn)).toMatchObject([{ path: 'Consent', action: 'DELETE', basis: 'SELF' }])
  })

  it('a denial closes records, and its withdrawal opens them', async () => {
    const { id } = await admitted(clinic, 'Denies', [[], ['HIV']], [CARE_TEAM, SELF])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual(['', 'HIV'])
    const recorded = await record('frontdesk', id, denyHiv)
    expect(recorded.errors).toEqual([])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual([''])
    expect((await writes(recorded)).map(({ basis }) => basis)).toEqual(['ORGANIZATION'])
    expect((await withdraw('privacy', idOf(recorded))).errors).toEqual([])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual(['', 'HIV'])
  })

  it('a denial of one person, of one record and for a time applies to nothing else', async () => {
    const { id, conditionOf } = await admitted(clinic, 'Narrow', [[], ['HIV'], ['PSY']], [CARE_TEAM, SELF])
    const other = await record('patient', id, {
      effect: 'DENY',
      actor: 'Practitioner/other',
      roles: ['PHYSICIAN'],
      purposes: ['TREAT'],
    })
    const past = await record('patient', id, { effect: 'DENY', start: '2020', end: '2021-06' })
    expect(at(past.data, 'recordConsent')).toMatchObject({ start: '2020-01-01T00:00:00.000Z', end: '2021-06-30T23:59:59.999Z' })
    for (const answer of [other, past]) expect(answer.errors).toEqual([])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual(['', 'HIV', 'PSY'])
    const one = await record('patient', id, { effect: 'DENY', records: [conditionOf('PSY')] })
    expect([at(one.data, 'recordConsent', 'records'), one.errors]).toEqual([[conditionOf('PSY')], []])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual(['', 'HIV'])
  })

  it('the same statement again is the same consent, and changes nothing; so does a second withdrawal', async () => {
    const { id } = await admitted(clinic, 'Again', [['HIV']], [CARE_TEAM, SELF])
    const once = await record('patient', id, { effect: 'DENY', sensitivities: ['HIV', 'PSY'] })
    const again = await record('frontdesk', id, { sensitivities: ['PSY', 'HIV', 'PSY'], effect: 'DENY' })
    expect([idOf(again), again.errors, await writes(again)]).toEqual([idOf(once), [], []])
    expect((await auditOf(clinic, again)).map(({ path, outcome }) => `${path} ${outcome}`)).toContain(
      'Mutation.recordConsent ABSENT',
    )
    await withdraw('patient', idOf(once))
    const second = await withdraw('patient', idOf(once))
    expect([at(second.data, 'withdrawConsent', 'withdrawn'), second.errors, await writes(second)]).toEqual([true, [], []])
    // a replay of the statement is a statement of now
    expect(await writes(await record('patient', id, { effect: 'DENY', sensitivities: ['HIV', 'PSY'] }))).toHaveLength(1)
    expect(await reads(clinic, 'physician', id)).toBe(true)
  })

  it.each(['physician', 'nurse', 'billing', 'researcher', 'admin', 'auditor'])(
    '%s records and withdraws no consent',
    async (user) => {
      const { id } = await admitted(clinic, 'Closed', [['HIV']], [CARE_TEAM, SELF])
      const recorded = await record('patient', id, denyHiv)
      for (const answer of [await record(user, id, permit), await withdraw(user, idOf(recorded))]) {
        expect(codesOf(answer)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE ROLE'])
        expect(await writes(answer)).toEqual([])
      }
      expect(await conditionsOf(clinic, 'physician', id)).toEqual([])
    },
  )

  it('P5: a patient and a proxy reach no other patient, and staff reach no other tenant', async () => {
    const { id } = await admitted(clinic, 'Stranger', [['HIV']], [CARE_TEAM])
    const recorded = await record('privacy', id, denyHiv)
    expect(recorded.errors).toEqual([])
    for (const user of ['patient', 'proxy']) {
      for (const asked of [id, foreign, madeUpId(), 'x']) expect(codesOf(await record(user, asked, permit))).toEqual(['NOT_FOUND'])
      for (const asked of [idOf(recorded), id, 'x']) expect(codesOf(await withdraw(user, asked))).toEqual(['NOT_FOUND'])
    }
    for (const user of ['frontdesk', 'privacy']) {
      for (const asked of [foreign, madeUpId(), 'x', idOf(recorded)])
        expect(codesOf(await record(user, asked, permit))).toEqual(['NOT_FOUND'])
      for (const asked of [foreign, 'x']) expect(codesOf(await withdraw(user, asked))).toEqual(['NOT_FOUND'])
    }
  })

  it('a proxy records for the patient; a proxy whose limits exclude labeled records does not', async () => {
    const free = await admitted(clinic, 'Represented', [['HIV']], [CARE_TEAM, PROXY])
    const recorded = await record('proxy', free.id, denyHiv)
    expect(recorded.errors).toEqual([])
    expect((await writes(recorded)).map(({ basis }) => basis)).toEqual(['PROXY'])
    expect(await conditionsOf(clinic, 'physician', free.id)).toEqual([])

    const { id } = await admitted(clinic, 'Minor', [[], ['HIV']], [CARE_TEAM, SELF, LIMITED])
    const own = await record('patient', id, denyHiv)
    for (const input of [denyHiv, permit, { effect: 'DENY' }]) {
      expect(codesOf(await record('proxy', id, input))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP'])
    }
    expect(codesOf(await withdraw('proxy', idOf(own)))).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE RELATIONSHIP'])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual([''])
  })

  it('a consent of an import has another id, stays, and is withdrawn in its source only', async () => {
    const name = 'consent-of-both'
    const { idOf: importedId } = await importResources(clinic, [
      { resourceType: 'Patient', id: name, name: [{ family: 'Both' }] },
      {
        resourceType: 'Consent',
        id: 'deny-hiv',
        status: 'active',
        scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
        category: [{ text: 'privacy' }],
        patient: { reference: `Patient/${name}` },
        policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
        provision: {
          type: 'deny',
          securityLabel: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'HIV' }],
        },
      },
    ])
    const id = importedId('Patient', name, name)
    const stored = (await clinic.services.access.load(RIVERSIDE, [refOf(id).patient])).get(refOf(id).patient)
    const key = await clinic.services.keyring.purposeKey(RIVERSIDE, 'access')
    const [imported] = (stored?.open(key)?.consents ?? []) as { id: string }[]
    const [statement = ''] = (imported?.id ?? '').split('.')
    const publicId = encodeNodeId({ type: 'Consent' as TypeName, patient: refOf(id).patient, id: statement as RecordId })
    expect(codesOf(await withdraw('privacy', publicId))).toEqual(['BAD_USER_INPUT'])
    const recorded = await record('privacy', id, denyHiv)
    expect(refOf(idOf(recorded)).id).not.toBe(statement)
    expect((await withdraw('privacy', idOf(recorded))).errors).toEqual([])
    const after = (await clinic.services.access.load(RIVERSIDE, [refOf(id).patient])).get(refOf(id).patient)
    expect((after?.open(key)?.consents as { id: string }[]).map((one) => one.id)).toEqual([imported?.id])
  })

  it('concurrent statements of two processes are all stored', async () => {
    const { id } = await admitted(clinic, 'Crowd', [['HIV'], ['PSY'], ['SEX']], [CARE_TEAM, SELF])
    const answers = await Promise.all(
      ['HIV', 'PSY', 'SEX'].flatMap((label) =>
        [clinic, { ask: another }].map(
          async (process) => await process.ask('patient', RECORD, { id, input: { effect: 'DENY', sensitivities: [label] } }),
        ),
      ),
    )
    for (const answer of answers) expect(answer.errors).toEqual([])
    expect(await conditionsOf(clinic, 'physician', id)).toEqual([])
    expect(new Set(answers.map(idOf)).size).toBe(3)
  })

  it('a patient has at most 50 recorded consents', async () => {
    const { id } = await admitted(clinic, 'Many', [], [SELF])
    const numbered = (number: number) =>
      `c${number}: recordConsent(patientId: $id, input: {effect: DENY, actor: "Practitioner/${number}"}) { id }`
    for (const from of [0, 17, 34]) {
      const many = Array.from({ length: from === 34 ? 16 : 17 }, (_, index) => numbered(from + index))
      expect((await clinic.ask('patient', `mutation ($id: ID!) { ${many.join(' ')} }`, { id })).errors).toEqual([])
    }
    const more = await record('patient', id, denyHiv)
    expect(codesOf(more)).toEqual(['BAD_USER_INPUT'])
    const known = await record('patient', id, { effect: 'DENY', actor: 'Practitioner/0' })
    expect((await withdraw('patient', idOf(known))).errors).toEqual([])
    expect((await record('patient', id, denyHiv)).errors).toEqual([])
    const twentyOne = Array.from({ length: 21 }, (_, index) => numbered(index))
    expect(codesOf(await clinic.ask('patient', `mutation ($id: ID!) { ${twentyOne.join(' ')} }`, { id }))).toEqual([
      'OPERATION_TOO_COSTLY',
    ])
  })

  it.each<[string, object, string]>([
    ['a permission without sensitivities', { effect: 'PERMIT' }, 'BAD_USER_INPUT'],
    ['an empty list of sensitivities', { effect: 'DENY', sensitivities: [] }, 'BAD_USER_INPUT'],
    ['an empty list of roles', { effect: 'DENY', roles: [] }, 'BAD_USER_INPUT'],
    ['an unknown sensitivity', { effect: 'DENY', sensitivities: ['R'] }, 'BAD_USER_INPUT'],
    ['an unknown role', { effect: 'DENY', roles: ['KING'] }, 'BAD_USER_INPUT'],
    ['an unknown purpose', { effect: 'DENY', purposes: ['FUN'] }, 'BAD_USER_INPUT'],
    ['an actor of another form', { effect: 'DENY', actor: 'Dr. Smith' }, 'BAD_USER_INPUT'],
    ['an end before the start', { effect: 'DENY', start: '2026', end: '2025' }, 'BAD_USER_INPUT'],
    ['a record that is no id', { effect: 'DENY', records: ['x'] }, 'BAD_USER_INPUT'],
    ['a record of another patient', { effect: 'DENY', records: [madeUpId()] }, 'BAD_USER_INPUT'],
  ])('refuses %s', async (_name, input, code) => {
    const { id } = await admitted(clinic, 'Refused', [], [SELF])
    const answer = await record('patient', id, input)
    expect(codesOf(answer)).toEqual([code])
  })

  it('a record that the caller may not know of is not found', async () => {
    const { id, conditionOf } = await admitted(clinic, 'Unknown', [['HIV']], [SELF])
    const answer = await record('frontdesk', id, { effect: 'DENY', records: [conditionOf('HIV')] })
    expect([answer.data, codesOf(answer)]).toEqual([{ recordConsent: null }, ['NOT_FOUND']])
  })
})
