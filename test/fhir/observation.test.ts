import { describe, expect, it } from 'vitest'
import type { NewRecord } from '../../gateway/model/record.ts'
import { bundle, idFor, map, observation, patient, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const one = (changes: Record<string, unknown> = {}): NewRecord | undefined =>
  recordsOf(map(bundle(patient(), observation(changes))), 'Observation')[0]
const values = (changes: Record<string, unknown>): Record<string, unknown> =>
  valuesOf(one({ valueQuantity: undefined, ...changes }))
const concept = { coding: [{ system: 'http://snomed.info/sct', code: '266919005', display: 'Never smoked' }] }

describe('an observation becomes a record of its patient', () => {
  it('has only the fields of the API in its composites', () => {
    expect(
      valuesOf(
        one({
          category: [{ coding: [{ code: 'laboratory' }] }],
          interpretation: [{ coding: [{ code: 'H', display: 'High' }] }],
          note: [{ text: 'not read' }],
        }),
      ),
    ).toEqual({
      'Observation.code': { coding: [{ system: 'http://loinc.org', code: '4548-4', display: 'HbA1c' }] },
      'Observation.category': 'laboratory',
      'Observation.effectiveDateTime': '2024-03-01T09:30:00+02:00',
      'Observation.valueQuantity': { value: 6.1, unit: '%', code: '%' },
      'Observation.interpretation': 'H',
    })
  })

  it('has the metadata that lists are sorted and filtered by', () => {
    expect(one({ category: [{ coding: [{ code: 'laboratory' }] }] })?.metadata).toMatchObject({
      open: {},
      references: {},
      date: '2024-03-01T07:30:00.000Z',
      codes: ['4548-4'],
      categories: ['laboratory'],
    })
  })

  it.each([
    [{ effectiveDateTime: undefined, effectivePeriod: { start: '2024-03' } }, '2024-03', '2024-03-01T00:00:00.000Z'],
    [{ effectiveDateTime: undefined, issued: '2024-03-02T00:00:00Z' }, '2024-03-02T00:00:00Z', '2024-03-02T00:00:00.000Z'],
    [{ effectiveDateTime: undefined }, undefined, undefined],
  ])('reads the time of %j', (changes, time, date) => {
    expect(valuesOf(one(changes))['Observation.effectiveDateTime']).toBe(time)
    expect(one(changes)?.metadata.date).toBe(date)
  })

  it('reads coded values, texts and panels of components', () => {
    expect(values({ valueCodeableConcept: concept })['Observation.valueCodeableConcept']).toEqual(concept)
    expect(values({ valueString: 'well' })['Observation.valueString']).toBe('well')
    const component = [
      { code: concept, valueQuantity: { value: 120, unit: 'mmHg', code: 'mm[Hg]' } },
      { code: concept, valueString: 'faint' },
    ]
    expect(values({ component })['Observation.component']).toEqual(component)
  })

  it.each([
    [{ valueBoolean: false }, { 'Observation.valueString': 'false' }],
    [{ valueInteger: 0 }, { 'Observation.valueQuantity': { value: 0 } }],
    [{ valueDateTime: '2024-03' }, { 'Observation.valueString': '2024-03' }],
    [{ valueQuantity: { value: 0.01, comparator: '<', unit: 'ng/mL' } }, { 'Observation.valueString': '< 0.01 ng/mL' }],
  ])('converts %j to a type of the API, without loss of meaning', (changes, expected) => {
    const told = Object.entries(values(changes)).filter(([path]) => path.startsWith('Observation.value'))
    expect(Object.fromEntries(told)).toEqual(expected)
  })

  it.each([
    [
      { valueRatio: { numerator: { value: 1 } }, valueQuantity: undefined },
      'Observation.valueRatio: a kind of value[x] that the API has no place for',
    ],
    [{ valueString: 'twice' }, 'Observation.value[x]: more than one value[x]'],
    [{ valueQuantity: { value: '6.1' } }, 'Observation.valueQuantity.value: missing or of the wrong type'],
    [{ code: undefined }, 'Observation.code: missing or of the wrong type'],
    [{ effectiveDateTime: '2024-03-01T25:00:00Z' }, 'Observation.effectiveDateTime: not a FHIR dateTime'],
    [
      { component: [{ code: concept, valueQuantity: { value: 1, comparator: 'about' } }] },
      'Observation.component[0].valueQuantity.comparator: not a code of its value set',
    ],
    [{ subject: { reference: 'Patient/somebody' } }, 'Observation.subject: its patient is not among the imported ones'],
    [{ subject: { display: 'Ada Byron' } }, 'Observation.subject: its patient is not among the imported ones'],
    [
      { subject: { reference: '#in' }, contained: [patient({ id: 'in' })] },
      'Observation.subject: its patient is not among the imported ones',
    ],
  ])('refuses %j, because its value or patient would be ambiguous', (changes, reason) => {
    const mapped = map(bundle(patient(), observation(changes)))
    expect(recordsOf(mapped, 'Observation')).toEqual([])
    expect(mapped.faults).toEqual([{ entry: 1, reason }])
  })

  it('refuses a text over 200 KB and a record that exceeds an item, and accepts the rest', () => {
    const big = { valueQuantity: undefined, valueString: 'é'.repeat(102_401) }
    const coding = { coding: [{ display: 'x'.repeat(150_000) }] }
    const wide = { id: 'o2', code: coding, valueQuantity: undefined, valueCodeableConcept: coding, component: [{ code: coding }] }
    const mapped = map(bundle(patient(), observation(big), observation(wide), observation({ id: 'o3' })))
    expect(reasonsOf(mapped)).toEqual(['Observation.valueString: longer than 200 KB', 'Observation: larger than a record may be'])
    expect(recordsOf(mapped, 'Observation')).toHaveLength(1)
  })

  it.each(['entered-in-error', 'cancelled'])('does not import an observation that is %s as a fact', (status) => {
    const mapped = map(bundle(patient(), observation({ status })))
    expect(recordsOf(mapped, 'Observation')).toEqual([])
    expect([...mapped.leftOut]).toEqual([[`Observation ${status}`, 1]])
    expect(mapped.faults).toEqual([])
  })
})

describe('the encounter of an observation', () => {
  const encounter = (whose: string): Record<string, unknown> => ({
    resourceType: 'Encounter',
    id: 'e1',
    subject: { reference: whose },
  })
  const made = { encounter: { reference: 'Encounter/e1' } }

  it('is referenced, whether or not it is in the bundle', () => {
    expect(one(made)?.metadata.references).toEqual({ encounter: idFor('Encounter', 'e1') })
    const mapped = map(bundle(patient(), encounter('Patient/ada'), observation(made)))
    expect(recordsOf(mapped, 'Observation')[0]?.metadata.references).toEqual({ encounter: idFor('Encounter', 'e1') })
  })

  it('never leads into the record of another patient', () => {
    const mapped = map(bundle(patient(), patient({ id: 'bob' }), encounter('Patient/bob'), observation(made)))
    expect(reasonsOf(mapped)).toEqual(['Observation.encounter: belongs to another patient'])
    expect(recordsOf(mapped, 'Observation')).toEqual([])
  })
})
