import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../directives/compile.ts'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import { clinicRecordRules } from '../../fhir/record-rules.ts'
import type { Instant } from '../../gateway/model/ids.ts'
import type { TypeRules } from '../../gateway/model/record-rules.ts'
import type { Json } from '../../gateway/model/record.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { clinicLabels } from './clinic.ts'

const rules = clinicRecordRules(() => clinicLabels)
const now = Date.parse('2024-06-01T12:00:00Z') as Instant
const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })

function rulesOf(type: string): TypeRules {
  const found = rules.get(type as TypeName)
  if (found === undefined) throw new Error(`${type} has no rules`)
  return found
}

const valuesOf = (type: string, fields: Readonly<Record<string, unknown>>): ReadonlyMap<SchemaPath, Json> =>
  new Map(Object.entries(fields).map(([field, value]) => [`${type}.${field}` as SchemaPath, value as Json]))

const details = (type: string, fields: Readonly<Record<string, unknown>>): readonly string[] =>
  rulesOf(type)
    .check(valuesOf(type, fields), now)
    .map(({ detail }) => detail)

const loinc = (code: string) => ({ coding: [{ system: 'http://loinc.org', code }] })
const nullFlavor = { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-NullFlavor', code: 'UNK' }] }

describe('the rules of written values', () => {
  it.each([
    ['Patient', { ssn: '999-76-6866' }],
    ['Patient', { ssn: '999 76 6866' }],
    ['Patient', { phone: '+1 (555) 010-9999 ext. 12', email: 'zoë@müller.example', 'address.postalCode': 'SW1A 1AA' }],
    ['Patient', { phone: 'tel:+49-89-1234567', language: 'zh-Hant-TW', gender: 'unknown' }],
    ['Patient', { birthDate: '2024-06-02', deceasedDate: '2024' }],
    ['Encounter', { status: 'planned', class: 'AMB', period: { start: '2030-01-01', end: '2030-01-01' } }],
    ['Encounter', { period: { start: '2024-01-01T10:00:00Z', end: '2024-01-01' } }],
    ['Observation', { interpretation: 'H, AA', category: 'laboratory' }],
    ['Observation', { code: loinc('8302-2'), valueQuantity: { value: 70, code: '[in_i]' } }],
    ['Observation', { code: loinc('4548-4'), valueQuantity: { value: '6.10', unit: '%', code: '%' } }],
    ['Observation', { valueQuantity: { value: 3, unit: 'puffs' } }],
    ['Observation', { valueQuantity: null, valueString: '< 0.01 ng/mL' }],
    ['Claim', { status: 'draft', currency: 'EUR', total: 12.5 }],
    ['Coverage', { type: 'Medicare', payor: 'Example Mutual' }],
    ['Procedure', { status: 'completed', performedPeriod: { end: '2024-05-31' } }],
    ['Condition', { code: { text: 'Cough' }, abatementDateTime: null }],
  ])('accept for %s: %j', (type, fields) => {
    expect(details(type, fields)).toEqual([])
  })

  it.each([
    ['Patient', { ssn: '123-45-678' }, 'Patient.ssn is not a social security number: nine digits.'],
    ['Patient', { phone: 'call me' }, 'Patient.phone is not a telephone number.'],
    ['Patient', { email: 'ada@localhost' }, 'Patient.email is not an email address.'],
    ['Patient', { 'address.postalCode': '<script>' }, 'Patient.address.postalCode is not a postal code.'],
    ['Patient', { language: 'not a tag' }, 'Patient.language is not a language tag of BCP 47.'],
    ['Patient', { gender: 'Male' }, 'Patient.gender is not a code of http://hl7.org/fhir/ValueSet/administrative-gender.'],
    ['Patient', { birthDate: '2024-06-03' }, 'Patient.birthDate is in the future.'],
    ['Patient', { maritalStatus: { coding: [] } }, 'Patient.maritalStatus has neither a code nor a text.'],
    [
      'Encounter',
      { class: 'ambulatory' },
      'Encounter.class is not a code of http://terminology.hl7.org/ValueSet/v3-ActEncounterCode.',
    ],
    ['Encounter', { period: { start: '2024-02', end: '2024-01-31' } }, 'Encounter.period ends before it starts.'],
    ['Encounter', { period: { start: null } }, 'Encounter.period has neither a start nor an end.'],
    [
      'Procedure',
      { status: 'entered-in-error' },
      'Procedure.status cannot say that the record was entered in error. Retract the record.',
    ],
    ['Procedure', { performedPeriod: { start: '2024-06-01', end: '2025' } }, 'Procedure.performedPeriod.end is in the future.'],
    ['Condition', { onsetDateTime: '2024-06-02T12:00:01Z' }, 'Condition.onsetDateTime is in the future.'],
    ['Condition', { code: nullFlavor }, 'Condition.code has only codes for a missing value (HL7 v3 NullFlavor).'],
    ['AllergyIntolerance', { reaction: [loinc('x'), {}] }, 'AllergyIntolerance.reaction[1] has neither a code nor a text.'],
    ['Claim', { currency: 'usd' }, 'Claim.currency is not a currency of ISO 4217.'],
    ['Observation', { valueQuantity: { unit: 'kg' } }, 'Observation.valueQuantity has no number.'],
    ['Observation', { valueQuantity: { value: 1, code: 'mmHg' } }, 'Observation.valueQuantity.code is not a UCUM unit.'],
    [
      'Observation',
      { interpretation: 'H,AA' },
      'Observation.interpretation is not a code of http://hl7.org/fhir/ValueSet/observation-interpretation, or several with a comma and a space between them.',
    ],
    [
      'Observation',
      { code: loinc('8867-4'), valueQuantity: { value: 60, unit: '/min' } },
      'Observation.valueQuantity.code is not a unit of this vital sign. Its LOINC code needs /min.',
    ],
    [
      'Observation',
      { code: loinc('29463-7'), valueQuantity: { value: 60, code: '[lb_ap]' } },
      'Observation.valueQuantity.code is not a unit of this vital sign. Its LOINC code needs g or kg or [lb_av].',
    ],
    [
      'Observation',
      { component: [{ code: loinc('8480-6'), valueQuantity: { value: 16, code: 'kPa' } }] },
      'Observation.component[0].valueQuantity.code is not a unit of this vital sign. Its LOINC code needs mm[Hg].',
    ],
    [
      'Observation',
      { component: [{ code: loinc('8480-6'), valueString: 'high', valueQuantity: { value: 160, code: 'mm[Hg]' } }] },
      'Observation.component[0] has more than one value.',
    ],
    ['Observation', { component: [{ valueString: 'high' }] }, 'Observation.component[0].code has neither a code nor a text.'],
    [
      'Observation',
      { valueQuantity: { value: 1 }, valueString: 'one' },
      'Observation.valueString is a second value. An observation has one value at most.',
    ],
  ])('refuse for %s: %j', (type, fields, detail) => {
    expect(details(type, fields)).toEqual([detail])
  })

  it('P8: never throw and never repeat a part of a value', () => {
    const marked = fc.string().map((text) => `§${text}§`)
    const hostile = fc.anything({ values: [marked, fc.double(), fc.constant(null)], key: marked, withBigInt: true, withDate: true })
    // objects with the members that the rules read
    const member = fc.oneof(marked, hostile)
    const shaped = fc.oneof(
      fc.record({ coding: fc.array(fc.record({ system: member, code: member, display: member })), text: member }),
      fc.record({ start: member, end: member }),
      fc.record({ value: member, unit: member, code: member }),
      fc.array(
        fc.record({ code: fc.constantFrom(loinc('8480-6'), {}), valueQuantity: fc.record({ value: member, code: member }) }),
      ),
    )
    const paths = [...policy.phi.keys()].map(String).filter((path) => rules.has(path.split('.')[0] as TypeName))
    const given = fc.array(fc.tuple(fc.constantFrom(...paths), fc.oneof(hostile, shaped)), { maxLength: 6 })
    fc.assert(
      fc.property(given, (values) => {
        const map = new Map(values.map(([path, value]) => [path as SchemaPath, value as Json]))
        for (const typeRules of rules.values())
          for (const { path, detail } of typeRules.check(map, now)) {
            expect(detail).not.toContain('§')
            expect(detail.startsWith(path)).toBe(true)
          }
      }),
      { numRuns: 2_000 },
    )
  })

  it('name only stored values of the schema', () => {
    for (const [type, { from, required }] of rules) {
      for (const path of [...from, ...required]) {
        expect(policy.phi.has(path), path).toBe(true)
        expect(path.startsWith(`${type}.`)).toBe(true)
      }
    }
    const patientTypes = [...policy.records.keys()].filter((type) => (type as string) !== 'CareTeamMember')
    expect([...rules.keys()].toSorted()).toEqual(patientTypes.toSorted())
  })

  it('read the code lists only for the labels of a record', () => {
    let reads = 0
    const counted = clinicRecordRules(() => {
      reads++
      return clinicLabels
    }).get('Condition' as TypeName)
    counted?.check(valuesOf('Condition', { code: loinc('x') }), now)
    expect(reads).toBe(0)
    for (let read = 0; read < 2; read++) counted?.factsOf(valuesOf('Condition', { code: loinc('x') }))
    expect(reads).toBe(1)
  })
})

describe('the facts of written values', () => {
  const factsOf = (type: string, fields: Readonly<Record<string, unknown>>) => rulesOf(type).factsOf(valuesOf(type, fields))

  it('contain the date, the codes, the category and the labels of the values', () => {
    const hiv = { coding: [{ system: 'http://loinc.org', code: '20447-9' }, { code: 'local' }] }
    const given = { code: hiv, category: 'laboratory', effectiveDateTime: '2024-03-01T09:30:00+02:00' }
    expect(factsOf('Observation', given)).toEqual({
      date: '2024-03-01T07:30:00.000Z',
      codes: ['20447-9', 'local'],
      categories: ['laboratory'],
      labels: ['HIV'],
    })
    expect(factsOf('Observation', { component: [{ code: hiv }] })).toEqual({ labels: ['HIV'] })
  })

  it('take the first date that the record has, with its precision', () => {
    expect(factsOf('Condition', { onsetDateTime: '2019', recordedDate: '2024-03-01' })).toEqual({
      date: '2019-01-01T00:00:00.000Z',
      datePrecision: 'YEAR',
    })
    expect(factsOf('Condition', { recordedDate: '2024-03' })).toEqual({ date: '2024-03-01T00:00:00.000Z', datePrecision: 'MONTH' })
    expect(factsOf('Procedure', { performedPeriod: { end: '2024-03-01' } })).toEqual({
      date: '2024-03-01T00:00:00.000Z',
      datePrecision: 'DAY',
    })
    expect(factsOf('Coverage', { period: { end: '2024-03-01' }, type: 'Medicare' })).toEqual({})
  })

  it('are empty for values that nothing follows from, valid or not', () => {
    expect(factsOf('Patient', { familyName: 'Byron' })).toEqual({})
    expect(factsOf('Condition', { code: 'x', onsetDateTime: 'yesterday' })).toEqual({})
    expect(factsOf('Claim', { diagnosis: [null, 1, { coding: 'x' }] })).toEqual({})
  })
})
