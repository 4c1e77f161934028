import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ComparedValues, comparisonTokens } from '../../../gateway/crypto/comparison-tokens.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { PATIENT, purposeKey } from './place-fixtures.ts'

const [RIVERSIDE, LAKESIDE] = ['riverside', 'lakeside'] as TenantId[] as [TenantId, TenantId]
const KEY = purposeKey('comparison')
const tokensOf = (values: ComparedValues, tenant = RIVERSIDE): readonly string[] =>
  comparisonTokens(KEY, tenant, values).map(({ kind, token }) => `${kind} ${token}`)
/** The kinds of the tokens that both have. */
const shared = (one: ComparedValues, other: ComparedValues): readonly string[] => {
  const others = tokensOf(other)
  return tokensOf(one).flatMap((token) => (others.includes(token) ? [token.split(' ')[0] ?? ''] : []))
}

interface Home {
  readonly number: string
  readonly direction: readonly string[]
  readonly name: string
  readonly kind: readonly string[]
  readonly unit: string | undefined
  readonly code: string
}

// no word of streets and units ends with `q` and has so many letters
const names = fc.oneof(
  fc.stringMatching(/^[a-z]{3,9}$/).map((word) => `${word}q`),
  fc.constantFrom("O'Neill", 'Königin', 'Oak Hill', 'Saint Mary', '42nd', 'Martin Luther King', 'Ελαία'),
)
const homes: fc.Arbitrary<Home> = fc.record({
  number: fc.integer({ min: 1, max: 99_999 }).map(String),
  direction: fc.constantFrom([''], ['North', 'N', 'N.'], ['Southwest', 'SW', 's.w.']),
  name: names,
  kind: fc.constantFrom(
    ['Street', 'St', 'St.', 'Str.'],
    ['Avenue', 'Ave', 'Av.'],
    ['Boulevard', 'Blvd.'],
    ['Court', 'Ct'],
    ['Way', 'Wy'],
  ),
  unit: fc.option(fc.stringMatching(/^[1-9]\d{0,2}[a-f]?$/), { nil: undefined }),
  code: fc.stringMatching(/^[1-9]\d{4}$/),
})

/** Any code units, with controls and lone surrogates. */
const hostile = fc.array(fc.integer({ min: 0, max: 0xff_ff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units))

/** How a person writes an address. Each number chooses one of several forms. */
const habits = fc.record({
  direction: fc.nat(),
  kind: fc.nat(),
  unit: fc.nat(),
  space: fc.array(fc.constantFrom(' ', ', ', '  ', ' - ', '\t', '\u00a0'), { minLength: 8, maxLength: 8 }),
  isUpper: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
  isNumberLast: fc.boolean(),
  isWide: fc.boolean(),
  withLines: fc.boolean(),
  code: fc.constantFrom('', '-1234', ' '),
})
type Habit = typeof habits extends fc.Arbitrary<infer T> ? T : never

const choice = (forms: readonly string[], at: number): string => forms[at % forms.length] ?? ''

function written({ number, direction, name, kind, unit, code }: Home, habit: Habit): ComparedValues {
  const street = [choice(direction, habit.direction), name, choice(kind, habit.kind)].filter((word) => word !== '')
  // a second number after a house number is a unit too, but that is another form
  const forms = ['Apt ', 'apartment ', '# ', '#', 'Unit ', 'Ste. ', ...(habit.isNumberLast ? [] : [''])]
  const inUnit = unit === undefined ? [] : [`${choice(forms, habit.unit)}${unit}`]
  const words = habit.isNumberLast ? [...street, number] : [number, ...street]
  const style = (text: string): string => {
    const cased = Array.from(text)
      .map((letter, at) => (habit.isUpper[at % habit.isUpper.length] ? letter.toUpperCase() : letter.toLowerCase()))
      .join('')
    // full-width letters and digits
    return habit.isWide ? cased.replaceAll(/[0-9A-Za-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0)) : cased
  }
  const joined = (parts: readonly string[]): string =>
    style(parts.map((part, at) => `${at === 0 ? '' : (habit.space[at] ?? ' ')}${part}`).join(''))
  return {
    street: habit.withLines ? [joined(words), ...inUnit.map(style)] : joined([...words, ...inUnit]),
    postalCode: `${code}${habit.code}`,
  }
}

describe('the address of a person', () => {
  it('has equal tokens in every writing', () => {
    fc.assert(
      fc.property(homes, habits, habits, (home, one, other) => {
        const tokens = tokensOf(written(home, one))
        expect(tokens.map((token) => token.split(' ')[0])).toEqual(['ADDRESS', 'STREET'])
        expect(tokensOf(written(home, other))).toEqual(tokens)
      }),
    )
  })

  it('is not that of another number, unit, street or postal code in any writing', () => {
    fc.assert(
      fc.property(homes, homes, habits, habits, (home, other, one, two) => {
        const common = (part: Partial<Home>) => shared(written(home, one), written({ ...home, ...part }, two))
        fc.pre(home.number !== other.number && home.unit !== other.unit && home.code !== other.code && home.name !== other.name)
        expect(common({ number: other.number })).toEqual(['STREET'])
        expect(common({ unit: other.unit })).toEqual(['STREET'])
        expect(common({ code: other.code })).toEqual([])
        expect(common({ name: other.name })).toEqual([])
      }),
    )
  })
})

it('a text without letters and digits has no token of any kind, alone or beside others', () => {
  const nothing = fc.stringMatching(/^[\s.,#/'"()–-]{0,12}$/)
  fc.assert(
    fc.property(nothing, homes, habits, (text, home, habit) => {
      const { street, postalCode } = written(home, habit)
      expect(tokensOf({ patientNumber: text, familyName: text, street: text, postalCode, phone: text })).toEqual([])
      expect(tokensOf({ street, postalCode: text })).toEqual([])
      expect(tokensOf({ street: [text, text], postalCode })).toEqual([])
    }),
  )
})

it('P5: no token of one tenant or kind is that of another, for any text', () => {
  fc.assert(
    fc.property(fc.oneof(hostile, fc.stringMatching(/^[1-9a-z]{8,12}$/)), homes, habits, (text, home, habit) => {
      const values = { patient: PATIENT, patientNumber: text, familyName: text, phone: text, ...written(home, habit) }
      const ofOne = comparisonTokens(KEY, RIVERSIDE, values)
      const ofOther = comparisonTokens(KEY, LAKESIDE, values)
      expect(ofOther.map(({ kind }) => kind)).toEqual(ofOne.map(({ kind }) => kind))
      expect(new Set([...ofOne, ...ofOther].map(({ token }) => token)).size).toBe(2 * ofOne.length)
    }),
  )
})
