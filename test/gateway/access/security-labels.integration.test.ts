import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Imported, importResources } from '../../harness/imported.ts'
import { bytesOf, type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, nodesAt, outcomesOf } from '../asking.ts'

const CONFIDENTIALITY = 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality'
const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const ACT_REASON = 'http://terminology.hl7.org/CodeSystem/v3-ActReason'
const INLINE = 'http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label'

const PERSON = 'riverside-1'
const GUARDED = 'guarded'
const subject = { reference: `Patient/${PERSON}` }
const READERS = ['physician', 'billing', 'patient', 'proxy'] as const
const EVERYBODY = [...READERS]

/** A diagnosis is called by the label in question. */
const diagnosis = (name: string, security: unknown, more: object = {}) => ({
  resourceType: 'Condition',
  id: name,
  subject,
  code: { text: name },
  recordedDate: '2024-01-15',
  ...(security !== undefined && { meta: { security } }),
  ...more,
})
const label = (system: string | undefined, code: string) => [{ ...(system !== undefined && { system }), code }]

/** The name of a diagnosis, its security label, and the readers of it. */
const TABLE: readonly (readonly [name: string, security: unknown, readers: readonly string[]])[] = [
  ['plain', undefined, EVERYBODY],
  ...(['N', 'M', 'L', 'U'] as const).map((code) => [code, label(CONFIDENTIALITY, code), EVERYBODY] as const),
  ['HTEST', label(ACT_REASON, 'HTEST'), EVERYBODY],
  ['NOREUSE', label(ACT_CODE, 'NOREUSE'), EVERYBODY],
  ['PERSISTLABEL', label(ACT_CODE, 'PERSISTLABEL'), EVERYBODY],
  ['HIV', label(ACT_CODE, 'HIV'), EVERYBODY],
  ['42CFRPart2', label(ACT_CODE, '42CFRPart2'), ['patient', 'proxy']],
  ['NOPAT', label(ACT_CODE, 'NOPAT'), ['physician', 'billing']],
  ['NOAUTH', label(ACT_CODE, 'NOAUTH'), ['physician', 'billing']],
  ['NOPAT-of-STU3', label('http://hl7.org/fhir/v3/ActCode', 'NOPAT'), ['physician', 'billing']],
  ['NOPAT-by-OID', label('urn:oid:2.16.840.1.113883.5.4', 'NOPAT'), ['physician', 'billing']],
  ['R', label(CONFIDENTIALITY, 'R'), ['physician', 'patient']],
  ['V', label(CONFIDENTIALITY, 'V'), ['patient']],
  ['R-and-NOPAT', [...label(CONFIDENTIALITY, 'R'), ...label(ACT_CODE, 'NOPAT')], ['physician']],
  ['N-and-V', [...label(CONFIDENTIALITY, 'N'), ...label(CONFIDENTIALITY, 'V')], ['patient']],
  ['VIP', label(ACT_CODE, 'VIP'), []],
  ['of-a-clinic', label('urn:example:labels', 'secret'), []],
  ['R-without-system', label(undefined, 'R'), []],
  ['R-of-another-system', label(ACT_CODE, 'R'), []],
  ['no-code', [{ system: ACT_CODE }], []],
  ['no-list', { system: ACT_CODE, code: 'NOREUSE' }, []],
  ['text', ['R'], []],
]
const UNKNOWN = TABLE.filter(([, , readers]) => readers.length === 0).map(([name]) => name)

let clinic: RunningClinic
let imported: Imported

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  const letter = (id: string, securityLabel: unknown) => ({
    resourceType: 'DocumentReference',
    id,
    status: 'current',
    subject,
    date: '2024-01-15T08:00:00Z',
    securityLabel,
    content: [{ attachment: { contentType: 'text/plain', data: Buffer.from(id).toString('base64') } }],
  })
  const adult = (id: string, meta: object = {}) => ({
    resourceType: 'Patient',
    id,
    name: [{ family: 'Marked', given: ['Kim'] }],
    birthDate: '1970-02-03',
    meta,
  })
  const team = (patient: string) => ({
    resourceType: 'CareTeam',
    id: `team-${patient}`,
    status: 'active',
    subject: { reference: `Patient/${patient}` },
    participant: [{ member: { reference: 'Practitioner/physician' } }],
  })
  imported = await importResources(clinic, [
    adult(PERSON),
    team(PERSON),
    {
      resourceType: 'RelatedPerson',
      id: 'proxy',
      active: true,
      patient: subject,
      relationship: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'HPOWATT' }] }],
    },
    ...TABLE.map(([name, security]) => diagnosis(name, security)),
    diagnosis('inline', undefined, {
      bodySite: [{ text: 'arm', extension: [{ url: INLINE, valueCoding: { system: CONFIDENTIALITY, code: 'V' } }] }],
    }),
    diagnosis('inside', undefined, {
      contained: [{ resourceType: 'Observation', id: 'o', meta: { security: label(CONFIDENTIALITY, 'V') } }],
    }),
    letter('open-letter', undefined),
    letter('closed-letter', [{ coding: label(ACT_CODE, 'NOPAT') }]),
    letter('letter-for-no-one', [{ text: 'eyes only' }]),
    adult(GUARDED, { security: label(CONFIDENTIALITY, 'V') }),
    team(GUARDED),
  ])
})
afterAll(async () => {
  await clinic.stop()
})

const LIST = `query ($id: ID!, $first: Int = 100) { patient(id: $id) {
  conditions(first: $first) { edges { node { code { text } } } pageInfo { hasNextPage } }
  documentReferences { edges { node { text } } } } }`
const NAMED = new Set(TABLE.map(([name]) => name))
const listed = async (user: string, headers?: Record<string, string>): Promise<ClinicAnswer> =>
  await clinic.ask(user, LIST, { id: imported.idOf('Patient', PERSON, PERSON) }, headers)
const namesIn = ({ data }: ClinicAnswer): Set<unknown> =>
  new Set(nodesAt(data, 'patient', 'conditions').map((node) => at(node, 'code', 'text')))
const textsIn = ({ data }: ClinicAnswer): unknown[] =>
  nodesAt(data, 'patient', 'documentReferences').flatMap((node) => {
    const text = String(at(node, 'text'))
    return text.includes('letter') ? text : []
  })

describe('P3: security labels close records', () => {
  it.each(READERS)('shows %s the records that the labels leave open, and no others', async (user) => {
    const answer = await listed(user)
    const expected = TABLE.filter(([, , readers]) => readers.includes(user)).map(([name]) => name)
    expect([...namesIn(answer)].filter((name) => NAMED.has(String(name))).toSorted()).toEqual(expected.toSorted())
    // the front desk and billing have no grant for documents
    if (user !== 'billing') expect(answer.errors).toEqual([])
  })

  it('reads the labels of documents, of elements, and of contained resources', async () => {
    expect(textsIn(await listed('physician')).toSorted()).toEqual(['closed-letter', 'open-letter'])
    for (const user of ['patient', 'proxy']) expect(textsIn(await listed(user))).toEqual(['open-letter'])
    const [physician, patient] = [namesIn(await listed('physician')), namesIn(await listed('patient'))]
    for (const name of ['inline', 'inside']) expect([physician.has(name), patient.has(name)]).toEqual([false, true])
  })

  it('reports an unknown label as a fault of its entry, without its code', () => {
    const reasons = imported.faults.map(({ reason }) => reason)
    expect(reasons).toEqual([
      ...UNKNOWN.map(() => 'Condition: carries a security label that is not known here, so that its record is closed'),
      'DocumentReference: carries a security label that is not known here, so that its record is closed',
    ])
  })

  it('P5: a closed record cannot be distinguished from one that does not exist', async () => {
    const one = 'query ($id: ID!) { node(id: $id) { id ... on Condition { code { text } } } }'
    for (const [user, name] of [
      ['proxy', 'NOPAT'],
      ['billing', 'R'],
      ['physician', 'V'],
      ['physician', 'VIP'],
    ] as const) {
      const closed = await clinic.ask(user, one, { id: imported.idOf('Condition', name, PERSON) })
      const nothing = await clinic.ask(user, one, { id: imported.idOf('Condition', 'never written', PERSON) })
      expect(closed.data).toEqual({ node: null })
      expect(bytesOf(closed)).toBe(bytesOf(nothing))
      expect(new Set(outcomesOf(await auditOf(clinic, closed)).map((line) => line.replace(/^\S+ /, '')))).toEqual(
        new Set(['DENIED CONSENT']),
      )
    }
  })

  it('closes the record of the patient: left out of the list, and not found by its id', async () => {
    const id = imported.idOf('Patient', GUARDED, GUARDED)
    const panel = await clinic.ask('physician', '{ patients(first: 100) { edges { node { id } } } }')
    expect(panel.text).not.toContain(id)
    const found = await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id })
    expect(found.data).toEqual({ patient: null })
    expect(found.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
  })

  it('break-glass opens restricted and very restricted records, and no record with an unknown label', async () => {
    const headers = { 'x-purpose-of-use': 'BTG' }
    const breakGlass = `mutation ($id: ID!) { breakGlass(patientId: $id, reason: "seizure", minutes: 30) { id } }`
    const id = imported.idOf('Patient', PERSON, PERSON)
    const broken = await clinic.ask('nurse', breakGlass, { id }, headers)
    expect(broken.errors).toEqual([])
    const names = namesIn(await listed('nurse', headers))
    expect(['R', 'V', 'NOPAT', 'N-and-V'].filter((name) => !names.has(name))).toEqual([])
    expect([...UNKNOWN, '42CFRPart2'].filter((name) => names.has(name))).toEqual([])
  })
})

describe('a label of the bundle', () => {
  const files = (id: string, bundle: object, ...marked: readonly unknown[]) =>
    importResources(
      clinic,
      [
        { resourceType: 'Patient', id, birthDate: '1970-02-03' },
        ...marked.map((security, index) => ({
          ...diagnosis(`${id}-${index}`, security),
          subject: { reference: `Patient/${id}` },
        })),
      ],
      { bundle },
    )
  const seen = async (of: Imported, id: string): Promise<unknown> => {
    const { data } = await clinic.ask('billing', LIST, { id: of.idOf('Patient', id, id) })
    return at(data, 'patient') === null
      ? 'no patient'
      : nodesAt(data, 'patient', 'conditions').map((node) => at(node, 'code', 'text'))
  }
  const restricted = { meta: { security: label(CONFIDENTIALITY, 'R') } }

  it('counts for all records if none of them has it, because it can only be meant for all', async () => {
    const report = await files('all-marked', restricted, undefined, undefined)
    expect(await seen(report, 'all-marked')).toBe('no patient')
    expect(report.faults).toEqual([])
  })

  it('counts for no further record if one of them has it, because it is the highest label of the resources', async () => {
    const report = await files('one-marked', restricted, undefined, label(CONFIDENTIALITY, 'R'))
    expect(await seen(report, 'one-marked')).toEqual(['one-marked-0'])
  })

  it('closes all records if it is unknown, and is a fault of the whole bundle', async () => {
    const report = await files('odd-marked', { meta: { security: label('urn:example:labels', 'secret') } }, undefined)
    expect(await seen(report, 'odd-marked')).toBe('no patient')
    expect(report.faults).toMatchObject([{ reason: expect.stringMatching(/^Bundle: carries a security label/) as string }])
  })
})
