import { describe, expect, it } from 'vitest'
import { MINORS, minorProxyPeriods } from '../../../gateway/model/minors.ts'

const day = (date: string): string => `${date}T00:00:00.000Z`
const { scope } = MINORS

describe("C06: the periods of a minor's proxy", () => {
  it.each([
    ['2014-05-17', '2026-05-17', '2032-05-17'],
    // a partial date counts as its earliest day, so that limits never begin late
    ['2014-05', '2026-05-01', '2032-05-01'],
    ['2014', '2026-01-01', '2032-01-01'],
    ['2012-02-29', '2024-02-29', '2030-02-28'],
    ['2013-02-28', '2025-02-28', '2031-02-28'],
  ])('born %s: without limits until %s, within them until %s', (born, limits, end) => {
    expect(minorProxyPeriods(born)).toEqual([{ until: day(limits) }, { since: day(limits), until: day(end), scope }])
  })

  it('the deployment sets the ages and the open categories', () => {
    const policy = { limitedFrom: 14, until: 19, scope: { categories: ['IDENTITY'], labeled: false } } as const
    expect(minorProxyPeriods('2010-01-01', policy)).toEqual([
      { until: day('2024-01-01') },
      { since: day('2024-01-01'), until: day('2029-01-01'), scope: policy.scope },
    ])
    expect(minorProxyPeriods('2010-01-01', { ...policy, limitedFrom: 19 })).toEqual([{ until: day('2029-01-01') }])
  })

  it.each(['', 'unknown', '2014-13', '2014-05-17T00:00:00Z', '0014'])('P3: an unreadable birth date opens nothing: %j', (born) => {
    expect(minorProxyPeriods(born)).toEqual([])
  })

  it('P3: invalid ages are rejected', () => {
    for (const ages of [{ limitedFrom: 19 }, { until: Number.NaN }, { limitedFrom: -1 }, { until: 1_000 }, { limitedFrom: 12.5 }])
      expect(minorProxyPeriods('2014-05-17', { ...MINORS, ...ages })).toEqual([])
  })

  it('notes and labeled records are closed while limits hold', () => {
    expect(scope.categories).not.toContain('NOTE')
    expect(scope.labeled).toBe(false)
  })
})
