import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../directives/compile.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { toPaddedText } from '../../../gateway/crypto/padded-text.ts'
import { exactNumber } from '../../../gateway/model/exact-number.ts'
import type { Json } from '../../../gateway/model/record.ts'
import { valueFaults } from '../../../gateway/mutations/value-checks.ts'
import { clinicTypeDefs } from '../../../schema/clinic.ts'

const { schema, policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })

/** The details of the faults of one value, without its path. */
function rulesBroken(path: string, value: unknown): readonly string[] {
  const [type = ''] = path.split('.')
  const faults = valueFaults(schema, type as TypeName, new Map([[path as SchemaPath, value as Json]]))
  for (const fault of faults) {
    expect(fault.path).toBe(path)
    expect(fault.detail.startsWith(path)).toBe(true)
  }
  return faults.map(({ detail }) => detail.slice(path.length))
}

const concept = { coding: [{ system: 'http://loinc.org', code: '4548-4', display: 'HbA1c' }], text: 'HbA1c' }
/** Nested to a depth that would exhaust the stack of a recursive check. */
const nested = (levels: number): unknown => {
  let value: unknown = 'x'
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { coding: value }
  return value
}
const cyclic: Record<string, unknown> = {}
cyclic['coding'] = [cyclic]

describe('the generic checks of given values', () => {
  it.each([
    ['Patient.familyName', "O'Brien-Łukasiewicz 李"],
    ['Patient.givenName', ['Ada', 'Augusta']],
    ['Patient.address.line', ['1 Main St']],
    ['Patient.address.city', 'Springfield'],
    ['Patient.birthDate', '1975'],
    ['Patient.birthDate', '2024-02-29'],
    ['Patient.maritalStatus', Object.assign(Object.create(null) as object, concept)],
    ['Condition.code', { coding: [], text: 'Cough' }],
    ['Condition.onsetDateTime', '1850-01-01T00:00:00+14:00'],
    ['Observation.effectiveDateTime', '2024-03-01T09:30:00.123456789+02:00'],
    ['Observation.valueQuantity', { value: 6.1, unit: '%', code: null }],
    ['Observation.valueQuantity', { value: '1.10' }],
    ['Observation.valueQuantity', { value: exactNumber('1.10') }],
    ['Observation.component', [{ code: concept, valueQuantity: { value: 120 } }]],
    ['Encounter.period', { start: '2024-01', end: '9997' }],
    ['DocumentReference.text', 'One\r\n\tTwo'],
    ['Claim.total', -0.01],
    ['Claim.total', null],
  ])('accept %s as %j', (path, value) => {
    expect(rulesBroken(path, value)).toEqual([])
  })

  it.each([
    ['a text for a list', 'Patient.givenName', 'Ada', ' is not of the type that the schema has there.'],
    ['a list for a text', 'Patient.familyName', ['Byron'], ' is not of the type that the schema has there.'],
    ['a list for an object', 'Condition.code', [concept], ' is not of the type that the schema has there.'],
    ['an object of a class', 'Condition.code', new Date(), ' is not of the type that the schema has there.'],
    ['a null in a list', 'Patient.givenName', [null], ' has a null in a list.'],
    [
      'a member that the type lacks',
      'Condition.code',
      { ...concept, userSelected: true },
      ' has a key that its type does not have.',
    ],
    ['a blank text', 'Patient.familyName', ' \t', ' is blank. Leave it out, or send null to clear it.'],
    ['a blank text in a list', 'Patient.givenName', ['Ada', ''], '[1] is blank. Leave it out, or send null to clear it.'],
    ['half of a character', 'Patient.familyName', 'a\ud800', ' is not well-formed Unicode.'],
    ['NUL', 'Patient.familyName', 'a\0', ' has a control character. Only tab, newline and carriage return are allowed.'],
    [
      'an escape inside a composite',
      'Condition.code',
      { coding: [{ display: 'a\u001b[31m' }] },
      '.coding[0].display has a control character. Only tab, newline and carriage return are allowed.',
    ],
    [
      'a control character of C1',
      'Patient.mrn',
      'a\u0085',
      ' has a control character. Only tab, newline and carriage return are allowed.',
    ],
    ['too many items', 'Patient.givenName', Array.from({ length: 501 }, () => 'a'), ' has more than 500 items.'],
    ['NaN', 'Claim.total', NaN, ' is not a number that can be stored without a change.'],
    ['an infinite number', 'Claim.total', -Infinity, ' is not a number that can be stored without a change.'],
    ['an integer that is rounded', 'Claim.total', 2 ** 53, ' is not a number that can be stored without a change.'],
    ['a text for a number', 'Claim.total', '12 USD', ' is not a number that can be stored without a change.'],
    ['a number as text beyond all numbers', 'Claim.total', '1e999', ' is not a number that can be stored without a change.'],
    ['a BigInt', 'Claim.total', 1n, ' is not a number that can be stored without a change.'],
    [
      'a number inside a composite',
      'Observation.component',
      [{ valueQuantity: { value: 1 } }, { valueQuantity: { value: NaN } }],
      '[1].valueQuantity.value is not a number that can be stored without a change.',
    ],
    ['an exact number for a text', 'Patient.familyName', exactNumber('1'), ' is not of the type that the schema has there.'],
  ])('refuse %s', (_what, path, value, rule) => {
    expect(rulesBroken(path, value)).toEqual([rule])
  })

  it.each(['2023-02-29', '1849-12-31', '9998', '2024-13', '24-01-01', '2024-1-1', '20240101', '2024-01-01T00:00:00Z', 1975])(
    'refuse %j as a partial date',
    (value) => {
      expect(rulesBroken('Patient.birthDate', value)).toEqual([
        ' is not a date from 1850 to 9997 in ISO 8601: YYYY, YYYY-MM or YYYY-MM-DD.',
      ])
    },
  )

  it.each(['2024-01-01T00:00:00', '2024-01-01 00:00:00Z', '1849', '2024-01-01T24:00:00Z', '2024-02-30T00:00:00Z', 0])(
    'refuse %j as a time and as a part of a period',
    (value) => {
      const rule = 'is not a date from 1850 to 9997 in ISO 8601: YYYY, YYYY-MM, YYYY-MM-DD, or a time with its zone.'
      expect(rulesBroken('Observation.effectiveDateTime', value)).toEqual([` ${rule}`])
      expect(rulesBroken('Encounter.period', { start: '2024', end: value })).toEqual([`.end ${rule}`])
    },
  )

  it('refuse the keys of prototypes at every depth, and leave the prototypes as they are', () => {
    for (const key of ['__proto__', 'constructor', 'prototype', 'toString']) {
      const hostile: unknown = JSON.parse(`{"coding": [{"${key}": {"polluted": true}}]}`)
      expect(rulesBroken('Condition.code', hostile)).toEqual(['.coding[0] has a key that its type does not have.'])
      expect(rulesBroken('Condition.code', { [Symbol('coding')]: [] })).toEqual([' has a key that its type does not have.'])
      const path = `Condition.${key}` as SchemaPath
      expect(valueFaults(schema, 'Condition' as TypeName, new Map([[path, 'x']]))).toEqual([
        { path, detail: `${path} is not a stored field of its type.` },
      ])
    }
    expect(Object.prototype).not.toHaveProperty('polluted')
  })

  it('refuse a value of another type than the record', () => {
    const path = 'Patient.familyName' as SchemaPath
    expect(valueFaults(schema, 'Condition' as TypeName, new Map([[path, 'Byron']]))).toEqual([
      { path, detail: 'Patient.familyName is not a stored field of its type.' },
    ])
  })

  it('accept a text that can be sealed, refuse one byte more, and count the bytes of JSON', () => {
    const [limit, rule] = [200 * 1024 - '""'.length, [' is longer than 200 KB as JSON.']]
    const longest = '\n'.repeat(10) + 'a'.repeat(limit - 20)
    expect(() => toPaddedText(longest)).not.toThrow()
    expect(() => toPaddedText(`${longest}a`)).toThrow()
    expect(rulesBroken('DocumentReference.text', longest)).toEqual([])
    expect(rulesBroken('DocumentReference.text', `${longest}a`)).toEqual(rule)
    expect(rulesBroken('DocumentReference.text', 'é'.repeat(limit / 2 + 1))).toEqual(rule)
    const names = Array.from({ length: 400 }, () => 'a'.repeat(600))
    expect(rulesBroken('Patient.givenName', names)).toEqual(rule)
  })

  it('refuse a record of more than 320 KB at its largest value', () => {
    const values = (bytes: number): ReadonlyMap<SchemaPath, Json> =>
      new Map([
        ['DocumentReference.author' as SchemaPath, 'a'.repeat(120 * 1024)],
        ['DocumentReference.text' as SchemaPath, 'a'.repeat(bytes)],
      ])
    const type = 'DocumentReference' as TypeName
    expect(valueFaults(schema, type, values(200 * 1024 - 4))).toEqual([])
    expect(valueFaults(schema, type, values(200 * 1024 - 3))).toEqual([
      { path: 'DocumentReference.text', detail: 'DocumentReference.text is in a record of more than 320 KB as JSON.' },
    ])
  })

  it('end on cyclic values and on values of any depth', () => {
    expect(rulesBroken('Condition.code', cyclic)).toHaveLength(1)
    for (const levels of [20, 100_000]) expect(rulesBroken('Condition.code', nested(levels))).toHaveLength(1)
  })

  it('P8: never throw and never repeat a part of a value', () => {
    const marked = fc.string().map((text) => `§${text}§`)
    const value = fc.anything({ values: [marked, fc.double(), fc.constant(null)], key: marked, withBigInt: true, withDate: true })
    const paths = [...policy.phi.keys()].map(String)
    fc.assert(
      fc.property(fc.constantFrom(...paths), value, (path, given) => {
        for (const rule of rulesBroken(path, given)) expect(rule).not.toContain('§')
      }),
      { numRuns: 3_000 },
    )
  })
})
