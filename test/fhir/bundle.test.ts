import { ISSUES } from '../../fhir/mapping-issue.ts'
import { describe, expect, it } from 'vitest'
import { mapBundle } from '../../fhir/map-bundle.ts'
import {
  bundle,
  careTeam,
  clinicLabels,
  idFor,
  map,
  now,
  observation,
  patient,
  practitioner,
  reasonsOf,
  recordsOf,
  riverside,
} from './clinic.ts'

const CANARY = 'CANARY-900-12-3456'

describe('references within a bundle', () => {
  const uuid = 'urn:uuid:8f14e45f-ceea-4672-9a3b-0b6f3c2d1e00'
  const entries = (...all: [fullUrl: string | undefined, resource: unknown][]): unknown => ({
    resourceType: 'Bundle',
    entry: all.map(([fullUrl, resource]) => ({ fullUrl, resource })),
  })

  it.each([uuid, 'Patient/ada', 'Patient/ada/_history/3', 'Patient?identifier=urn:mrn|7'])('follows %s', (reference) => {
    const mapped = map(
      entries(
        [undefined, observation({ subject: { reference } })],
        [uuid, patient({ identifier: [{ system: 'urn:mrn', value: '7' }] })],
      ),
    )
    expect(reasonsOf(mapped)).toEqual([])
    expect(recordsOf(mapped, 'Observation')[0]?.ref.patient).toBe(idFor('Patient', 'ada'))
  })

  it.each([
    ['a full URL that two entries share', uuid],
    ['a business identifier that two patients share', 'Patient?identifier=urn:mrn|7'],
  ])('does not choose between two patients behind %s', (_case, reference) => {
    const identifier = [{ system: 'urn:mrn', value: '7' }]
    const mapped = map(
      entries(
        [uuid, patient({ identifier })],
        [uuid, patient({ id: 'bob', identifier })],
        [undefined, observation({ subject: { reference } })],
      ),
    )
    expect(mapped.patients).toHaveLength(2)
    expect(mapped.faults).toEqual([{ entry: 2, reason: 'Observation.subject: its patient is not among the imported ones' }])
  })

  it('does not use a patient of another server with the same id', () => {
    const mapped = map(bundle(patient(), observation({ subject: { reference: 'https://elsewhere.example.org/fhir/Patient/ada' } })))
    expect(recordsOf(mapped, 'Observation')).toEqual([])
  })
})

describe('a bad entry does not affect the others', () => {
  it('reports entry and reason, in the order of the bundle', () => {
    const mapped = map({
      ...bundle(),
      entry: [
        null,
        'text',
        {},
        { request: { method: 'DELETE', url: 'Patient?identifier=1' } },
        { resource: { resourceType: CANARY, id: 'x' } },
        { resource: { resourceType: 'Goal', id: 'g1' } },
        { resource: patient() },
        { resource: observation({ id: 'twice' }) },
        { resource: observation({ valueQuantity: { value: CANARY } }) },
        { resource: observation({ id: 'o2' }) },
        { resource: observation({ id: undefined }) },
        { resource: careTeam({ participant: CANARY }) },
        { resource: observation({ id: 'twice', effectiveDateTime: '1900-01-01' }) },
      ],
    })
    expect(mapped.faults).toEqual([
      { entry: 0, reason: 'Bundle.entry: holds no resource' },
      { entry: 1, reason: 'Bundle.entry: holds no resource' },
      { entry: 2, reason: 'Bundle.entry: holds no resource' },
      { entry: 3, reason: 'Bundle.entry.request: a deletion that names no single resource' },
      { entry: 4, reason: 'Bundle.entry.resource.resourceType: not a FHIR R4 resource type' },
      { entry: 7, reason: `Observation: ${ISSUES.versions}` },
      { entry: 8, reason: 'Observation.valueQuantity.value: missing or of the wrong type' },
      { entry: 10, reason: 'Observation.id: missing, or not a FHIR id' },
      { entry: 11, reason: 'CareTeam.participant: missing or of the wrong type' },
      { entry: 12, reason: `Observation: ${ISSUES.versions}` },
    ])
    expect(recordsOf(mapped, 'Observation')).toHaveLength(1)
    expect([...mapped.unknown]).toEqual([['Goal', 1]])
  })

  it.each([null, [], 'text', 7, {}, { resourceType: 'Patient' }, { resourceType: 'Bundle', entry: {} }])(
    'refuses %j as a bundle',
    (input) => {
      expect(map(input).faults).toEqual([{ entry: -1, reason: 'Bundle: not a FHIR R4 bundle' }])
    },
  )

  it('accepts an empty bundle', () => {
    expect(map({ resourceType: 'Bundle' })).toMatchObject({ patients: [], faults: [] })
  })
})

describe('hostile input', () => {
  const mapText = (text: string): ReturnType<typeof mapBundle> =>
    mapBundle(JSON.parse(text), { tenant: riverside, idFor, now, assign: new Map(), labels: clinicLabels })
  const withExtra = (extra: string): string =>
    `{"resourceType":"Bundle","entry":[{"resource":${JSON.stringify(patient()).slice(0, -1)},${extra}}},{"resource":${JSON.stringify(patient({ id: 'bob' }))}}]}`

  it.each([
    ['nesting of 200,000 levels', `"extension":${'['.repeat(200_000)}${']'.repeat(200_000)}`, 'Patient: nested too deeply'],
    ['a prototype key', '"__proto__":{"polluted":true}', 'Patient: carries a key that no resource has'],
    [
      'a constructor below',
      '"maritalStatus":{"constructor":{"prototype":{"polluted":true}}}',
      'Patient: carries a key that no resource has',
    ],
    [
      'half a surrogate pair',
      '"gender":"\\ud800"',
      'Patient: carries text that is not well-formed Unicode, or a number that is none',
    ],
    [
      'a number beyond all numbers',
      '"multipleBirthInteger":1e999',
      'Patient: carries text that is not well-formed Unicode, or a number that is none',
    ],
  ])('is refused with %s, and the next entry is read', (_case, extra, reason) => {
    const mapped = mapText(withExtra(extra))
    expect(mapped.faults).toEqual([{ entry: 0, reason }])
    expect(mapped.patients).toHaveLength(1)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('is refused in a practitioner without losing the care team', () => {
    const mapped = mapText(JSON.stringify(bundle(patient(), practitioner({ name: [{ family: '\ud800' }] }), careTeam())))
    expect(recordsOf(mapped, 'CareTeamMember')[0]?.metadata.open).toEqual({ userId: 'Practitioner/p1' })
  })
})

describe('P8: no value of the input occurs in a fault', () => {
  /** Each place of the resource in turn has a value of the wrong kind. */
  const spoiled = (value: unknown): unknown[] => {
    if (typeof value !== 'object' || value === null) return [CANARY, { [CANARY]: CANARY }, [CANARY], 7]
    const within = Object.entries(value).flatMap(([key, item]) =>
      spoiled(item).map((bad) => (Array.isArray(value) ? value.with(Number(key), bad) : { ...value, [key]: bad })),
    )
    return Array.isArray(value) ? within : [...within, { ...value, [CANARY]: CANARY }]
  }
  const identifier = [{ system: 'urn:mrn', value: '7', type: { coding: [{ code: 'MR' }] } }]
  const component = [{ code: { text: 'part' }, valueQuantity: { value: 1, unit: 'u', comparator: '<' } }]
  const subject = { reference: 'Patient/ada' }
  const encounter = { reference: 'Encounter/e1' }
  const code = { coding: [{ system: 's', code: 'c', display: 'd' }], text: 't' }
  const data = Buffer.from('a note').toString('base64')
  const held = { resourceType: 'Coverage', id: 'k', beneficiary: subject, payor: [{ display: 'p' }], period: { start: '2020' } }
  const chart = [
    { resourceType: 'Encounter', id: 'e1', subject, type: [code], participant: [{ individual: { reference: 'Practitioner/p1' } }] },
    { resourceType: 'Condition', id: 'c1', subject, encounter, code, verificationStatus: code, onsetDateTime: '2020' },
    {
      resourceType: 'MedicationRequest',
      id: 'm1',
      subject,
      encounter,
      medicationReference: { reference: '#m' },
      contained: [{ resourceType: 'Medication', id: 'm', code }],
      dosageInstruction: [{ timing: { repeat: { frequency: 1, period: 1, periodUnit: 'd' } }, route: code }],
    },
    { resourceType: 'AllergyIntolerance', id: 'a1', patient: subject, code, reaction: [{ manifestation: [code] }] },
    { resourceType: 'Immunization', id: 'i1', patient: subject, vaccineCode: code },
    { resourceType: 'Procedure', id: 'pr1', subject, code, performedPeriod: { start: '2020', end: '2021' } },
    { resourceType: 'DocumentReference', id: 'd1', subject, content: [{ attachment: { contentType: 'text/plain', data } }] },
    {
      resourceType: 'DiagnosticReport',
      id: 'r1',
      subject,
      presentedForm: [{ contentType: 'text/html', data }],
      text: { div: 'x' },
    },
    { ...held, id: 'k1' },
    { resourceType: 'ExplanationOfBenefit', id: 'x1', patient: subject, contained: [held] },
    {
      resourceType: 'Claim',
      id: 'l1',
      patient: subject,
      item: [{ encounter: [encounter] }],
      total: { value: 1, currency: 'USD' },
      diagnosis: [{ diagnosisReference: { reference: 'Condition/c1' } }, { diagnosisCodeableConcept: code }],
    },
  ]
  const whole = [
    patient({
      identifier,
      telecom: [{ system: 'phone', value: '1', rank: 1 }],
      address: [{ line: ['a'], city: 'b' }],
      communication: [{ language: { text: 'en' } }],
    }),
    observation({ component, category: [{ coding: [{ code: 'c' }] }], effectivePeriod: { start: '2020', end: '2021' } }),
    careTeam({ period: { start: '2020' } }),
    practitioner({ identifier }),
    ...chart,
  ]

  it('any input is mapped or reported, and mapping never throws', () => {
    let faults = 0
    for (const bad of spoiled(whole)) {
      const mapped = map({ resourceType: 'Bundle', entry: (bad as unknown[]).map((resource) => ({ fullUrl: CANARY, resource })) })
      faults += mapped.faults.length
      expect(JSON.stringify([mapped.faults, [...mapped.unknown], [...mapped.leftOut]])).not.toContain(CANARY)
    }
    expect(faults).toBeGreaterThan(400)
  })
})

describe('repetition', () => {
  it('gives the same ids, digests and memberships for the same input', () => {
    const input = bundle(patient(), practitioner(), observation(), careTeam())
    expect(map(input)).toEqual(map(input))
  })
})
