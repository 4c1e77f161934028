import { describe, expect, it } from 'vitest'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { erasableFrom, retentionRule, RetentionSettings } from '../../../gateway/model/retention.ts'

const minors = { untilAge: 28, birthDate: 'Patient.birthDate' as SchemaPath }
const newest = Date.parse('2020-05-01T12:00:00Z')
const from = (rule: Parameters<typeof erasableFrom>[0], birthDate?: unknown): string =>
  new Date(erasableFrom(rule, newest, birthDate)).toISOString()

describe('C26: retention', () => {
  it.each([
    ['years after the newest record', { years: 10 }, undefined, '2030-05-01T12:00:00.000Z'],
    ['an adult: the years count', { years: 10, minors }, '1970-01-01', '2030-05-01T12:00:00.000Z'],
    ['a minor: the age counts, from the end of the birthday', { years: 10, minors }, '2015-03-02', '2043-03-03T00:00:00.000Z'],
    ['a year of birth counts to its last day', { years: 10, minors }, '2015', '2044-01-01T00:00:00.000Z'],
    [
      'without a birth date, the patient may have been born with the newest record',
      { years: 10, minors },
      undefined,
      '2048-05-01T12:00:00.000Z',
    ],
    ['a birth date that is no date counts as missing', { years: 10, minors }, 'unknown', '2048-05-01T12:00:00.000Z'],
  ])('%s', (_name, rule, birthDate, expected) => {
    expect(from(rule, birthDate)).toBe(expected)
  })

  it('a tenant has its own rule, or the default, or none', () => {
    const settings = RetentionSettings.parse({ default: { years: 10 }, tenants: { riverside: { years: 7 } } })
    expect(retentionRule(settings, 'riverside' as TenantId)).toEqual({ years: 7 })
    expect(retentionRule(settings, 'lakeside' as TenantId)).toEqual({ years: 10 })
    expect(retentionRule(RetentionSettings.parse({}), 'lakeside' as TenantId)).toBeUndefined()
  })

  it.each([
    { years: 10 },
    { default: { years: -1 } },
    { default: { years: 1.5 } },
    { default: {} },
    { default: { years: 10, minors: { untilAge: 18 } } },
    { default: { years: 10, minors: { untilAge: 18, birthDate: 'birthDate' } } },
    { tenants: { 'River side': { years: 10 } } },
    { copiesDays: -1 },
  ])('a setting with a fault is refused: %j', (settings) => {
    expect(RetentionSettings.safeParse(settings).success).toBe(false)
  })
})
