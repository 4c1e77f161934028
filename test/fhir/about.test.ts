import { describe, expect, it } from 'vitest'
import { type Resource, bundle, map, observation, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

// A record is about its patient, and about something that it names.

const subject = { reference: 'Patient/ada' }
const NULL_FLAVOR = { system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }

describe('an observation about somebody else', () => {
  const focusOf = (...focus: readonly object[]) => map(bundle(patient(), patient({ id: 'baby' }), observation({ focus })))

  it.each([
    { reference: 'Patient/baby' },
    { reference: 'RelatedPerson/mother' },
    { reference: 'Group/household' },
    { reference: 'urn:uuid:00000000-0000-4000-8000-000000000001' },
    { display: 'fetus' },
    { type: 'Device', identifier: { system: 'urn:example:devices', value: '1' } },
  ])('%j is refused', (focus) => {
    const mapped = focusOf({ reference: 'Condition/c1' }, focus)
    expect(reasonsOf(mapped)).toEqual(['Observation.focus: about somebody or something else than the patient'])
    expect(recordsOf(mapped, 'Observation')).toEqual([])
  })

  it('is refused by a code of the focus', () => {
    const extension = [
      { url: 'http://hl7.org/fhir/StructureDefinition/observation-focusCode', valueCodeableConcept: { text: 'fetus' } },
    ]
    expect(recordsOf(map(bundle(patient(), observation({ extension }))), 'Observation')).toEqual([])
  })

  it.each([subject, { reference: 'Condition/c1' }, { type: 'Condition', display: 'tumor' }])(
    'is none if its focus is the patient or a part of the chart: %j',
    (focus) => {
      expect(focusOf(focus).faults).toEqual([])
      expect(recordsOf(focusOf(focus), 'Observation')).toHaveLength(1)
    },
  )
})

describe('a record that only says that its subject is unknown', () => {
  const active = (system: string) => ({ coding: [{ system: `http://terminology.hl7.org/CodeSystem/${system}`, code: 'active' }] })
  const of = (code: object): readonly Resource[] => [
    { resourceType: 'Condition', id: 'c', subject, clinicalStatus: active('condition-clinical'), code },
    { resourceType: 'AllergyIntolerance', id: 'a', patient: subject, clinicalStatus: active('allergyintolerance-clinical'), code },
    { resourceType: 'Procedure', id: 'p', status: 'completed', subject, code },
    { resourceType: 'Immunization', id: 'i', status: 'completed', patient: subject, vaccineCode: code },
    { resourceType: 'MedicationRequest', id: 'm', status: 'active', intent: 'order', subject, medicationCodeableConcept: code },
    observation({ code }),
  ]

  it.each([
    { coding: [NULL_FLAVOR] },
    { coding: [NULL_FLAVOR, { ...NULL_FLAVOR, code: 'ASKU', display: 'asked' }] },
    { coding: [{}] },
    {},
  ])('is refused: %j', (code) => {
    for (const resource of of(code)) {
      const mapped = map(bundle(patient(), resource))
      expect([resource.resourceType, mapped.patients[0]?.records.length, mapped.faults.length]).toEqual([
        resource.resourceType,
        1,
        1,
      ])
    }
  })

  it('is none if it has a text or another code', () => {
    for (const code of [
      { coding: [NULL_FLAVOR], text: 'latex' },
      { coding: [NULL_FLAVOR, { system: 'urn:example:local', code: '7' }] },
    ])
      for (const resource of of(code)) expect(map(bundle(patient(), resource)).patients[0]?.records).toHaveLength(2)
  })
})

describe('the current name', () => {
  const OFFICIAL = { use: 'official', text: 'Kim Newname' }
  const familyOf = (...name: readonly object[]) => {
    const mapped = map(bundle(patient({ name })))
    return [valuesOf(recordsOf(mapped, 'Patient')[0])['Patient.familyName'], mapped.faults.length]
  }

  it('is not a nickname or a usual name beside an official name that is only a text', () => {
    for (const use of ['nickname', 'usual', 'anonymous'])
      expect(familyOf(OFFICIAL, { use, family: 'Othername' })).toEqual([undefined, 1])
  })

  it('is another form of the same name', () => {
    expect(familyOf(OFFICIAL, { use: 'usual', family: 'NEWNAME' })).toEqual(['NEWNAME', 0])
    expect(familyOf({ use: 'official', given: ['Kim'] }, { use: 'usual', family: 'Newname' })).toEqual(['Newname', 0])
  })
})

it('a list of which the API has one place is an issue beside the record', () => {
  const resources = [
    { resourceType: 'Coverage', id: 'v', status: 'active', beneficiary: subject, payor: [{ display: 'A' }, { display: 'B' }] },
    {
      resourceType: 'Encounter',
      id: 'e',
      status: 'finished',
      class: { code: 'AMB' },
      subject,
      reasonReference: [{ reference: 'Condition/c' }],
    },
    {
      resourceType: 'DocumentReference',
      id: 'd',
      status: 'current',
      subject,
      content: [],
      context: { encounter: [{ reference: 'Encounter/e' }, { reference: 'Encounter/f' }] },
    },
  ]
  const mapped = map(bundle(patient(), ...resources))
  expect(mapped.patients[0]?.records).toHaveLength(4)
  expect(reasonsOf(mapped)).toEqual([
    'Coverage.payor: more than one, of which the record has the first',
    'Encounter.reasonReference: in a form that the API has no place for, so that the record lacks it',
    'DocumentReference.context.encounter: more than one, of which the record has the first',
  ])
})

it('a quantity without a number has the reason of its absence, or refuses its observation', () => {
  const reason = { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }] }
  for (const valueQuantity of [{}, { unit: 'mg' }, { system: 'http://unitsofmeasure.org' }])
    expect(recordsOf(map(bundle(patient(), observation({ valueQuantity }))), 'Observation')).toEqual([])
  for (const valueQuantity of [reason, { unit: 'mg', _value: reason }])
    expect(recordsOf(map(bundle(patient(), observation({ valueQuantity }))), 'Observation')).toHaveLength(1)
})

it('a report without a written conclusion has the names of its conclusion codes', () => {
  const report = { resourceType: 'DiagnosticReport', id: 'r', status: 'final', subject, code: { text: 'biopsy' } }
  const conclusionCode = [{ text: 'carcinoma' }, { coding: [{ code: '7', display: 'grade 2' }] }]
  const textOf = (changes: object) => valuesOf(recordsOf(map(bundle(patient(), { ...report, ...changes })), 'DocumentReference')[0])
  expect(textOf({ conclusionCode })['DocumentReference.text']).toBe('carcinoma, grade 2')
  expect(textOf({ conclusionCode, conclusion: 'See text.' })['DocumentReference.text']).toBe('See text.')
})

it('a search on the server of the bundle is a conditional reference', () => {
  const identifier = [{ system: 'urn:example:mrn', value: '1' }]
  const of = (server: string) => {
    const reference = `${server}/Patient?identifier=urn:example:mrn|1`
    const entry = [
      { fullUrl: 'https://fhir.example/r4/Patient/ada', resource: patient({ identifier }) },
      { resource: observation({ subject: { reference } }) },
    ]
    return recordsOf(map({ ...bundle(), entry }), 'Observation').length
  }
  expect(of('https://fhir.example/r4')).toBe(1)
  expect(of('https://other.example/r4')).toBe(0)
})

it('an interpretation that is only a text stays beside the coded ones', () => {
  const coded = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation', code: 'H' }] }
  const [record] = recordsOf(map(bundle(patient(), observation({ interpretation: [coded, { text: 'critical' }] }))), 'Observation')
  expect(valuesOf(record)['Observation.interpretation']).toBe('H, critical')
})

it('a resource type of R4B is counted, and one of R5 is an issue', () => {
  const mapped = map(bundle(patient(), { resourceType: 'SubscriptionStatus' }, { resourceType: 'Transport', id: 't' }))
  expect([...mapped.unknown]).toEqual([['SubscriptionStatus', 1]])
  expect(reasonsOf(mapped)).toEqual(['Bundle.entry.resource.resourceType: not a FHIR R4 resource type'])
})
