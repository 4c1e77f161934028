import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseExact } from '../../fhir/exact-json.ts'
import { mapBundle } from '../../fhir/map-bundle.ts'
import type { MappedBundle } from '../../fhir/mapped-bundle.ts'
import { isExactNumber } from '../../gateway/model/exact-number.ts'
import { bundle, clinicLabels, idFor, now, observation, patient, reasonsOf, recordsOf, riverside, valuesOf } from './clinic.ts'

const decimal = fc.oneof(
  fc.stringMatching(/^-?(?:0|[1-9]\d{0,25})(?:\.\d{1,25})?$/),
  fc.stringMatching(/^-?[1-9](?:\.\d{1,4})?[eE][+-]?\d{1,2}$/),
)

describe('the text of a number', () => {
  it('is the same after parsing and writing, at every place', () => {
    fc.assert(
      fc.property(decimal, decimal, fc.string(), (one, other, text) => {
        const json = `{"value":${one},"list":[${other},${one}],"text":${JSON.stringify(`${text}: 1.10, `)}}`
        expect(JSON.stringify(parseExact(json))).toBe(json)
      }),
    )
  })

  it('is a plain number if JavaScript writes it in the same way', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: true, noNaN: true })), (number) => {
        fc.pre(!Object.is(number, -0))
        expect(parseExact(`[${number}]`)).toEqual([number])
      }),
    )
  })

  it.each(['1e999', `1.${'0'.repeat(64)}`])('%s is no exact number', (text) => {
    expect((parseExact(`[${text}]`) as unknown[]).some(isExactNumber)).toBe(false)
  })
})

describe('a decimal of a resource', () => {
  const mapText = (text: string): MappedBundle =>
    mapBundle(parseExact(text), { tenant: riverside, idFor, now, assign: new Map(), labels: clinicLabels })
  const withValue = (value: string): string =>
    JSON.stringify(bundle(patient(), observation({ valueQuantity: { value: 'VALUE', unit: 'mg' } }))).replace('"VALUE"', value)
  const read = (value: string): unknown =>
    valuesOf(recordsOf(mapText(withValue(value)), 'Observation')[0])['Observation.valueQuantity']

  it.each([
    ['1.10', '1.10'],
    ['12345678901234567890', '12345678901234567890'],
    ['0.1', 0.1],
    ['7', 7],
  ])('%s is kept as %j', (text, value) => {
    expect(read(text)).toEqual({ value, unit: 'mg' })
  })

  it('is part of the digest with its last digit', () => {
    const digest = (value: string): unknown => recordsOf(mapText(withValue(value)), 'Observation')[0]?.metadata.source
    expect(digest('1.10')).toBe(digest('1.10'))
    expect(new Set(['1.1', '1.10', '1.100'].map(digest)).size).toBe(3)
  })

  it('with a comparator keeps its digits in the text', () => {
    const text = JSON.stringify(
      bundle(patient(), observation({ valueQuantity: { value: 'VALUE', comparator: '<', unit: 'mg' } })),
    ).replace('"VALUE"', '0.10')
    expect(valuesOf(recordsOf(mapText(text), 'Observation')[0])['Observation.valueString']).toBe('< 0.10 mg')
  })

  it('is refused where no number belongs', () => {
    const text = JSON.stringify(bundle(patient(), observation({ valueString: 'VALUE', valueQuantity: undefined }))).replace(
      '"VALUE"',
      '1.10',
    )
    expect(reasonsOf(mapText(text))).toEqual(['Observation.valueString: missing or of the wrong type'])
  })

  it('stays beside a placeholder of the same resource', () => {
    const masked = { extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'masked' }] }
    const quantity = { value: 'VALUE', unit: 'mg', code: 'x', _code: masked }
    const text = JSON.stringify(bundle(patient(), observation({ valueQuantity: quantity }))).replace('"VALUE"', '1.10')
    const values = valuesOf(recordsOf(mapText(text), 'Observation')[0])
    expect(values['Observation.valueQuantity']).toEqual({ value: '1.10', unit: 'mg' })
  })
})
