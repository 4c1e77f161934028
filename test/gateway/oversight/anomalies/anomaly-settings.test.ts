import { describe, expect, it } from 'vitest'
import { AnomalySettings } from '../../../../gateway/oversight/anomalies/anomaly-settings.ts'
import { isWeekend, localDay, localOffset, startOfDay } from '../../../../gateway/oversight/anomalies/local-day.ts'
import { robustZ, spreadOf } from '../../../../gateway/oversight/anomalies/robust.ts'

describe('C22: thresholds and the numbers behind them', () => {
  it('C22: every threshold has a default, and a setting that is not known is refused', () => {
    expect(AnomalySettings.parse({})).toMatchObject({ baselineDays: 60, maxDays: 31, volume: { own: 6 }, reviewDays: 7 })
    expect(AnomalySettings.parse({ related: { family: 5 } }).related).toMatchObject({ family: 5, neighbor: 4, careDays: 14 })
    expect(AnomalySettings.parse({ volume: { own: 3 } }).volume).toEqual({ own: 3, peers: 2.5, least: 60 })
    for (const wrong of [
      { volum: {} },
      { volume: { own: 0 } },
      { related: { usual: 0 } },
      { vip: { readers: 1 } },
      { timeZone: 'Mars/Olympus' },
      { baselineDays: 3 },
    ])
      expect(AnomalySettings.safeParse(wrong).success).toBe(false)
  })

  it('C22: days are those of the clinic, with the offset of the season', () => {
    const [winter, summer] = [Date.parse('2026-01-10T03:00:00Z'), Date.parse('2026-07-10T03:00:00Z')]
    expect([localOffset('America/New_York', winter), localOffset('America/New_York', summer)]).toEqual([-300, -240])
    expect([localOffset('Asia/Kolkata', winter), localOffset('UTC', winter)]).toEqual([330, 0])
    expect(localDay(winter, -300)).toBe('2026-01-09')
    expect(startOfDay(winter, -300)).toBe(Date.parse('2026-01-09T05:00:00Z'))
    expect(['2026-01-09', '2026-01-10', '2026-01-11', '2026-01-12'].map(isWeekend)).toEqual([false, true, true, false])
  })

  it('C22: one extreme value changes neither median nor deviation, and a constant sample has a deviation', () => {
    const least = { share: 0.1, absolute: 1 }
    const [usual, extreme] = [spreadOf([8, 9, 10, 11, 12], least), spreadOf([8, 9, 10, 11, 9_000], least)]
    expect(extreme).toMatchObject({ median: usual.median, deviation: usual.deviation })
    expect(robustZ(20, spreadOf([10, 10, 10], least))).toBe(10)
    expect(spreadOf([], least)).toEqual({ median: 0, deviation: 1, size: 0, peak: 0 })
  })
})
