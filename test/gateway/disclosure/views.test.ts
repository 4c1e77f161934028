import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RESTRICTED_ZIP3 } from '../../../gateway/disclosure/restricted-zip3.ts'
import { SPARSE_ZIP3 } from '../../../gateway/disclosure/sparse-zip3.ts'
import { SERVED_VIEWS, show } from '../../../gateway/disclosure/views.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import type { View } from '../../../directives/policy.ts'
import type { Json } from '../../../gateway/model/record.ts'

const on = (date: string): Instant => Date.parse(`${date}T12:00:00Z`) as Instant
const TODAY = on('2026-01-31')
const US = { country: 'US' }

describe('LAST4', () => {
  it.each([
    ['999-62-6858', '***-**-6858'],
    ['999626858', '*****6858'],
    ['(555) 123-4567', '(***) ***-4567'],
    ['12345678', '****5678'],
    ['1234567', '*******'],
    ['12345', '*****'],
    ['1234', '****'],
    ['12-34', '**-**'],
    ['7', '*'],
    ['', ''],
    ['--', '--'],
    ['Zoë Müller', '*** **ller'],
    ['😀😀😀😀', '****'],
    ['¹²³⁴⁵⁶⁷⁸⁹', '*****⁶⁷⁸⁹'],
    ['¹²³⁴⁵⁶', '******'],
    ['e\u0301e\u0301', '****'],
  ])('%s is shown as %s', (value, shown) => {
    expect(show('LAST4', value, TODAY)).toBe(shown)
  })

  it('P1: shows at most the last four characters that are not separators', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const hidden = Array.from(value).filter((character) => !/[-\s./()]/.test(character))
        const shown = Array.from(text(show('LAST4', value, TODAY))).filter((character) => !/[-\s./()]/.test(character))
        expect(shown).toHaveLength(hidden.length)
        expect(shown.slice(0, hidden.length >= 8 ? -4 : undefined).every((character) => character === '*')).toBe(true)
      }),
    )
  })
})

describe('YEAR', () => {
  it.each([
    ['1980-05-17', '1980'],
    ['1980-05', '1980'],
    ['1980', '1980'],
    ['2019-03-04T05:06:07.123Z', '2019'],
    ['2019-03-04T05:06:07+02:00', '2019'],
    ['2031-01-01', '2031'],
  ])('of %s is %s', (value, year) => {
    expect(show('YEAR', value, TODAY)).toBe(year)
  })

  it.each([
    // the day of the ninetieth birthday, and the day before it
    ['1936-01-31', '2026-01-30', '1936'],
    ['1936-01-31', '2026-01-31', '90+'],
    ['1900-01-01', '2026-01-31', '90+'],
    // an unknown month or day may have been the first
    ['1936', '2026-01-01', '90+'],
    ['1936', '2025-12-31', '1936'],
    ['1936-05', '2026-04-30', '1936'],
    ['1936-05', '2026-05-01', '90+'],
    // a person born on a leap day is a year older on March 1
    ['1936-02-29', '2026-02-28', '1936'],
    ['1936-02-29', '2026-03-01', '90+'],
    ['1938-02-28', '2028-02-28', '90+'],
    ['1938-03-01', '2028-02-29', '1938'],
  ])('45 CFR 164.514(b)(2)(i)(C): of %s on %s it is %s', (value, today, shown) => {
    expect(show('YEAR', value, on(today))).toBe(shown)
  })

  it('of a period is the year of each end', () => {
    expect(show('YEAR', { start: '2019-03-04', end: '2020-01' }, TODAY)).toEqual({ start: '2019', end: '2020' })
    expect(show('YEAR', { start: '1920-03-04' }, TODAY)).toEqual({ start: '90+', end: null })
    expect(show('YEAR', { start: '2019', secret: '999-62-6858' }, TODAY)).toEqual({ start: '2019', end: null })
    expect(show('YEAR', { start: 'yesterday', end: 5 }, TODAY)).toEqual({ start: null, end: null })
  })

  it.each<Json>([
    '9996268580',
    '999-62-6858',
    '2001 secret',
    '2001-13',
    '1936-99',
    '2001-05-32',
    '20010517',
    ' 2001',
    '2001\n',
    '٢٠٠١',
    'x2001',
    '',
  ])('is null for %j, which is no date', (value) => {
    expect(show('YEAR', value, TODAY)).toBeNull()
  })
})

describe('ZIP3', () => {
  it.each([
    ['02139', '021'],
    ['02139-4307', '021'],
    ['021394307', '021'],
    [' 02139 ', '021'],
    ['0213', '000'],
    ['021', '000'],
    ['K1A 0B1', '000'],
    ['02139-43', '000'],
    ['999-62-6858', '000'],
    ['', '000'],
  ])('of %j in the United States is %s', (value, shown) => {
    expect(show('ZIP3', value, TODAY, US)).toBe(shown)
  })

  it.each(['US', 'USA', 'us', 'U.S.A.', ' United  States of America '])('shows a prefix of an address in %j', (country) => {
    expect(show('ZIP3', '02139', TODAY, { country })).toBe('021')
  })

  it.each<Json | undefined>([undefined, null, '', 'DE', 'PR', 'UM', 'U', 'USSR', 'US/DE', 'CA', 'Germany', 840, ['US']])(
    'P1: shows nothing of a code of an address in %j: the Census counts the United States',
    (country) => {
      expect(show('ZIP3', '10115', TODAY, { country })).toBe('000')
      expect(show('ZIP3', '10115', TODAY)).toBe('000')
    },
  )

  it('45 CFR 164.514(b)(2)(i)(B): is 000 for sparsely populated areas', () => {
    // HHS, guidance of November 26, 2012, by the census of 2000
    const listed = '036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893'.split(' ')
    expect([...RESTRICTED_ZIP3].toSorted()).toEqual(listed)
    for (const prefix of listed) {
      expect(show('ZIP3', `${prefix}01`, TODAY, US)).toBe('000')
      expect(show('ZIP3', `${prefix}01-1234`, TODAY, US)).toBe('000')
    }
  })

  it('45 CFR 164.514(b)(2)(i)(B): it is 000 too where fewer people live since a later census, and for military mail', () => {
    for (const prefix of ['202', '369', '772', '090', '340', '962']) expect(show('ZIP3', `${prefix}01`, TODAY, US)).toBe('000')
    for (const prefix of SPARSE_ZIP3) expect(RESTRICTED_ZIP3.has(prefix)).toBe(false)
  })
})

describe('P1: a view shows no part of a value that it cannot parse', () => {
  const masked: View[] = ['LAST4', 'YEAR', 'ZIP3', 'PSEUDONYM', 'PRESENCE']
  const anything = fc.jsonValue() as fc.Arbitrary<Json>

  it('an unknown view shows nothing, and a pseudonym shows no part of the value', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(show('PSEUDONYM', value, TODAY)).toBeNull()
        expect(show('PRESENCE', value, TODAY)).toBeNull()
      }),
    )
    expect([...SERVED_VIEWS].toSorted()).toEqual(['FULL', 'LAST4', 'PSEUDONYM', 'YEAR', 'ZIP3'])
  })

  it('YEAR yields a year, 90+ or nothing, for any value', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.string()), (value) => {
        expect(leaves(show('YEAR', value, TODAY)).every((leaf) => leaf === null || /^(?:\d{4}|90\+)$/.test(text(leaf)))).toBe(true)
      }),
    )
  })

  it('YEAR keeps no month, day, time or offset', () => {
    const dates = fc
      .date({ min: new Date('1000-01-01'), max: new Date('2999-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString())
    fc.assert(
      fc.property(dates, (value) => {
        expect(['90+', value.slice(0, 4)]).toContain(show('YEAR', value, TODAY))
      }),
    )
  })

  it('ZIP3 yields three digits or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(anything, fc.string(), fc.stringMatching(/^\d{5}(-?\d{4})?$/)), (value) => {
        expect(text(show('ZIP3', value, TODAY, US))).toMatch(/^(?:\d{3}|null)$/)
      }),
    )
  })

  it('the hidden part of a value never occurs in the shown part', () => {
    const digits = fc.stringMatching(/^\d{9}$/)
    fc.assert(
      fc.property(digits, fc.constantFrom(...masked), (ssn, view) => {
        const dashed = `${ssn.slice(0, 3)}-${ssn.slice(3, 5)}-${ssn.slice(5)}`
        const shown = JSON.stringify(show(view, dashed, TODAY, US))
        expect(shown).not.toContain(dashed.slice(0, 6))
        expect(shown).not.toContain(ssn.slice(0, 5))
      }),
    )
  })

  it('only FULL returns a value that is neither a text nor a period', () => {
    for (const value of [5, true, null, ['1980-05-17'], [['02139']]] as Json[]) {
      for (const view of masked) expect(show(view, value, TODAY, US)).toBeNull()
      expect(show('FULL', value, TODAY)).toEqual(value)
    }
  })
})

function leaves(value: Json): Json[] {
  return typeof value === 'object' && value !== null ? Object.values(value as Record<string, Json>).flatMap(leaves) : [value]
}

const text = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))
