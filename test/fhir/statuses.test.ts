import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Resource, bundle, map, observation, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const subject = { reference: 'Patient/ada' }
const CONDITION = 'http://terminology.hl7.org/CodeSystem/condition-clinical'
const VERIFICATION = 'http://terminology.hl7.org/CodeSystem/condition-ver-status'
const LOCAL = { system: 'urn:example:local', code: '7', display: 'seven' }
const REASON = 'http://terminology.hl7.org/CodeSystem/data-absent-reason'

const condition = (changes: Record<string, unknown>): Resource => ({
  resourceType: 'Condition',
  id: 'c1',
  subject,
  code: { text: 'asthma' },
  ...changes,
})
const recordsFor = (resource: Resource): number => (map(bundle(patient(), resource)).patients[0]?.records.length ?? 0) - 1

describe('a retracted record is never shown, in whatever shape its status has', () => {
  const noise = fc.array(fc.constantFrom<object>(LOCAL, { system: 'urn:example:other', code: 'x' }, { display: 'y' }), {
    maxLength: 3,
  })

  it('with any coding of a verification status that says so', () => {
    fc.assert(
      fc.property(
        noise,
        noise,
        fc.constantFrom('refuted', 'entered-in-error', 'differential'),
        fc.constantFrom(VERIFICATION, 'urn:example:local', undefined),
        (before, after, code, system) => {
          const coding = [...before, { ...(system !== undefined && { system }), code }, ...after]
          expect(recordsFor(condition({ verificationStatus: { coding } }))).toBe(0)
        },
      ),
    )
  })

  it.each([
    { text: 'refuted' },
    { coding: [LOCAL] },
    { coding: [{ system: VERIFICATION, code: 'REFUTED' }] },
    { coding: [{ system: VERIFICATION, display: 'Refuted' }] },
    {
      coding: [
        { system: VERIFICATION, code: 'confirmed' },
        { system: VERIFICATION, code: 'unconfirmed' },
      ],
    },
    { coding: [] },
  ])('%j is no verification status', (verificationStatus) => {
    const mapped = map(bundle(patient(), condition({ verificationStatus })))
    expect(reasonsOf(mapped)).toEqual(['Condition.verificationStatus: not a code of its value set'])
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })

  it.each([
    [observation({ status: 'ENTERED-IN-ERROR' }), 'Observation.status'],
    [
      { resourceType: 'DocumentReference', id: 'd', subject, status: 'current', docStatus: 'error', content: [] },
      'DocumentReference.docStatus',
    ],
    [{ resourceType: 'DiagnosticReport', id: 'r', subject, status: 'Final', conclusion: 'x' }, 'DiagnosticReport.status'],
    [{ resourceType: 'Coverage', id: 'v', beneficiary: subject, status: 'retired' }, 'Coverage.status'],
    [
      { resourceType: 'MedicationRequest', id: 'm', subject, intent: 'suggestion', medicationCodeableConcept: { text: 'x' } },
      'MedicationRequest.intent',
    ],
    [{ resourceType: 'Claim', id: 'l', patient: subject, use: 'quote' }, 'Claim.use'],
  ])('an unknown code refuses its resource: %#', (resource, where) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([`${where}: not a code of its value set`])
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })

  it('a refuted condition is no diagnosis of a claim', () => {
    const diagnosis = [
      { sequence: 2, diagnosisReference: { reference: 'Condition/c1' } },
      { sequence: 1, diagnosisCodeableConcept: { text: 'flu' } },
    ]
    const claim = { resourceType: 'Claim', id: 'l', status: 'active', use: 'claim', patient: subject, diagnosis }
    const diagnosed = (code: string): unknown[] => {
      const verificationStatus = { coding: [{ system: VERIFICATION, code }] }
      const mapped = map(bundle(patient(), condition({ verificationStatus }), claim))
      return [valuesOf(recordsOf(mapped, 'Claim')[0])['Claim.diagnosis'], reasonsOf(mapped)]
    }
    const [flu, asthma] = ['flu', 'asthma'].map((text) => ({ coding: [], text }))
    expect(diagnosed('refuted')).toEqual([[flu], ['Claim.diagnosis[0]: leads to a record that does not hold']])
    expect(diagnosed('confirmed')).toEqual([[flu, asthma], []])
  })

  it('a contained coverage of a retracted settlement is not read', () => {
    const held = { resourceType: 'Coverage', id: 'k', status: 'active', beneficiary: subject, payor: [{ display: 'Plan' }] }
    const settlement = { resourceType: 'ExplanationOfBenefit', id: 'x', patient: subject, contained: [held] }
    expect(recordsFor({ ...settlement, status: 'entered-in-error' })).toBe(0)
    expect(recordsFor({ ...settlement, status: 'active' })).toBe(1)
  })
})

describe('the code of a concept is that of its system, wherever it is in the list', () => {
  it('for a clinical status', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([LOCAL, { code: '55561003', system: 'http://snomed.info/sct' }]), fc.nat(2), (others, at) => {
        const coding = others.toSpliced(at, 0, { system: CONDITION, code: 'resolved' } as typeof LOCAL)
        const record = recordsOf(map(bundle(patient(), condition({ clinicalStatus: { coding } }))), 'Condition')[0]
        expect(valuesOf(record)['Condition.clinicalStatus']).toBe('resolved')
      }),
    )
  })

  it('for a category, which a filter finds by every one of its codes', () => {
    const category = [
      { coding: [{ system: 'urn:example:local', code: 'LAB7' }] },
      { coding: [LOCAL, { system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] },
      { text: 'section' },
    ]
    const record = recordsOf(map(bundle(patient(), observation({ category }))), 'Observation')[0]
    expect(valuesOf(record)['Observation.category']).toBe('laboratory')
    expect(record?.metadata.categories).toEqual(['LAB7', '7', 'laboratory', 'section'])
  })

  const V3 = 'http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation'
  it.each([
    [[{ coding: [LOCAL, { system: V3, code: 'HH' }] }], 'HH'],
    [[{ coding: [LOCAL] }, { coding: [{ system: V3, code: 'HH' }] }], 'HH'],
    [[{ coding: [{ system: V3, code: 'H' }] }, { coding: [{ system: V3, code: 'A' }] }], 'H, A'],
    [[{ text: 'high' }], 'high'],
  ])('for the interpretation %j', (interpretation, expected) => {
    const record = recordsOf(map(bundle(patient(), observation({ interpretation }))), 'Observation')[0]
    expect(valuesOf(record)['Observation.interpretation']).toBe(expected)
  })

  it('for a language and the type of a coverage', () => {
    const language = { coding: [LOCAL, { system: 'urn:ietf:bcp:47', code: 'fr' }] }
    const type = { coding: [LOCAL, { system: 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code: 'HIP' }] }
    const mapped = map(
      bundle(patient({ communication: [{ language }] }), {
        resourceType: 'Coverage',
        id: 'v',
        status: 'active',
        beneficiary: subject,
        type,
      }),
    )
    expect(valuesOf(recordsOf(mapped, 'Patient')[0])['Patient.language']).toBe('fr')
    expect(valuesOf(recordsOf(mapped, 'Coverage')[0])['Coverage.type']).toBe('HIP')
  })
})

describe('a value that cannot be read is no absent value', () => {
  const absent = { coding: [{ system: REASON, code: 'unknown' }] }
  it.each([
    [{ valueQuantity: { unit: 'mg' } }, 'Observation.valueQuantity.value: missing or of the wrong type'],
    [{ valueQuantity: { comparator: '<' } }, 'Observation.valueQuantity.value: missing or of the wrong type'],
    [{ dataAbsentReason: absent }, 'Observation.value[x]: a value beside the reason of its absence'],
    [
      { valueQuantity: undefined, valueCodeableConcept: { coding: [] } },
      'Observation.valueCodeableConcept: missing or of the wrong type',
    ],
    [{ code: absent }, 'Observation.code: missing or of the wrong type'],
    [{ component: [{ code: {}, valueString: 'x' }] }, 'Observation.component[0].code: missing or of the wrong type'],
    [
      { component: [{ code: { text: 'x' }, valueString: 'y', dataAbsentReason: absent }] },
      'Observation.component[0].value[x]: a value beside the reason of its absence',
    ],
    [
      { component: [{ code: { text: 'x' }, valueSampledData: { origin: { value: 1 }, period: 1, dimensions: 1 } }] },
      'Observation.component[0].valueSampledData: a kind of value[x] that the API has no place for',
    ],
  ])('%j refuses the observation', (changes, reason) => {
    const mapped = map(bundle(patient(), observation(changes)))
    expect(reasonsOf(mapped)).toEqual([reason])
    expect(recordsOf(mapped, 'Observation')).toEqual([])
  })

  it('with a reason, no value is an absent one', () => {
    for (const changes of [
      { valueQuantity: undefined, dataAbsentReason: absent },
      { valueQuantity: undefined, valueCodeableConcept: { ...absent, text: 'Unknown' } },
      {
        valueQuantity: {
          unit: 'mg',
          _value: { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked' }] },
        },
      },
    ]) {
      const mapped = map(bundle(patient(), observation(changes)))
      expect(reasonsOf(mapped)).toEqual([])
      expect(Object.keys(valuesOf(recordsOf(mapped, 'Observation')[0]))).toEqual([
        'Observation.code',
        'Observation.effectiveDateTime',
      ])
    }
  })
})

describe('a record says what it is about', () => {
  it.each([
    [condition({ code: undefined }), 'Condition.code'],
    [{ resourceType: 'Procedure', id: 'p', subject, status: 'completed' }, 'Procedure.code'],
    [{ resourceType: 'Immunization', id: 'i', patient: subject, vaccineCode: { coding: [] } }, 'Immunization.vaccineCode'],
    [{ resourceType: 'AllergyIntolerance', id: 'a', patient: subject }, 'AllergyIntolerance.code'],
  ])('or is refused: %#', (resource, where) => {
    const mapped = map(bundle(patient(), resource))
    expect(reasonsOf(mapped)).toEqual([`${where}: missing or of the wrong type`])
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })

  const reaction = (text?: string): object => ({
    ...(text !== undefined && { substance: { text } }),
    manifestation: [{ text: 'Hives' }],
  })
  const allergen = (...reactions: readonly object[]): unknown => {
    const mapped = map(bundle(patient(), { resourceType: 'AllergyIntolerance', id: 'a', patient: subject, reaction: reactions }))
    return valuesOf(recordsOf(mapped, 'AllergyIntolerance')[0])['AllergyIntolerance.code'] ?? reasonsOf(mapped)[0]
  }

  it('an allergy by the substance of its reactions, if they agree', () => {
    expect(allergen(reaction('Penicillin G'), reaction('Penicillin G'))).toEqual({ coding: [], text: 'Penicillin G' })
    for (const reactions of [[reaction('Penicillin G'), reaction('Latex')], [reaction('Latex'), reaction()], [reaction()]])
      expect(allergen(...reactions)).toBe('AllergyIntolerance.code: missing or of the wrong type')
  })
})
