import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { searchKey, searchToken } from '../../../gateway/crypto/blind-index.ts'
import { normalized } from '../../../gateway/crypto/normalization.ts'
import { KeyUnavailable } from '../../../gateway/model/failures.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import type { SearchIndex } from '../../../directives/policy.ts'
import { path, rawKey, purposeKey } from './place-fixtures.ts'

const TENANT = 'riverside' as TenantId
const MRN: SearchIndex = { path: path('Patient.mrn'), with: [], normalize: 'CASE_AND_SPACE', alone: true }
const NAME: SearchIndex = {
  path: path('Patient.familyName'),
  with: [path('Patient.birthDate')],
  normalize: 'NAME',
  alone: true,
}

describe('P11: equal values', () => {
  it.each([
    ['case', 'MR-1a', 'mr-1A'],
    ['white space, of whatever kind', ' MR \t 1\u00a0a ', 'mr 1 a'],
    ['width and ligatures', 'ＭＲ１ﬁ', 'mr1fi'],
    ['composition', 'Mu\u0308ller', 'Müller'],
    ['letters without a capital of their own', 'Strauß', 'STRAUSS'],
    ['a sigma at the end', 'ΟΔΥΣΣΕΥΣ', 'οδυσσευς'],
  ])('CASE_AND_SPACE: %s', (_, one, two) => {
    expect(normalized(one, 'CASE_AND_SPACE')).toBe(normalized(two, 'CASE_AND_SPACE'))
    expect(normalized(one, 'CASE_AND_SPACE')).toBeDefined()
  })

  it.each([
    ['diacritics', 'CASE_AND_SPACE', 'Müller', 'Muller'],
    ['space within', 'CASE_AND_SPACE', 'de Vries', 'devries'],
    ['a country code', 'DIGITS', '+1 555 010 1234', '555 010 1234'],
    ['a leading zero', 'DIGITS', '0123', '123'],
  ] as const)('%s keeps two values distinct (%s)', (_, how, one, two) => {
    expect(normalized(one, how)).not.toBe(normalized(two, how))
  })

  it.each([
    ...[
      "'",
      '’',
      '‘',
      '‛',
      'ʼ',
      'ʻ',
      'ʽ',
      'ʹ',
      'ˈ',
      'ʾ',
      'ʿ',
      '`',
      '´',
      '′',
      '‵',
      '＇',
      '｀',
      '᾽',
      '᾿',
      '´',
      '΄',
      '՚',
      '׳',
      'ꞌ',
      'Ꞌ',
    ],
    ...['\u0092', '\u0091', "''", '’ ', " '", ' ` ', '\u00a0’'],
  ])('NAME: the apostrophe %j', (apostrophe) => {
    expect(normalized(`O${apostrophe}NEILL`, 'NAME')).toBe("o'neill")
  })

  it.each([
    ...['-', '‐', '‑', '‒', '–', '—', '―', '−', '﹣', '－', '﹘', '⁃', '\u00ad', '˗', '⸺', '־', '֊', '᠆', '〜', '\u0096', '\u0097'],
    ...['--', ' - ', '– ', ' —', '\u2009‐\u2009'],
  ])('NAME: the hyphen %j', (hyphen) => {
    expect(normalized(`Smith${hyphen}JONES`, 'NAME')).toBe('smith-jones')
  })

  it.each([
    ['case and space', '  de  VRIES ', 'De Vries'],
    ['a letter with an apostrophe inside', 'ʼNaam', "'Naam"],
    ['composition', 'O’Mu\u0308ller', "o'müller"],
  ])('NAME: %s', (_, one, two) => {
    expect(normalized(one, 'NAME')).toBe(normalized(two, 'NAME'))
  })

  it.each([
    ['no apostrophe', "O'Neill", 'ONeill'],
    ['a space for an apostrophe', "O'Neill", 'O Neill'],
    ['a space for a hyphen', 'Smith-Jones', 'Smith Jones'],
    ['no hyphen', 'Smith-Jones', 'SmithJones'],
    ['a hyphen for an apostrophe', "D'Angelo", 'D-Angelo'],
    ['diacritics', 'Müller', 'Muller'],
    ['quotation marks around a name', '"Ann"', "'Ann'"],
    ['a sound mark of Japanese', 'スーザン', 'ス-ザン'],
  ])('NAME: %s keeps two names distinct', (_, one, two) => {
    expect(normalized(one, 'NAME')).not.toBe(normalized(two, 'NAME'))
  })

  it('a normalized value is the form of itself, for every form', () => {
    const unit = fc.oneof(
      fc.constantFrom(
        ' ',
        '\t',
        '\u00a0',
        "'",
        '’',
        '´',
        '`',
        'ŉ',
        'ʼ',
        '-',
        '–',
        '\u00ad',
        '\u2212',
        'ß',
        'ς',
        'Σ',
        'ﬁ',
        '\u0301',
      ),
      fc.string({ unit: 'binary', maxLength: 2 }),
    )
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 12 }), fc.constantFrom('CASE_AND_SPACE', 'NAME', 'DIGITS'), (parts, how) => {
        const once = normalized(parts.join(''), how)
        fc.pre(once !== undefined && once.length <= 256)
        expect(normalized(once, how)).toBe(once)
      }),
      { numRuns: 500, seed: 12 },
    )
  })

  it('identifiers keep their marks', () => {
    expect(normalized('MR–1', 'CASE_AND_SPACE')).not.toBe(normalized('MR-1', 'CASE_AND_SPACE'))
  })

  it('DIGITS: only digits count, including full-width ones', () => {
    expect(normalized('(555) 010-12３4 ext', 'DIGITS')).toBe('5550101234')
  })

  it.each([[''], [' \n'], ['x'.repeat(257)], [7], [null], [undefined], [['a']]])('%j is not indexed', (value) => {
    expect(normalized(value, 'CASE_AND_SPACE')).toBeUndefined()
    expect(normalized(value, 'DIGITS')).toBeUndefined()
  })
})

describe('P5, P8: a token identifies one value of one field of one tenant', () => {
  const key = purposeKey('index')
  const token = (index: SearchIndex, parts: readonly string[], tenant = TENANT) => searchToken(key, tenant, index, parts)

  it('is 128 bits, the same each time, and reveals nothing about the value', () => {
    expect(token(MRN, ['mr 1'])).toMatch(/^[\w-]{22}$/)
    expect(token(MRN, ['mr 1'])).toBe(token(MRN, ['mr 1']))
  })

  it('differs by value, field, tenant, compound and key', () => {
    const others = [
      token(MRN, ['mr 2']),
      token({ ...MRN, path: path('Patient.ssn') }, ['mr 1']),
      token(MRN, ['mr 1'], 'lakeside' as TenantId),
      token({ ...MRN, with: [path('Patient.birthDate')] }, ['mr 1']),
      searchToken(purposeKey('index', rawKey(0x61)), TENANT, MRN, ['mr 1']),
    ]
    expect(new Set([token(MRN, ['mr 1']), ...others]).size).toBe(6)
  })

  it('differs between compounds with the same characters, wherever the name ends and the date begins', () => {
    expect(token(NAME, ['ab', 'c'])).not.toBe(token(NAME, ['a', 'bc']))
    expect(token(NAME, ['a', ''])).not.toBe(token(NAME, ['', 'a']))
  })

  it('does not exist for a compound with a missing part', () => {
    const of = (values: Record<string, unknown>) => searchKey(NAME, (at: SchemaPath) => values[at])
    expect(of({ 'Patient.familyName': 'Stone' })).toBeUndefined()
    expect(of({ 'Patient.familyName': ' STONE', 'Patient.birthDate': '1980' })).toEqual(['stone', '1980'])
  })

  it('differs under each version of its key', () => {
    const [one, two] = [purposeKey('index'), purposeKey('index', rawKey(0x10), 2)]
    const both = { ...two, byVersion: (version: number) => (version === 1 ? one.key : two.key) }
    expect(searchToken(both, TENANT, MRN, ['mr 1'], 1)).toBe(token(MRN, ['mr 1']))
    expect(searchToken(both, TENANT, MRN, ['mr 1'], 2)).not.toBe(token(MRN, ['mr 1']))
    expect(() => searchToken(two, TENANT, MRN, ['mr 1'], 1)).toThrow(KeyUnavailable)
  })
})
