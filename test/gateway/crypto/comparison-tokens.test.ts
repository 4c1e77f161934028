import { describe, expect, it } from 'vitest'
import { comparisonTokens, phoneForm } from '../../../gateway/crypto/comparison-tokens.ts'
import { streetAddress } from '../../../gateway/crypto/street-address.ts'
import { KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { OTHER_PATIENT, PATIENT, purposeKey } from './place-fixtures.ts'

const [RIVERSIDE, LAKESIDE] = ['riverside', 'lakeside'] as TenantId[] as [TenantId, TenantId]
const KEY = purposeKey('comparison')
const tokensOf = (values: Parameters<typeof comparisonTokens>[2], tenant = RIVERSIDE) =>
  comparisonTokens(KEY, tenant, values).map(({ kind, token }) => `${kind} ${token}`)
const kindsOf = (values: Parameters<typeof comparisonTokens>[2]) => comparisonTokens(KEY, RIVERSIDE, values).map(({ kind }) => kind)
const at = (street: unknown, postalCode: unknown = '02139') => ({ street, postalCode })

describe('writings of one address have one token', () => {
  it.each([
    ['case and punctuation', '12 Main St.', '12 MAIN STREET'],
    ['the number after the street', '12 Main Street', 'Main Street, 12'],
    ['words of units', '12 Main St Apt 4B', '12 Main Street #4-b'],
    ['a unit without a word', '12 Main St 4', '12 Main St, Unit 4'],
    ['ß and a joined word', 'Hauptstraße 12a', 'Haupt Str. 12 A'],
    ['diacritics and width', 'Münchner Straße 9', 'ＭＵＮＣＨＮＥＲ str 9'],
    ['directions', '9 North Elm Avenue', '9 N. Elm Ave'],
    ['directions with full stops', '9 S.W. Elm Ave', '9 Southwest Elm Ave'],
    ['saints', '4 Saint James Street', '4 St. James St'],
    ['boxes', 'P.O. Box 12', 'PO BOX 12'],
    ['a list of lines', ['12 Main St', 'Apt 4'], '12 Main Street, Apt. 4'],
  ])('%s', (_, one, other) => {
    expect(tokensOf(at(one))).toEqual(tokensOf(at(other)))
    expect(tokensOf(at(one)).length).toBeGreaterThan(0)
  })

  it('a ZIP+4 is its ZIP, and spaces of a postal code do not count', () => {
    expect(tokensOf(at('12 Main St', '02139-4307'))).toEqual(tokensOf(at('12 Main St', '02139')))
    expect(tokensOf(at('12 Main St', 'sw1a 1aa'))).toEqual(tokensOf(at('12 Main St', 'SW1A1AA')))
  })
})

describe('an address that is not the same', () => {
  it.each([
    ['another number', '12 Main St', '14 Main St'],
    ['another unit', '12 Main St Apt 4', '12 Main St Apt 5'],
  ])('has the token of the street, and another one of the address: %s', (_, one, other) => {
    const [tokens, others] = [tokensOf(at(one)), tokensOf(at(other))]
    expect(tokens.filter((token) => others.includes(token)).map((token) => token.split(' ')[0])).toEqual(['STREET'])
  })

  it.each([
    ['another street', at('12 Main St'), at('12 Maine St')],
    ['an avenue of the name', at('12 Main St'), at('12 Main Ave')],
    ['another postal code', at('12 Main St'), at('12 Main St', '02140')],
    ['a numbered street', at('12 4th St'), at('12 5th St')],
  ])('has no token in common: %s', (_, one, other) => {
    const others = tokensOf(other)
    expect(tokensOf(one).filter((token) => others.includes(token))).toEqual([])
  })

  it('keeps the number apart in forms of several countries', () => {
    expect(streetAddress('Straße des 17. Juni 135')).toEqual({ street: 'st des 17 juni', number: '135', unit: '' })
    expect(streetAddress('12 rue de la Paix')).toEqual({ street: 'rue de la paix', number: '12', unit: '' })
    expect(streetAddress('Kerkstraat 12 2')).toEqual({ street: 'kerkstraat', number: '12', unit: '2' })
    expect(streetAddress('1200 Highway 9')).toEqual({ street: 'hwy 9', number: '1200', unit: '' })
  })
})

it.each([
  ...['', ' ', 'unknown', 'N/A', '12', '12 St', 'Main Street', 'General Delivery', '-'].map((street) => at(street)),
  ...['', '00000', '-', 'x', null, 7].map((postalCode) => at('12 Main St', postalCode)),
  at('1 '.repeat(200)),
  at({ line: '12 Main St' }),
  at([7, null]),
  ...['', '000', '-', null].map((patientNumber) => ({ patientNumber })),
  ...['', 'X', "'", '123', 7].map((familyName) => ({ familyName })),
  ...['', '0000000000', '555-0123', 'none', '+', '٠١٢٣٤٥٦٧٨٩', 7].map((phone) => ({ phone })),
])('a value that says nothing has no token: %j', (values) => {
  expect(kindsOf(values)).toEqual([])
})

it.each([
  ['+1 617-555-0123', '617.555.0123'],
  ['1 (617) 555-0123', '(617) 555 0123 ext. 45'],
  ['+49 30 901820', '030 901820'],
  ['0049 30 901820', '030/901820'],
  ['+45 12 34 56 78', '12345678'],
])('a phone number without country prefix, trunk prefix and extension: %s is %s', (one, other) => {
  expect(phoneForm(one)).toBe(phoneForm(other))
  expect(phoneForm(one)).toBeDefined()
})

it.each([
  ['familyName', "O'Neill", 'ONEILL'],
  ['familyName', 'Müller', 'muller'],
  ['familyName', 'Smith-Jones', 'Smith Jones'],
  ['patientNumber', ' mr 1 ', 'MR 1'],
] as const)('%s: %s and %s have one token', (name, one, other) => {
  expect(tokensOf({ [name]: one })).toEqual(tokensOf({ [name]: other }))
  expect(tokensOf({ [name]: one })).toHaveLength(1)
})

it('equal values of another tenant or of another kind have other tokens', () => {
  const values = { patient: PATIENT, patientNumber: '6175550123', familyName: 'Stone', phone: '6175550123', ...at('12 Main St') }
  const tokens = comparisonTokens(KEY, RIVERSIDE, values)
  const others = comparisonTokens(KEY, LAKESIDE, values)
  expect(tokens.map(({ kind }) => kind)).toEqual(['PATIENT', 'PATIENT', 'FAMILY_NAME', 'ADDRESS', 'STREET', 'PHONE'])
  expect(new Set([...tokens, ...others].map(({ token }) => token)).size).toBe(12)
  for (const { token } of tokens) expect(token).toMatch(/^[\w-]{22}$/)
  // the number of a patient is no patient id
  expect(tokensOf({ patientNumber: PATIENT })).not.toEqual(tokensOf({ patient: PATIENT }))
  expect(tokensOf({ patient: OTHER_PATIENT })).not.toEqual(tokensOf({ patient: PATIENT }))
})

it('a tenant without the key has no tokens, and no empty list of them', () => {
  const none = { ...KEY, byVersion: () => undefined }
  expect(() => comparisonTokens(none, RIVERSIDE, {})).toThrow(KeyUnavailable)
})
