import { describe, expect, it } from 'vitest'
import { coveredPeriods, lastPeriods } from '../../../../gateway/oversight/reviews/review-periods.ts'
import { AccessReviewSettings } from '../../../../gateway/oversight/reviews/review-settings.ts'
import { reviewedPeriod } from '../../../../gateway/oversight/reviews/review-status.ts'
import type { SignOff } from '../../../../gateway/oversight/reviews/sign-off.ts'
import { reviewDigest } from '../../../../gateway/oversight/reports/review-digest.ts'

const at = (text: string): number => Date.parse(text)
const iso = (time: number): string => new Date(time).toISOString()
const settings = (given: object = {}): AccessReviewSettings => AccessReviewSettings.parse(given)
const long = settings({ begins: '2020-01-01' })

describe('C21: the periods of access reviews', () => {
  it('C21: reviews are due monthly within 15 days if nothing is set, and a setting that is not known is refused', () => {
    expect(settings()).toEqual({ every: 'MONTH', graceDays: 15, timeZone: 'UTC' })
    for (const wrong of [{ every: 'YEAR' }, { graceDays: 0 }, { timeZone: 'Mars/Olympus' }, { begins: '2026-02-30' }, { grace: 3 }])
      expect(AccessReviewSettings.safeParse(wrong).success).toBe(false)
  })

  it('C21: lists twelve periods, the open one first, each with its due day', () => {
    const periods = lastPeriods(long, { now: at('2026-03-10T12:00:00Z'), began: undefined })
    expect(periods.map(({ name }) => name)).toEqual(
      '2026-03 2026-02 2026-01 2025-12 2025-11 2025-10 2025-09 2025-08 2025-07 2025-06 2025-05 2025-04'.split(' '),
    )
    expect(periods[1]).toEqual({
      name: '2026-02',
      from: at('2026-02-01T00:00:00Z'),
      end: at('2026-03-01T00:00:00Z'),
      due: '2026-03-15',
      dueEnd: at('2026-03-16T00:00:00Z'),
    })
  })

  it('C21: months are those of the clinic, also in a month that has another offset at its end', () => {
    const zone = settings({ timeZone: 'America/New_York', begins: '2020-01-01' })
    const periods = lastPeriods(zone, { now: at('2026-12-01T04:59:59Z'), began: undefined })
    expect(periods.slice(0, 2).map(({ name, from, end }) => [name, iso(from), iso(end)])).toEqual([
      ['2026-11', '2026-11-01T04:00:00.000Z', '2026-12-01T05:00:00.000Z'],
      ['2026-10', '2026-10-01T04:00:00.000Z', '2026-11-01T04:00:00.000Z'],
    ])
  })

  it('C21: quarters begin in January, April, July and October', () => {
    const quarters = settings({ every: 'QUARTER', graceDays: 30, begins: '2026-01-01' })
    const periods = lastPeriods(quarters, { now: at('2026-11-29T00:00:00Z'), began: undefined })
    expect(periods.map(({ name, due }) => `${name} ${due}`)).toEqual([
      '2026-Q4 2027-01-30',
      '2026-Q3 2026-10-30',
      '2026-Q2 2026-07-30',
      '2026-Q1 2026-04-30',
    ])
  })

  it('C21: a period before the log began needs no review, and one of a later setting neither', () => {
    const now = at('2026-03-10T00:00:00Z')
    const names = (given: object, began?: number): string[] => lastPeriods(settings(given), { now, began }).map(({ name }) => name)
    expect(names({}, at('2026-02-28T23:59:59Z'))).toEqual(['2026-03', '2026-02'])
    expect(names({})).toEqual(['2026-03'])
    expect(names({ begins: '2026-03-02' }, at('2020-01-01T00:00:00Z'))).toEqual(['2026-03'])
    expect(names({ begins: '2026-05-01' })).toEqual([])
  })

  it('C21: a span covers the periods that it has whole', () => {
    const span = { from: at('2026-01-01T00:00:00Z'), to: at('2026-03-31T23:59:59.998Z') }
    expect(coveredPeriods(long, span).map(({ name }) => name)).toEqual(['2026-01', '2026-02'])
    expect(coveredPeriods(long, { ...span, from: span.from + 1 }).map(({ name }) => name)).toEqual(['2026-02'])
  })
})

describe('C21: the state of a period', () => {
  const ROLES = ['PHYSICIAN', 'BILLING']
  const period = () => {
    const found = lastPeriods(long, { now: at('2026-03-10T00:00:00Z'), began: undefined })[1]
    if (found === undefined) throw new Error('no period')
    return found
  }
  const signOff = (number: number, given: Partial<SignOff> = {}): SignOff => ({
    number,
    at: at('2026-03-02T00:00:00Z') + number,
    by: 'privacy',
    requestId: 'r',
    from: period().from,
    to: period().end - 1,
    roles: ROLES,
    policy: 'p',
    digest: 'd',
    decision: 'KEEP',
    findings: [],
    nonce: 'n',
    ...given,
  })
  const stateOf = (signOffs: readonly SignOff[], now = '2026-03-10T00:00:00Z') => {
    const { state, missingRoles, completed } = reviewedPeriod(period(), signOffs, ROLES, at(now))
    return [state, missingRoles.join(' '), completed?.number]
  }

  it('C21: is OPEN, then DUE until the end of the due day, then OVERDUE', () => {
    expect(stateOf([], '2026-02-28T23:59:59Z')[0]).toBe('OPEN')
    expect(stateOf([], '2026-03-01T00:00:00Z')[0]).toBe('DUE')
    expect(stateOf([], '2026-03-15T23:59:59Z')[0]).toBe('DUE')
    expect(stateOf([], '2026-03-16T00:00:00Z')).toEqual(['OVERDUE', 'PHYSICIAN BILLING', undefined])
  })

  it('C21: is SIGNED by one sign-off for all roles, or by one for each role', () => {
    expect(stateOf([signOff(1)])).toEqual(['SIGNED', '', 1])
    expect(stateOf([signOff(1, { role: 'BILLING' })])).toEqual(['DUE', 'PHYSICIAN', undefined])
    expect(stateOf([signOff(1, { role: 'BILLING' }), signOff(2, { role: 'PHYSICIAN' }), signOff(3)])).toEqual(['SIGNED', '', 2])
  })

  it('C21: is not signed by a span that lacks its first or its last moment', () => {
    expect(stateOf([signOff(1, { from: period().from + 1 })])[0]).toBe('DUE')
    expect(stateOf([signOff(1, { to: period().end - 2 })])[0]).toBe('DUE')
  })

  it('C21: stays signed after a role is added, and shows the first and the last sign-off', () => {
    const all = [signOff(1), signOff(2), signOff(3)]
    const { state, signOffs } = reviewedPeriod(period(), all, [...ROLES, 'NEW'], at('2026-05-01T00:00:00Z'))
    expect([state, signOffs.map(({ number }) => number)]).toEqual(['SIGNED', [1, 3]])
  })
})

describe('C21: the digest of a review', () => {
  const review = {
    from: 'a',
    examined: 3,
    denials: [
      { path: 'x', records: 1 },
      { path: 'y', records: 1 },
    ],
    grants: [{ rule: 'r', line: 4 }],
  }

  it('C21: does not depend on the order of rows, on files of the tables, or on lines of the schema', () => {
    const other = { ...review, examined: 9, denials: review.denials.toReversed(), grants: [{ line: 5, rule: 'r' }] }
    expect(reviewDigest(other)).toBe(reviewDigest(review))
  })

  it('C21: changes with every count, with a row that is repeated, and with a name', () => {
    const digests = [
      review,
      { ...review, denials: [...review.denials, { path: 'y', records: 1 }] },
      {
        ...review,
        denials: [
          { path: 'x', records: 2 },
          { path: 'y', records: 1 },
        ],
      },
      { ...review, grants: [{ rule: 's', line: 4 }] },
      { ...review, from: 'b' },
    ].map(reviewDigest)
    expect(new Set(digests).size).toBe(5)
    for (const one of digests) expect(one).toMatch(/^[0-9a-f]{64}$/)
  })
})
