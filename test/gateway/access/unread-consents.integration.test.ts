import { ISSUES } from '../../../fhir/mapping-issue.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Imported, importResources } from '../../harness/imported.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, outcomesOf } from '../asking.ts'

const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const coded = (system: string, code: string) => ({ coding: [{ system, code }] })
const policyRule = (code: string) => ({ policyRule: coded(ACT_CODE, code) })
const label = (code: string) => ({ system: ACT_CODE, code })
const permit = { type: 'permit', securityLabel: [label('ETH')] }
const modifierExtension = [{ url: 'urn:example:negates', valueBoolean: true }]

/** Active consents that are not fully understood. `{}` of one is a Consent with a status and a patient. */
const UNREAD: Readonly<Record<string, object>> = {
  'opt-out': policyRule('OPTOUT'),
  'opt-out-with-exceptions': { ...policyRule('OPTOUTE'), provision: { provision: [permit] } },
  'opt-out-with-a-permission': { ...policyRule('OPTOUT'), provision: permit },
  'emergency-only': { category: [coded(ACT_CODE, 'EMRGONLY')], provision: permit },
  'unknown-base-policy': { policyRule: coded('urn:example:policies', 'some'), provision: permit },
  'base-policy-as-text': { policyRule: { text: 'opt out' } },
  'base-policy-by-uri': { policy: [{ uri: 'urn:example:opt-out' }] },
  'nested-rule-without-a-type': { provision: { ...permit, provision: [{ securityLabel: [label('HIV')] }] } },
  'exception-to-an-opt-in': { ...policyRule('OPTIN'), provision: { actor: [{ reference: { reference: 'Organization/o1' } }] } },
  'denial-with-an-exception': { provision: { type: 'deny', provision: [permit] } },
  'denial-of-a-class': { provision: { type: 'deny', class: [{ code: 'x' }] } },
  'denial-by-its-custodian': {
    provision: {
      type: 'deny',
      actor: [
        {
          role: coded('http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'CST'),
          reference: { reference: 'Organization/o1' },
        },
      ],
    },
  },
  'denial-of-an-unknown-action': { provision: { type: 'deny', action: [{ text: 'share' }] } },
  'modifier-extension': { provision: permit, modifierExtension },
  'modifier-extension-inside': { provision: { ...permit, modifierExtension } },
  'unreadable-period': { provision: { type: 'deny', period: { start: '2024-13-45' } } },
  'unreadable-date': { dateTime: 'yesterday', provision: permit },
  'unknown-type': { provision: { type: 'refuse' } },
  'no-rule': { provision: {} },
  'nothing-but-a-paper': { sourceAttachment: { contentType: 'application/pdf' } },
  'unknown-status': { status: 'given', provision: permit },
  'implicit-rules': { implicitRules: 'urn:example:rules', provision: permit },
  'of-STU3': { policyRule: 'urn:example:opt-out', except: [{ type: 'deny' }] },
  'of-R5': { patient: undefined, subject: 'PATIENT', decision: 'deny', provision: [{ purpose: [] }] },
  'without-an-id': { id: undefined, provision: permit },
}

/** Consents that are understood, and the diagnoses that a physician of the care team sees then. */
const UNDERSTOOD: Readonly<Record<string, readonly [consent: object, seen: readonly string[]]>> = {
  'opt-in': [policyRule('OPTIN'), ['PSY', 'plain']],
  'opt-in-for-a-year': [{ ...policyRule('OPTIN'), provision: { period: { start: '2024', end: '2999' } } }, ['PSY', 'plain']],
  permission: [{ ...policyRule('OPTIN'), provision: permit }, ['ETH', 'PSY', 'plain']],
  'permission-not-verified': [{ provision: permit, verification: [{ verified: false }] }, ['PSY', 'plain']],
  'advance-directive': [
    { scope: coded('http://terminology.hl7.org/CodeSystem/consentscope', 'adr'), policyRule: { text: 'state law' } },
    ['PSY', 'plain'],
  ],
  'inactive-of-R5': [{ status: 'inactive', decision: 'deny' }, ['PSY', 'plain']],
  denial: [{ provision: { type: 'deny', securityLabel: [label('PSY')] } }, ['plain']],
}

const chart = (id: string): readonly object[] => {
  const subject = { reference: `Patient/${id}` }
  const diagnosis = (name: string, code?: string) => ({
    resourceType: 'Condition',
    id: `${id}-${name}`,
    subject,
    code: { text: name },
    ...(code !== undefined && { meta: { security: [label(code)] } }),
  })
  return [
    { resourceType: 'Patient', id, birthDate: '1970-02-03' },
    {
      resourceType: 'CareTeam',
      id: `team-${id}`,
      status: 'active',
      subject,
      participant: [{ member: { reference: 'Practitioner/physician' } }],
    },
    diagnosis('plain'),
    diagnosis('PSY', 'PSY'),
    diagnosis('ETH', 'ETH'),
  ]
}
const consent = (id: string, content: object): object => {
  const patient = { reference: `Patient/${id}` }
  const resource = { resourceType: 'Consent', id: `consent-${id}`, status: 'active', patient, ...content }
  return JSON.parse(JSON.stringify(resource).replace('"PATIENT"', JSON.stringify(patient))) as object
}

let clinic: RunningClinic
let imported: Imported

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  const consents = { ...UNREAD, ...Object.fromEntries(Object.entries(UNDERSTOOD).map(([id, [content]]) => [id, content])) }
  imported = await importResources(
    clinic,
    Object.entries(consents).flatMap(([id, content]) => [...chart(id), consent(id, content)]),
  )
})
afterAll(async () => {
  await clinic.stop()
})

const LIST = 'query ($id: ID!) { patient(id: $id) { birthDate conditions { edges { node { code { text } } } } } }'
const ask = async (user: string, id: string, headers?: Record<string, string>): Promise<ClinicAnswer> =>
  await clinic.ask(user, LIST, { id: imported.idOf('Patient', id, id) }, headers)
const seenIn = ({ data }: ClinicAnswer): unknown =>
  at(data, 'patient') === null
    ? 'NOT_FOUND'
    : nodesAt(data, 'patient', 'conditions')
        .map((node) => at(node, 'code', 'text'))
        .toSorted()
const BTG = { 'x-purpose-of-use': 'BTG' }
const breakGlass = async (id: string): Promise<void> => {
  const text = 'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "seizure", minutes: 30) { id } }'
  expect((await clinic.ask('nurse', text, { id: imported.idOf('Patient', id, id) }, BTG)).errors).toEqual([])
}

describe('P3: an active consent that is not understood closes its patient', () => {
  it.each(Object.keys(UNREAD))('%s', async (id) => {
    for (const user of ['physician', 'billing', 'frontdesk']) {
      const answer = await clinic.ask(user, 'query ($id: ID!) { patient(id: $id) { birthDate } }', {
        id: imported.idOf('Patient', id, id),
      })
      expect(answer.data).toEqual({ patient: null })
      expect(answer.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual(['Patient.birthDate DENIED CONSENT'])
    }
  })

  it.each(Object.entries(UNDERSTOOD))('and %s, which is understood, does not', async (id, [, seen]) => {
    const answer = await ask('physician', id)
    expect(answer.errors).toEqual([])
    expect(seenIn(answer)).toEqual(seen)
  })

  it('P5: the patient cannot be distinguished from one that does not exist', async () => {
    expect(bytesOf(await ask('physician', 'opt-out'))).toBe(bytesOf(await ask('physician', 'never-written')))
    const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
    expect(panel.text).not.toContain(imported.idOf('Patient', 'opt-out', 'opt-out'))
  })

  it('is reported: each consent with a fault, and the number of closed patients', () => {
    const exact = new Set([
      'denial-of-a-class',
      'denial-by-its-custodian',
      'denial-of-an-unknown-action',
      'denial-with-an-exception',
    ])
    expect(imported.closed).toBe(Object.keys(UNREAD).filter((id) => !exact.has(id)).length)
    expect(imported.faults.length).toBeGreaterThanOrEqual(Object.keys(UNREAD).length)
    // no text of the input
    for (const { reason } of imported.faults) expect(reason).toMatch(/^Consent(?:\.[a-zA-Z[\]\d]+)*: [a-z]/)
  })

  it.each(['opt-out', 'modifier-extension', 'of-R5', 'denial-of-a-class'])(
    'break-glass opens %s, except for what needs a permission',
    async (id) => {
      await breakGlass(id)
      expect(seenIn(await ask('nurse', id, BTG))).toEqual(['PSY', 'plain'])
    },
  )

  it('break-glass opens a denial with an exception, and what the exception permits', async () => {
    await breakGlass('denial-with-an-exception')
    expect(seenIn(await ask('nurse', 'denial-with-an-exception', BTG))).toEqual(['ETH', 'PSY', 'plain'])
  })

  it('a denial that is understood holds for break-glass, also beside a part that is not', async () => {
    const parts = { type: 'deny', securityLabel: [label('PSY'), label('UNHEARD-OF')] }
    const optedOut = { ...policyRule('OPTOUT'), provision: { type: 'deny', securityLabel: [label('PSY')] } }
    for (const [id, content] of [
      ['denied', { provision: { type: 'deny', securityLabel: [label('PSY')] } }],
      ['denied-in-part', { provision: parts }],
      ['denied-and-opted-out', optedOut],
    ] as const) {
      await importResources(clinic, [...chart(id), consent(id, content)])
      await breakGlass(id)
      expect(seenIn(await ask('nurse', id, BTG))).toEqual(['plain'])
    }
  })
})

describe('P3: a consent entry that the import refuses closes its patient', () => {
  it('if it differs from another entry of the same consent, and not if it is the same', async () => {
    const readable = consent('twice', { ...policyRule('OPTIN') })
    await importResources(clinic, [...chart('twice'), readable, readable])
    expect(seenIn(await ask('physician', 'twice'))).toEqual(['PSY', 'plain'])
    const report = await importResources(clinic, [...chart('twice'), readable, consent('twice', { provision: { type: 'deny' } })])
    expect(seenIn(await ask('physician', 'twice'))).toBe('NOT_FOUND')
    expect(report.faults.map(({ reason }) => reason)).toEqual([`Consent: ${ISSUES.versions}`, `Consent: ${ISSUES.versions}`])
  })

  it('if it names nobody in a bundle of one patient', async () => {
    await importResources(clinic, [...chart('alone'), consent('alone', { patient: undefined, provision: { type: 'deny' } })])
    expect(seenIn(await ask('physician', 'alone'))).toBe('NOT_FOUND')
  })

  it('if its patient came with an earlier import, or comes with a later file of the same one', async () => {
    await importResources(clinic, chart('earlier'))
    expect(seenIn(await ask('physician', 'earlier'))).toEqual(['PSY', 'plain'])
    const report = await importResources(clinic, [consent('earlier', { subject: 'PATIENT', patient: undefined, decision: 'deny' })])
    expect(seenIn(await ask('physician', 'earlier'))).toBe('NOT_FOUND')
    expect(report).toMatchObject({ closed: 1, patients: 0 })
    // a corrected consent replaces the refused one
    await importResources(clinic, [consent('earlier', { ...policyRule('OPTIN'), provision: permit })])
    expect(seenIn(await ask('physician', 'earlier'))).toEqual(['ETH', 'PSY', 'plain'])
  })

  it('and creates no patient', async () => {
    await importResources(clinic, [consent('nobody', { provision: { type: 'deny' } })])
    const text = 'mutation ($id: ID!) { breakGlass(patientId: $id, reason: "seizure", minutes: 30) { id } }'
    const broken = await clinic.ask('nurse', text, { id: imported.idOf('Patient', 'nobody', 'nobody') }, BTG)
    expect(broken.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
  })

  it('until it is corrected: consents without an id are one statement, which a consent of that name replaces', async () => {
    expect(seenIn(await ask('physician', 'without-an-id'))).toBe('NOT_FOUND')
    await importResources(clinic, [
      ...chart('without-an-id'),
      consent('without-an-id', { provision: permit }),
      consent('without-an-id', { id: 'without-id', status: 'inactive' }),
    ])
    expect(seenIn(await ask('physician', 'without-an-id'))).toEqual(['ETH', 'PSY', 'plain'])
  })
})
