import { describe, expect, it } from 'vitest'
import type { NewRecord } from '../../gateway/model/record.ts'
import { type Resource, bundle, idFor, map, patient, practitioner, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

// The resources of a patient's bundle, except observations, care teams, documents and coverages.

const subject = { reference: 'Patient/ada' }
const encounter = { reference: 'Encounter/e1' }
const SNOMED = 'http://snomed.info/sct'
const concept = (code: string, text: string): object => ({ coding: [{ system: SNOMED, code }], text })

const visit = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Encounter',
  id: 'e1',
  status: 'finished',
  class: { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'AMB' },
  type: [concept('185345009', 'Encounter for symptom')],
  subject: { ...subject, display: 'Ada Byron' },
  participant: [{ individual: { reference: 'Practitioner/p1', display: 'Ada Byron' } }],
  period: { start: '2024-03-01T09:00:00+02:00', end: '2024-03-01T09:30:00+02:00' },
  reasonCode: [concept('25064002', 'Headache')],
  serviceProvider: { reference: 'Organization/org' },
  ...changes,
})
const organization = { resourceType: 'Organization', id: 'org', name: 'Riverside Clinic' }
const condition = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Condition',
  id: 'c1',
  clinicalStatus: { coding: [{ code: 'active' }] },
  verificationStatus: { coding: [{ code: 'confirmed' }] },
  code: concept('59621000', 'Hypertension'),
  subject,
  encounter,
  onsetDateTime: '2023',
  recordedDate: '2024-03-01',
  ...changes,
})
const request = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'MedicationRequest',
  id: 'm1',
  status: 'active',
  intent: 'order',
  medicationCodeableConcept: concept('314076', 'lisinopril 10 MG'),
  subject,
  encounter,
  authoredOn: '2024-03-01T09:20:00Z',
  requester: { reference: 'Practitioner/p1' },
  dosageInstruction: [{ text: 'One tablet in the morning.' }],
  ...changes,
})
const procedure = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Procedure',
  id: 'pr1',
  status: 'completed',
  code: concept('73761001', 'Colonoscopy'),
  subject,
  encounter,
  performedPeriod: { start: '2024-03-01T10:00:00Z', end: '2024-03-01T10:30:00Z' },
  ...changes,
})
const claim = (changes: Record<string, unknown> = {}): Resource => ({
  resourceType: 'Claim',
  id: 'cl1',
  status: 'active',
  use: 'claim',
  patient: { ...subject, display: 'Ada Byron' },
  created: '2024-03-02T00:00:00Z',
  item: [{ encounter: [encounter] }],
  total: { value: 129.16, currency: 'USD' },
  diagnosis: [{ diagnosisReference: { reference: 'Condition/c1' } }, { diagnosisCodeableConcept: concept('1', 'Other') }],
  ...changes,
})

const whole = [patient(), practitioner(), organization, visit(), condition()]
const only = (type: string, ...more: readonly unknown[]): NewRecord | undefined =>
  recordsOf(map(bundle(...whole, ...more)), type)[0]
const atVisit = { encounter: idFor('Encounter', 'e1') }

describe('a resource becomes a record with the fields of the API', () => {
  it('Encounter', () => {
    const record = only('Encounter')
    expect(valuesOf(record)).toEqual({
      'Encounter.status': 'finished',
      'Encounter.class': 'AMB',
      'Encounter.type': concept('185345009', 'Encounter for symptom'),
      'Encounter.period': { start: '2024-03-01T09:00:00+02:00', end: '2024-03-01T09:30:00+02:00' },
      'Encounter.reasonCode': concept('25064002', 'Headache'),
      'Encounter.serviceProvider': 'Riverside Clinic',
      'Encounter.practitioner': 'Dr. Grace Hopper',
    })
    expect(record?.metadata).toMatchObject({
      open: {},
      references: {},
      date: '2024-03-01T07:00:00.000Z',
      codes: ['185345009'],
    })
  })

  it('Condition', () => {
    const record = only('Condition')
    expect(valuesOf(record)).toEqual({
      'Condition.code': concept('59621000', 'Hypertension'),
      'Condition.clinicalStatus': 'active',
      'Condition.onsetDateTime': '2023',
      'Condition.recordedDate': '2024-03-01',
    })
    expect(record?.metadata).toMatchObject({ references: atVisit, date: '2023-01-01T00:00:00.000Z', codes: ['59621000'] })
  })

  it('MedicationRequest', () => {
    const record = only('MedicationRequest', request())
    expect(valuesOf(record)).toEqual({
      'MedicationRequest.medication': concept('314076', 'lisinopril 10 MG'),
      'MedicationRequest.status': 'active',
      'MedicationRequest.authoredOn': '2024-03-01T09:20:00Z',
      'MedicationRequest.dosageInstruction': 'One tablet in the morning.',
      'MedicationRequest.requester': 'Dr. Grace Hopper',
    })
    expect(record?.metadata).toMatchObject({ references: atVisit, date: '2024-03-01T09:20:00.000Z', codes: ['314076'] })
  })

  it('AllergyIntolerance', () => {
    const record = only('AllergyIntolerance', {
      resourceType: 'AllergyIntolerance',
      id: 'a1',
      clinicalStatus: { coding: [{ code: 'active' }] },
      category: ['food'],
      criticality: 'low',
      code: concept('91935009', 'Allergy to peanut'),
      patient: subject,
      recordedDate: '2020-05',
      reaction: [{ manifestation: [concept('1', 'Weal'), {}] }, { manifestation: [concept('2', 'Dyspnea')] }],
    })
    expect(valuesOf(record)).toEqual({
      'AllergyIntolerance.code': concept('91935009', 'Allergy to peanut'),
      'AllergyIntolerance.criticality': 'low',
      'AllergyIntolerance.clinicalStatus': 'active',
      'AllergyIntolerance.recordedDate': '2020-05',
      'AllergyIntolerance.reaction': [concept('1', 'Weal'), concept('2', 'Dyspnea')],
    })
    expect(record?.metadata).toMatchObject({ references: {}, date: '2020-05-01T00:00:00.000Z', categories: ['food'] })
  })

  it('Immunization', () => {
    const record = only('Immunization', {
      resourceType: 'Immunization',
      id: 'i1',
      status: 'not-done',
      vaccineCode: concept('140', 'Influenza'),
      patient: subject,
      occurrenceDateTime: '2023-10-01',
    })
    expect(valuesOf(record)).toEqual({
      'Immunization.vaccineCode': concept('140', 'Influenza'),
      'Immunization.occurrenceDateTime': '2023-10-01',
      'Immunization.status': 'not-done',
    })
    expect(record?.metadata).toMatchObject({ date: '2023-10-01T00:00:00.000Z', codes: ['140'] })
  })

  it('Procedure', () => {
    const record = only('Procedure', procedure())
    expect(valuesOf(record)).toEqual({
      'Procedure.code': concept('73761001', 'Colonoscopy'),
      'Procedure.performedPeriod': { start: '2024-03-01T10:00:00Z', end: '2024-03-01T10:30:00Z' },
      'Procedure.status': 'completed',
    })
    expect(record?.metadata).toMatchObject({ references: atVisit, date: '2024-03-01T10:00:00.000Z', codes: ['73761001'] })
  })

  it('Claim, with the diagnoses of its conditions', () => {
    const record = only('Claim', claim())
    expect(valuesOf(record)).toEqual({
      'Claim.status': 'active',
      'Claim.created': '2024-03-02T00:00:00Z',
      'Claim.total': 129.16,
      'Claim.currency': 'USD',
      'Claim.diagnosis': [concept('59621000', 'Hypertension'), concept('1', 'Other')],
    })
    expect(record?.metadata).toMatchObject({ references: atVisit, date: '2024-03-02T00:00:00.000Z', codes: ['59621000', '1'] })
  })
})

describe('names of persons and organizations other than patients', () => {
  const names = (changes: Record<string, unknown>): unknown[] => {
    const values = valuesOf(only('Encounter', visit({ id: 'e2', ...changes })))
    const second = valuesOf(recordsOf(map(bundle(...whole, visit({ id: 'e2', ...changes }))), 'Encounter')[1])
    expect(values['Encounter.practitioner']).toBe('Dr. Grace Hopper')
    return [second['Encounter.practitioner'], second['Encounter.serviceProvider']]
  }
  const elsewhere = 'Practitioner?identifier=urn:npi|1'

  it('come from the display if the bundle does not contain them', () => {
    const participant = [{ individual: { reference: elsewhere, display: 'Dr. Jo' } }]
    expect(names({ participant, serviceProvider: { reference: 'Organization/far', display: 'Far Clinic' } })).toEqual([
      'Dr. Jo',
      'Far Clinic',
    ])
  })

  it('never come from the display of a patient, a relative, or an unresolvable reference', () => {
    for (const reference of ['Patient/ada', 'RelatedPerson/r', 'urn:uuid:8f14e45f-ceea-4672-9a3b-0b6f3c2d1e00', undefined]) {
      const named = { reference, display: 'Somebody' }
      expect(names({ participant: [{ individual: named }], serviceProvider: named })).toEqual([undefined, undefined])
    }
  })

  it('P8: never contain the family name of the patient', () => {
    const participant = [{ individual: { reference: elsewhere, display: 'Ms. Ada BYRON' } }]
    expect(names({ participant })).toEqual([undefined, 'Riverside Clinic'])
  })

  it('prefer the performer', () => {
    const participant = [
      { individual: { reference: 'Practitioner/p1' } },
      { type: [{ coding: [{ code: 'PPRF' }] }], individual: { reference: elsewhere, display: 'Dr. Jo' } },
    ]
    expect(names({ participant })[0]).toBe('Dr. Jo')
  })

  it('change the record if only the name has changed', () => {
    const source = (family: string): unknown =>
      recordsOf(map(bundle(patient(), practitioner({ name: [{ family }] }), visit())), 'Encounter')[0]?.metadata.source
    expect(source('Hopper')).not.toBe(source('Jones'))
    expect(source('Hopper')).toBe(source('Hopper'))
  })
})

describe('the medication of a request', () => {
  const medication = { resourceType: 'Medication', id: 'med', code: concept('860975', 'metformin') }
  const referred = (changes: Record<string, unknown>, ...more: readonly unknown[]): unknown[] => {
    const mapped = map(bundle(...whole, ...more, request({ medicationCodeableConcept: undefined, ...changes })))
    const values = recordsOf(mapped, 'MedicationRequest').map((one) => valuesOf(one)['MedicationRequest.medication'])
    return [...values, ...reasonsOf(mapped)]
  }

  it('is found contained, in the bundle, or by the display of a resource elsewhere', () => {
    const found = [concept('860975', 'metformin')]
    expect(referred({ contained: [medication], medicationReference: { reference: '#med' } })).toEqual(found)
    expect(referred({ medicationReference: { reference: 'Medication/med' } }, medication)).toEqual(found)
    expect(referred({ medicationReference: { reference: 'Medication/far', display: 'aspirin' } })).toEqual([
      { coding: [], text: 'aspirin' },
    ])
  })

  const where = 'MedicationRequest.medication[x]'
  it.each([
    [{}, `${where}: missing or of the wrong type`],
    [{ medicationReference: { reference: 'Medication/far' } }, `${where}: does not lead to one resource`],
    [{ medicationReference: { reference: 'Patient/ada', display: 'x' } }, `${where}: does not lead to one resource`],
    [{ medicationReference: { reference: 'Medication/far', display: 'for Ada Byron' } }, `${where}: does not lead to one resource`],
    [
      { medicationReference: { reference: 'Medication/med' }, medicationCodeableConcept: concept('1', 'x') },
      `${where}: more than one value[x]`,
    ],
  ])('refuses %j', (changes, reason) => {
    expect(referred(changes, medication)).toEqual([reason])
  })

  it('is refused with a modifierExtension', () => {
    const reference = { medicationReference: { reference: 'Medication/med' } }
    expect(referred(reference, { ...medication, modifierExtension: [] })).toEqual([
      'Medication: carries a modifierExtension, which must not be ignored',
    ])
  })

  it.each([
    [[{ doseAndRate: [{ doseQuantity: { value: 2, unit: 'puff' } }], asNeededBoolean: true }], 'dose 2 puff, as needed'],
    [[{ timing: { repeat: { frequency: 3, period: 1, periodUnit: 'd' } } }], '3 every 1 d'],
    [[{ text: 'in the morning' }, { text: 'at night' }], 'in the morning\nat night'],
    [[{ asNeededBoolean: true, maxDosePerPeriod: { numerator: { value: 4 } } }], undefined],
    [[{ text: 'in the morning' }, { asNeededBoolean: true, rate: 1 }], undefined],
  ])('reads the dosage %j as %j, whole or not at all', (dosageInstruction, expected) => {
    expect(valuesOf(only('MedicationRequest', request({ dosageInstruction })))['MedicationRequest.dosageInstruction']).toBe(
      expected,
    )
  })
})

describe('times', () => {
  it('a procedure at one time begins and ends with it', () => {
    const record = only('Procedure', procedure({ performedPeriod: undefined, performedDateTime: '2024-03' }))
    expect(valuesOf(record)['Procedure.performedPeriod']).toEqual({ start: '2024-03', end: '2024-03' })
  })

  it('a period keeps its text, even if it ends before it starts', () => {
    const performedPeriod = { start: '2019-11-03T01:50:00-04:00', end: '2019-11-03T01:05:00-04:00' }
    const record = only('Procedure', procedure({ performedPeriod }))
    expect(valuesOf(record)['Procedure.performedPeriod']).toEqual(performedPeriod)
  })

  it('a condition without an onset counts from the time of its recording', () => {
    expect(
      recordsOf(map(bundle(...whole.slice(0, 4), condition({ onsetDateTime: undefined }))), 'Condition')[0]?.metadata.date,
    ).toBe('2024-03-01T00:00:00.000Z')
  })
})

describe('a reference never leads to another patient', () => {
  const bob = { reference: 'Patient/bob' }
  const two = [patient(), patient({ id: 'bob' })]

  it.each([
    ['Condition', condition()],
    ['MedicationRequest', request()],
    ['Procedure', procedure()],
    ['Claim', claim({ diagnosis: [] })],
  ])("%s of another patient's encounter is refused", (type, resource) => {
    const mapped = map(bundle(...two, visit({ subject: bob }), resource))
    expect(recordsOf(mapped, type)).toEqual([])
    expect(reasonsOf(mapped)).toEqual([`${type}.encounter: belongs to another patient`])
  })

  it("a claim with another patient's diagnosis is refused", () => {
    const mapped = map(bundle(...two, condition({ subject: bob, encounter: undefined }), claim({ item: [] })))
    expect(recordsOf(mapped, 'Claim')).toEqual([])
    expect(reasonsOf(mapped)).toEqual(['Claim.diagnosis[0]: belongs to another patient'])
  })

  it('an encounter that is not imported is referenced by its id, because another import can have it', () => {
    for (const changes of [{ status: 'entered-in-error' }, { status: 'CANARY' }, { subject: undefined }]) {
      const mapped = map(bundle(patient(), condition(), visit(changes)))
      expect(recordsOf(mapped, 'Encounter')).toEqual([])
      expect(recordsOf(mapped, 'Condition')[0]?.metadata.references).toEqual({ encounter: idFor('Encounter', 'e1') })
    }
  })
})

it('a missing diagnosis is reported, and the claim keeps the others', () => {
  const mapped = map(bundle(patient(), claim()))
  expect(valuesOf(recordsOf(mapped, 'Claim')[0])['Claim.diagnosis']).toEqual([concept('1', 'Other')])
  expect(reasonsOf(mapped)).toEqual(['Claim.diagnosis[0]: does not lead to one resource'])
})

it.each([
  [visit({ status: 'entered-in-error' }), 'Encounter entered-in-error'],
  [condition({ verificationStatus: { coding: [{ code: 'refuted' }] } }), 'Condition refuted'],
  [condition({ verificationStatus: { coding: [{ code: 'differential' }] } }), 'Condition differential'],
  [request({ intent: 'proposal' }), 'MedicationRequest proposal'],
  [request({ doNotPerform: true }), 'MedicationRequest do not perform'],
  [procedure({ status: 'entered-in-error' }), 'Procedure entered-in-error'],
  [claim({ use: 'predetermination' }), 'Claim predetermination'],
  [{ resourceType: 'DocumentReference', id: 'd', docStatus: 'entered-in-error', subject }, 'DocumentReference entered-in-error'],
  [{ resourceType: 'Coverage', id: 'v', status: 'cancelled', beneficiary: subject }, 'Coverage cancelled'],
])('inactive and unsupported resources are left out and counted: %#', (resource, what) => {
  const mapped = map(bundle(patient(), resource))
  expect([...mapped.leftOut]).toEqual([[what, 1]])
  expect(mapped.patients[0]?.records).toHaveLength(1)
  expect(mapped.faults).toEqual([])
})

it.each([
  [visit({ status: 'over' }), 'Encounter.status: not a code of its value set'],
  [condition({ onsetDateTime: 'CANARY' }), 'Condition.onsetDateTime: not a FHIR dateTime'],
  [claim({ total: { value: '12' } }), 'Claim.total.value: missing or of the wrong type'],
  [claim({ patient: { reference: 'Patient/nobody' } }), 'Claim.patient: its patient is not among the imported ones'],
  [{ resourceType: 'Immunization', id: 'i', patient: subject }, 'Immunization.vaccineCode: missing or of the wrong type'],
  [
    { resourceType: 'AllergyIntolerance', id: 'a', patient: subject, criticality: 'CANARY' },
    'AllergyIntolerance.criticality: not a code of its value set',
  ],
  [procedure({ performedDateTime: '2024' }), 'Procedure.performed[x]: more than one value[x]'],
])('an unreadable resource is a fault without a value: %#', (resource, reason) => {
  expect(reasonsOf(map(bundle(patient(), resource)))).toEqual([reason])
})
