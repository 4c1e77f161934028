import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ADDRESSES, NAMES, NUMBERS, isCurrent, preferred } from '../../fhir/choose.ts'
import { bundle, map, now, observation, patient, practitioner, careTeam, reasonsOf, recordsOf, valuesOf } from './clinic.ts'

const ended = { end: '2020' }
const begins = { start: '2024-06-02' }
const values = (changes: Record<string, unknown>): Record<string, unknown> =>
  valuesOf(recordsOf(map(bundle(patient({ name: [], birthDate: undefined, ...changes }))), 'Patient')[0])

describe('the current element of a list', () => {
  const element = fc.record(
    {
      use: fc.constantFrom('official', 'usual', 'home', 'mobile', 'work', 'temp', 'old', 'maiden', 'billing'),
      rank: fc.integer({ min: 1, max: 4 }),
      period: fc.record(
        {
          start: fc.constantFrom('2019', '2024-06-01', '2024-06-01T11:59:59Z', '2030'),
          end: fc.constantFrom('2020', '2024', '2024-06-01', '2024-05'),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )

  it('is never old, ended or not yet begun, whatever its rank and place', () => {
    fc.assert(
      fc.property(fc.array(element), fc.constantFrom(NAMES, NUMBERS, ADDRESSES), (elements, order) => {
        const found = preferred(elements, order, now)
        const open = elements.filter(
          ({ use = '', period }) => use !== 'old' && !(order.never ?? []).includes(use) && isCurrent(period, now),
        )
        expect(found === undefined).toBe(open.length === 0)
        if (found === undefined) return
        expect(open).toContain(found)
        expect(Math.min(...open.map(({ rank = Infinity }) => rank))).toBe(found.rank ?? Infinity)
      }),
    )
  })

  it('does not depend on the order of the list, except among equals', () => {
    fc.assert(
      fc.property(fc.uniqueArray(element, { selector: ({ use, rank }) => `${use ?? ''} ${rank ?? ''}` }), (elements) => {
        expect(preferred(elements.toReversed(), NUMBERS, now)?.rank).toBe(preferred(elements, NUMBERS, now)?.rank)
      }),
    )
  })

  it.each([
    [{ end: '2024-06-01' }, true],
    [{ end: '2024-05' }, false],
    [{ end: '2024-06-01T12:00:00Z' }, false],
    [{ start: '2024-06-01T12:00:00.001Z' }, false],
    [{ start: '2024' }, true],
    [undefined, true],
  ])('with the period %j is current: %j', (period, expected) => {
    expect(isCurrent(period, now)).toBe(expected)
  })
})

describe('the name of a patient', () => {
  it.each([
    [
      [
        { use: 'official', family: 'Former', period: ended },
        { use: 'usual', family: 'Present' },
      ],
      'Present',
    ],
    [[{ use: 'official', family: 'Future', period: begins }, { family: 'Present' }], 'Present'],
    [[{ use: 'maiden', family: 'Born' }], undefined],
    [
      [
        { use: 'temp', family: 'Baby' },
        { use: 'old', family: 'Before' },
      ],
      undefined,
    ],
    [
      [
        { use: 'official', family: 'One', period: { start: '1990' } },
        { use: 'official', family: 'Two', period: { start: '2020' } },
      ],
      'Two',
    ],
    [
      [
        { use: 'official', text: 'Ada Byron' },
        { use: 'usual', family: 'Byron' },
      ],
      'Byron',
    ],
  ])('%j is %j', (name, family) => {
    expect(values({ name })['Patient.familyName']).toBe(family)
  })

  it('that is only a text is an issue beside the record', () => {
    const mapped = map(bundle(patient({ name: [{ text: 'Ada Byron' }] })))
    expect(reasonsOf(mapped)).toEqual(['Patient.name: only a text, from which no family name can be read'])
    expect(valuesOf(recordsOf(mapped, 'Patient')[0])).toEqual({ 'Patient.birthDate': '1975-12-10' })
  })

  it('changes the record when it ends, although the resource stays as it is', () => {
    const name = [
      { use: 'official', family: 'Former', period: { end: '2024-07' } },
      { use: 'usual', family: 'Present' },
    ]
    const at = (instant: string): unknown =>
      recordsOf(map(bundle(patient({ name })), new Map(), instant), 'Patient')[0]?.metadata.source
    expect(at('2024-07-01T00:00:00.000Z')).toBe(at(now))
    expect(at('2024-08-01T00:00:00.000Z')).not.toBe(at(now))
  })

  it('of a practitioner is the current one', () => {
    const name = [{ use: 'official', family: 'Former', period: ended }, { use: 'maiden', family: 'Born' }, { family: 'Present' }]
    const mapped = map(bundle(patient(), careTeam(), practitioner({ name })))
    expect(recordsOf(mapped, 'CareTeamMember')[0]?.metadata.open).toMatchObject({ displayName: 'Present' })
  })
})

describe('numbers, addresses and identifiers of a patient', () => {
  const phone = (value: string, more: object = {}): object => ({ system: 'phone', value, ...more })

  it.each([
    [[phone('1', { use: 'old', rank: 1 }), phone('2', { use: 'work' })], '2'],
    [[phone('1', { period: ended, rank: 1 }), phone('2', { rank: 3 })], '2'],
    [[phone('1', { use: 'home' }), phone('2', { use: 'work', rank: 1 })], '2'],
    [[phone('1', { use: 'temp' }), phone('2', { use: 'work' })], '2'],
    [[phone('1', { use: 'old' })], undefined],
  ])('the number of %j is %j', (telecom, expected) => {
    expect(values({ telecom })['Patient.phone']).toBe(expected)
  })

  it.each([
    [
      [
        { use: 'home', city: 'Old', period: ended },
        { use: 'work', city: 'New' },
      ],
      'New',
    ],
    [
      [
        { use: 'billing', city: 'Bank' },
        { use: 'temp', city: 'Shelter' },
      ],
      'Shelter',
    ],
    [
      [
        { use: 'home', type: 'postal', city: 'Box' },
        { use: 'home', city: 'House' },
      ],
      'House',
    ],
  ])('the city of %j is %j', (address, expected) => {
    expect(values({ address })['Patient.address.city']).toBe(expected)
  })

  it('an address that is only a text is given as its lines', () => {
    expect(values({ address: [{ text: '1 Main Street\nBoston, MA 02101' }] })).toEqual({
      'Patient.address.line': ['1 Main Street', 'Boston, MA 02101'],
    })
  })

  it('a record number is one by the code of its system, and is current', () => {
    const type = (system: string, code: string): object => ({ coding: [{ system, code }] })
    const HL7 = 'http://terminology.hl7.org/CodeSystem/v2-0203'
    const identifier = [
      { type: type('urn:example:types', 'MR'), value: 'other' },
      { type: type(HL7, 'MR'), value: 'before', period: ended },
      { type: type(HL7, 'MR'), system: 'http://hl7.org/fhir/sid/us-ssn', value: '900-00-0001' },
      { type: type(HL7, 'MR'), value: 'mrn' },
    ]
    expect(values({ identifier })).toEqual({ 'Patient.mrn': 'mrn', 'Patient.ssn': '900-00-0001' })
  })
})

describe('what the record has no field for', () => {
  it.each([
    { deceasedBoolean: true },
    {
      _deceasedDateTime: {
        extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
      },
    },
  ])('is an issue beside the record of a patient: %j', (changes) => {
    const mapped = map(bundle(patient(changes)))
    expect(reasonsOf(mapped)).toEqual(['Patient.deceased[x]: said without a date, so that the record has no sign of it'])
    expect(recordsOf(mapped, 'Patient')).toHaveLength(1)
  })

  it('is no issue of a patient who lives', () => {
    expect(reasonsOf(map(bundle(patient({ deceasedBoolean: false }))))).toEqual([])
  })

  const subject = { reference: 'Patient/ada' }
  const code = { text: 'x' }
  const active = { coding: [{ code: 'active' }] }
  it.each([
    [
      { resourceType: 'Immunization', patient: subject, vaccineCode: code, occurrenceString: 'as a child' },
      'Immunization.occurrenceString',
    ],
    [{ resourceType: 'Procedure', subject, code, performedString: 'long ago' }, 'Procedure.performed[x]'],
    [{ resourceType: 'Procedure', subject, code, performedAge: { value: 7, unit: 'a' } }, 'Procedure.performed[x]'],
    [{ resourceType: 'Condition', subject, code, onsetString: 'in youth' }, 'Condition.onset[x]'],
    [{ resourceType: 'Condition', subject, code, onsetPeriod: { end: '2019' } }, 'Condition.onset[x]'],
    [{ resourceType: 'Condition', subject, code, clinicalStatus: active, abatementString: 'last year' }, 'Condition.abatement[x]'],
    [
      { resourceType: 'Condition', subject, code, clinicalStatus: active, abatementPeriod: { start: '2019' } },
      'Condition.abatement[x]',
    ],
    [observation({ effectiveDateTime: undefined, effectiveTiming: { code } }), 'Observation.effective[x]'],
    [
      {
        resourceType: 'MedicationRequest',
        subject,
        medicationCodeableConcept: code,
        dosageInstruction: [{ maxDosePerPeriod: { numerator: { value: 4 } } }],
      },
      'MedicationRequest.dosageInstruction',
    ],
  ])('is an issue beside the record: %#', (resource, where) => {
    const mapped = map(bundle(patient(), { ...resource, id: 'x1' }))
    expect(reasonsOf(mapped)).toEqual([`${where}: in a form that the API has no place for, so that the record lacks it`])
    expect(mapped.patients[0]?.records).toHaveLength(2)
  })

  it('refuses a condition if nothing else says that it is over', () => {
    const mapped = map(bundle(patient(), { resourceType: 'Condition', id: 'x1', subject, code, abatementString: 'last year' }))
    expect(mapped.patients[0]?.records).toHaveLength(1)
  })

  it.each([
    [{ effectiveDateTime: undefined, effectiveTiming: { event: ['2024-03'] } }, '2024-03'],
    [{ effectiveDateTime: undefined, effectiveTiming: { code }, issued: '2024-03-02T00:00:00Z' }, undefined],
    [
      {
        effectiveDateTime: undefined,
        _effectiveDateTime: {
          extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
        },
        issued: '2024-03-02T00:00:00Z',
      },
      undefined,
    ],
  ])('a time that is told otherwise is not the time of the issue: %#', (changes, expected) => {
    const mapped = map(bundle(patient(), observation(changes)))
    expect(valuesOf(recordsOf(mapped, 'Observation')[0])['Observation.effectiveDateTime']).toBe(expected)
  })
})
