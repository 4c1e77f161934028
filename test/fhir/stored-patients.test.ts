import { describe, expect, it } from 'vitest'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { MappedBundle } from '../../fhir/mapped-bundle.ts'
import { openBundle, outsidePatients } from '../../fhir/opened-bundle.ts'
import { lookupId } from '../../fhir/stored-patients.ts'
import type { PatientId } from '../../gateway/model/ids.ts'
import { type Resource, bundle, clinicLabels, idFor, now, observation, patient, reasonsOf, riverside, valuesOf } from './clinic.ts'

const UNFILED = 'Observation.subject: its patient is not among the imported ones'
const ada = idFor('Patient', 'ada') as string as PatientId
const grace = idFor('Patient', 'grace') as string as PatientId
const BY_MRN = 'Patient?identifier=urn:mrn|7'
const ofMrn = { identifier: { system: 'urn:mrn', value: '7' } }

const mapStored = (
  input: object,
  stored: Readonly<Record<string, PatientId>> = { 'Patient/ada': ada, [BY_MRN]: ada },
): MappedBundle =>
  mapBundle(structuredClone(input), {
    tenant: riverside,
    idFor,
    now,
    assign: new Map([['Practitioner/p1', ['Practitioner/physician']]]),
    labels: clinicLabels,
    stored: new Map(Object.entries(stored)),
  })
const keysOf = (input: object): readonly string[] => outsidePatients(openBundle(structuredClone(input), now))
const filed = (mapped: MappedBundle) =>
  mapped.stored.flatMap(({ patient: whose, records }) => records.map(({ ref }) => [ref.type, ref.patient === whose, whose]))

describe('a resource of a patient that is stored', () => {
  const other = { fullUrl: 'https://ehr.example/r4/Practitioner/p9', resource: { resourceType: 'Practitioner', id: 'p9' } }
  const at = (reference: string) => ({
    ...bundle(observation({ subject: { reference } })),
    entry: [{ resource: observation({ subject: { reference } }) }, other],
  })

  it.each([
    ['Patient/ada', 'Patient/ada'],
    ['Patient/ada/_history/3', 'Patient/ada'],
    ['https://ehr.example/r4/Patient/ada', 'Patient/ada'],
    ['http://ehr.example/r4/Patient/ada/_history/3', 'Patient/ada'],
    ['Patient?identifier=urn:mrn|7', BY_MRN],
    ['https://ehr.example/r4/Patient?identifier=urn:mrn%7C7', BY_MRN],
  ])('is filed by %s', (reference, key) => {
    expect(keysOf(at(reference))).toEqual([key])
    const mapped = mapStored(at(reference))
    expect(reasonsOf(mapped)).toEqual([])
    expect(mapped.patients).toEqual([])
    expect(filed(mapped)).toEqual([['Observation', true, ada]])
    expect(mapped.outcomes[0]).toMatchObject({ kind: 'records', patient: ada })
    expect(mapped.stored[0]).toMatchObject({ memberships: [], sources: [{ type: 'Observation' }] })
    expect(mapped.withdrawn).toEqual([])
  })

  it.each([
    { reference: 'https://other.example/r4/Patient/ada' },
    { reference: 'urn:uuid:6a1f4fd4-0a3d-4c0b-9c51-7a1b7a0a7b11' },
    { reference: 'Group/ada' },
    { reference: '#ada' },
    { identifier: { value: '7' } },
    { identifier: { system: 'urn:mrn' } },
    { identifier: { system: 'urn:mrn|7', value: '7' } },
    { identifier: { system: 'urn:mrn', value: '7' }, type: 'Practitioner' },
    { display: 'Ada Byron' },
  ])('is a fault if nothing of the reference names one: %j', (subject) => {
    expect(keysOf(bundle(observation({ subject })))).toEqual([])
    const mapped = mapStored(bundle(observation({ subject })))
    expect(reasonsOf(mapped)).toEqual([UNFILED])
    expect(mapped.withdrawn).toMatchObject([{ reason: 'UNFILED' }])
  })

  it.each(['8', 'A|7/ü', '50%25'])('is found by an identifier with the value %j as it is written', (value) => {
    const key = `Patient?identifier=urn:mrn|${value}`
    const input = bundle(observation({ subject: { identifier: { system: 'urn:mrn', value } } }))
    expect(keysOf(input)).toEqual([key])
    expect(filed(mapStored(input, { [key]: ada }))).toHaveLength(1)
    expect(lookupId(key, idFor)).toBe(idFor('PatientIdentifier', `urn:mrn|${value}`))
  })

  const coding = (code: string) => ({ coding: [{ code }] })
  const resources: readonly (readonly [Resource, string])[] = [
    [{ resourceType: 'AllergyIntolerance', id: 'x', patient: ofMrn, code: { text: 'a' } }, 'AllergyIntolerance'],
    [{ resourceType: 'Condition', id: 'x', subject: ofMrn, code: { text: 'a' } }, 'Condition'],
    [{ resourceType: 'Coverage', id: 'x', status: 'active', beneficiary: ofMrn, payor: [], subscriberId: '1' }, 'Coverage'],
    [{ resourceType: 'Claim', id: 'x', status: 'active', use: 'claim', patient: ofMrn }, 'Claim'],
    [{ resourceType: 'Encounter', id: 'x', status: 'finished', class: { code: 'AMB' }, subject: ofMrn }, 'Encounter'],
    [
      {
        resourceType: 'Immunization',
        id: 'x',
        status: 'completed',
        patient: ofMrn,
        vaccineCode: { text: 'a' },
        occurrenceDateTime: '2024',
      },
      'Immunization',
    ],
    [
      {
        resourceType: 'MedicationRequest',
        id: 'x',
        status: 'active',
        intent: 'order',
        subject: ofMrn,
        medicationCodeableConcept: { text: 'a' },
      },
      'MedicationRequest',
    ],
    [{ resourceType: 'Procedure', id: 'x', status: 'completed', subject: ofMrn, code: { text: 'a' } }, 'Procedure'],
    [
      {
        resourceType: 'DocumentReference',
        id: 'x',
        status: 'current',
        subject: ofMrn,
        content: [{ attachment: { contentType: 'text/plain', data: 'YQ==' } }],
      },
      'DocumentReference',
    ],
    [
      { resourceType: 'DiagnosticReport', id: 'x', status: 'final', subject: ofMrn, code: { text: 'a' }, conclusion: 'a' },
      'DocumentReference',
    ],
    [
      {
        resourceType: 'CareTeam',
        id: 'x',
        status: 'active',
        subject: ofMrn,
        participant: [{ role: [coding('physician')], member: { reference: 'Practitioner/p1' } }],
      },
      'CareTeamMember',
    ],
    [
      {
        resourceType: 'ExplanationOfBenefit',
        id: 'x',
        status: 'active',
        patient: ofMrn,
        contained: [{ resourceType: 'Coverage', id: 'c', status: 'active', beneficiary: ofMrn, subscriberId: '1' }],
      },
      'Coverage',
    ],
  ]
  it.each(resources)('is filed, of any type with a subject: %#', (resource, type) => {
    const mapped = mapStored(bundle(resource))
    expect(reasonsOf(mapped)).toEqual([])
    expect(filed(mapped)).toEqual([[type, true, ada]])
  })

  it('is filed in one chart, whichever way the resources name the patient', () => {
    const encounter = { resourceType: 'Encounter', id: 'e', status: 'finished', class: { code: 'AMB' }, subject: ofMrn }
    const mapped = mapStored(bundle(encounter, observation({ encounter: { reference: 'Encounter/e' } })))
    expect(reasonsOf(mapped)).toEqual([])
    expect(mapped.stored).toHaveLength(1)
    expect(mapped.stored[0]?.records.at(-1)?.metadata.references).toEqual({ encounter: idFor('Encounter', 'e') })
  })

  it('is a fault if its encounter is of another patient', () => {
    const encounter = { resourceType: 'Encounter', id: 'e', status: 'finished', class: { code: 'AMB' }, subject: ofMrn }
    const mapped = mapStored(bundle(encounter, observation({ encounter: { reference: 'Encounter/e' } })), {
      'Patient/ada': ada,
      [BY_MRN]: grace,
    })
    expect(reasonsOf(mapped)).toEqual(['Observation.encounter: belongs to another patient'])
  })

  it('is a fault if two servers give the id of its patient', () => {
    const one = { fullUrl: 'https://one.example/r4/Observation/o1', resource: observation() }
    const two = { fullUrl: 'https://two.example/r4/Observation/o2', resource: observation({ id: 'o2' }) }
    const mapped = mapStored({ ...bundle(), entry: [one, two] })
    expect(filed(mapped)).toHaveLength(1)
    expect(mapped.faults).toEqual([{ entry: 1, reason: UNFILED }])
  })
})

describe('a patient of the bundle', () => {
  const lacking = patient({ identifier: [{ system: 'urn:mrn', value: '7', use: 'old' }] })

  it.each([{ use: 'old' }, { period: { end: '2024-05' } }, { period: { start: '2024-07' } }])(
    'is not found by an identifier that is not current: %j',
    (more) => {
      const input = bundle(patient({ identifier: [{ system: 'urn:mrn', value: '7', ...more }] }), observation({ subject: ofMrn }))
      expect(keysOf(input)).toEqual([BY_MRN])
      expect(reasonsOf(mapStored(input, {}))).toEqual([UNFILED])
      expect(filed(mapStored(input, { [BY_MRN]: grace }))).toEqual([['Observation', true, grace]])
    },
  )

  it('is not found by an identifier of the stored version, which the bundle changes', () => {
    expect(reasonsOf(mapStored(bundle(lacking, observation({ subject: ofMrn }))))).toEqual([UNFILED])
  })

  it.each([
    ['deletes', [{ request: { method: 'DELETE', url: 'Patient/ada' } }]],
    ['has in two versions without an order', [{ resource: patient() }, { resource: patient({ gender: 'female' }) }]],
    ['has in a version that cannot be read', [{ resource: patient({ gender: 'x' }) }]],
  ])('gets no resource if the bundle %s it', (_, entries) => {
    const mapped = mapStored({
      ...bundle(),
      entry: [...entries, { resource: observation() }, { resource: observation({ id: 'o2', subject: ofMrn }) }],
    })
    expect(reasonsOf(mapped).filter((reason) => reason === UNFILED)).toHaveLength(2)
    expect(mapped.stored).toEqual([])
  })

  it('gives the identifiers by which a later import finds it', () => {
    const identifier = [
      { system: 'urn:mrn', value: '7' },
      { system: 'urn:card', value: '8', period: { start: '2025', end: '2026-01' } },
      { system: 'urn:old', value: '9', use: 'old' },
      { system: 'urn:ended', value: '10', period: { end: '2023' } },
      { value: '11' },
      { system: 'urn:a|b', value: '12' },
    ]
    expect(mapStored(bundle(patient({ identifier }))).patients[0]?.sources[0]?.identifiers).toEqual([
      { id: idFor('PatientIdentifier', 'urn:mrn|7') },
      { id: idFor('PatientIdentifier', 'urn:card|8'), since: '2025-01-01T00:00:00.000Z', until: '2026-02-01T00:00:00.000Z' },
    ])
  })
})

describe('a chart without the resource of the patient', () => {
  const named = { individual: { reference: 'Practitioner/p1', display: 'Dr. Grace Hopper' } }
  const encounter = (more: object = {}) => ({
    resourceType: 'Encounter',
    id: 'e',
    status: 'finished',
    class: { code: 'AMB' },
    subject: ofMrn,
    participant: [named],
    ...more,
  })

  it('P8: shows no display, because the display can be the name of the patient', () => {
    const mapped = mapStored(bundle(encounter()))
    expect(valuesOf(mapped.stored[0]?.records[0])).not.toHaveProperty(['Encounter.practitioner'])
    expect(reasonsOf(mapped)).toEqual([
      'Encounter: a name that cannot be compared with the names of the patient, which are not in the files, so that the record lacks it',
    ])
  })

  it('shows the name of a practitioner of the bundle', () => {
    const practitioner = { resourceType: 'Practitioner', id: 'p1', name: [{ text: 'Dr. Grace Hopper' }] }
    const mapped = mapStored(bundle(encounter(), practitioner))
    expect(valuesOf(mapped.stored[0]?.records[0])).toMatchObject({ 'Encounter.practitioner': 'Dr. Grace Hopper' })
    expect(reasonsOf(mapped)).toEqual([])
  })

  it('gives nobody the right to act, and changes no earlier right, because the age is unknown', () => {
    const relationship = [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'MTH' }] }]
    const mapped = mapStored(bundle({ resourceType: 'RelatedPerson', id: 'r', active: true, patient: ofMrn, relationship }))
    expect(mapped.stored.flatMap(({ memberships }) => memberships)).toEqual([])
    expect(reasonsOf(mapped)).toEqual(['RelatedPerson.patient: has no birth date, so that nobody acts for the patient by it'])
    expect(mapped.withdrawn).toMatchObject([{ type: 'RelatedPerson', reason: 'UNFILED' }])
    expect(mapped.outcomes).toEqual([{ kind: 'issue' }])
  })

  it('ends the right of a relative who is not active any more', () => {
    const mapped = mapStored(bundle({ resourceType: 'RelatedPerson', id: 'r', active: false, patient: ofMrn }))
    expect(mapped.stored[0]?.memberships).toEqual([
      { patient: ada, relationship: 'PROXY', fhirUser: 'RelatedPerson/r', periods: [] },
    ])
  })

  it('has the same contained coverage as the chart with the resource', () => {
    const settlement = {
      resourceType: 'ExplanationOfBenefit',
      id: 'x',
      status: 'active',
      patient: { reference: 'Patient/ada' },
      contained: [
        { resourceType: 'Coverage', id: 'c', status: 'active', beneficiary: { reference: 'Patient/ada' }, subscriberId: '1' },
      ],
    }
    const [withPatient, without] = [bundle(patient(), settlement), bundle(settlement)].map((input) => mapStored(input))
    expect(without?.stored[0]?.records).toEqual(withPatient?.patients[0]?.records.slice(1))
  })

  it('has the consents of its patient, without a fault', () => {
    const consent = {
      resourceType: 'Consent',
      id: 'c',
      status: 'active',
      scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
      category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
      patient: ofMrn,
      policyRule: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'OPTIN' }] },
    }
    const mapped = mapStored(bundle(consent, observation()))
    expect(reasonsOf(mapped)).toEqual([])
    expect(mapped.stored).toMatchObject([{ patient: ada, consents: { withdrawn: [idFor('Consent', 'c')] }, records: [{}] }])
  })
})
