import { describe, expect, it } from 'vitest'
import { closesAt, type Hour, HourClock, hourEnd, hourOf, hoursBetween, hoursOfRequest } from '../../../gateway/audit/hour.ts'

const at = (text: string): number => Date.parse(`2026-11-28T${text}Z`)
const hour = (text: string): Hour => `2026-11-28T${text}` as Hour

describe('the hour of a lane', () => {
  it('is the hour in UTC, and ends with it', () => {
    expect(hourOf(at('17:00:00.000'))).toBe('2026-11-28T17')
    expect(hourOf(at('17:59:59.999'))).toBe('2026-11-28T17')
    expect(hourEnd(at('17:00:00.000'))).toBe(at('18:00:00'))
    expect(hourEnd(at('17:59:59.999'))).toBe(at('18:00:00'))
  })

  it('P7: closes 915 s after its end: the longest request, its last send, and a clock difference of 5 minutes', () => {
    expect(closesAt(hour('17')) - at('18:00:00')).toBe((10 * 60 + 15 + 5 * 60) * 1_000)
  })

  it('P7: a search for a request covers one minute before its time and eleven minutes after it', () => {
    expect(hoursOfRequest(at('17:30:00'))).toEqual([hour('17')])
    expect(hoursOfRequest(at('17:00:59'))).toEqual([hour('16'), hour('17')])
    expect(hoursOfRequest(at('17:01:00'))).toEqual([hour('17')])
    expect(hoursOfRequest(at('17:48:59'))).toEqual([hour('17')])
    expect(hoursOfRequest(at('17:49:00'))).toEqual([hour('17'), hour('18')])
  })

  it('a span covers the hours of both ends and all hours between', () => {
    expect(hoursBetween(at('16:59:59'), at('19:00:00'))).toEqual(['16', '17', '18', '19'].map(hour))
    expect(hoursBetween(at('16:00:00'), at('16:00:00'))).toEqual([hour('16')])
  })
})

describe('P7: the hour of a process', () => {
  const clocked = (start: number) => {
    const clock = { wall: start, monotonic: 1_000 }
    const hours = new HourClock({ now: () => clock.wall, monotonic: () => clock.monotonic })
    const pass = (wall: number, monotonic = wall): number => {
      clock.wall += wall
      clock.monotonic += monotonic
      return hours.time
    }
    return { hours, pass }
  }

  it('P7: follows the wall clock, also over a freeze that stopped the monotonic clock', () => {
    const { pass } = clocked(at('17:30:00'))
    expect(pass(1_000)).toBe(at('17:30:01'))
    expect(pass(3_600_000, 0)).toBe(at('18:30:01'))
  })

  it('P7: never decreases if the wall clock is set back by up to 5 minutes', () => {
    const { hours, pass } = clocked(at('18:03:00'))
    expect(pass(-300_000, 0)).toBe(at('18:03:00'))
    expect(pass(10_000)).toBe(at('18:03:10'))
    // the wall clock passes the kept time again
    expect(pass(400_000, 1_000)).toBe(at('18:04:50'))
    expect(hours.era).toBe(0)
  })

  it('P7: equals the hour of the wall clock after a larger difference, because request ids have that time', () => {
    const { hours, pass } = clocked(at('18:03:00'))
    expect(pass(-300_001, 0)).toBe(at('18:03:00') - 300_001)
    expect(pass(1_000)).toBe(at('18:03:01') - 300_001)
    expect(hours.era).toBe(1)
  })
})
