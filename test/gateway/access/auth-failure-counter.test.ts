import { describe, expect, it, vi } from 'vitest'
import { AuthFailureCounter } from '../../../gateway/access/auth-failure-counter.ts'
import { sourceNetwork } from '../../../gateway/access/source-network.ts'
import type { AuthFailureLine } from '../../../gateway/store/security.ts'
import type { CredentialFault } from '../../../gateway/model/credential-fault.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import { StoreUnavailable } from '../../../gateway/model/failures.ts'

const MINUTE = 60_000
const START = Date.UTC(2026, 0, 1, 12, 0)
const deadline = () => new Deadline(Date.now() + 8_000, { now: Date.now, monotonic: () => performance.now() })

/** A counter over a table in memory, and a clock that a test moves. */
function tallying(answer: () => Promise<void> = () => Promise.resolve()) {
  const stored = new Map<string, Partial<Record<CredentialFault, number>>>()
  const state = { now: START, answer }
  const events: GatewayEvent[] = []
  const add = vi.fn(async ({ minute, source, counts }: AuthFailureLine) => {
    // copied at the time of sending: later counts belong to the next write
    const sent = [...counts]
    await state.answer()
    const name = `${(minute - START) / MINUTE} ${source}`
    const line = stored.get(name) ?? {}
    for (const [fault, count] of sent) line[fault] = (line[fault] ?? 0) + count
    stored.set(name, line)
  })
  const tally = new AuthFailureCounter({ table: { add }, now: () => state.now, events: (event) => void events.push(event) })
  const later = async (ms: number): Promise<void> => {
    state.now += ms
    await tally.flush(deadline())
  }
  return { tally, stored, state, events, add, later }
}

describe('failures before authentication are added up', () => {
  it('by source, minute and kind: the first write is immediate, later ones follow every five seconds', async () => {
    const { tally, stored, add, later, events } = tallying()
    for (let n = 0; n < 100; n++) {
      tally.count('203.0.113.7', n % 2 === 0 ? 'SIGNATURE' : 'EXPIRED')
      await later(10)
    }
    expect(add).toHaveBeenCalledTimes(1)
    await later(5_000)
    expect(add).toHaveBeenCalledTimes(2)
    expect(Object.fromEntries(stored)).toEqual({ '0 203.0.113.7': { SIGNATURE: 50, EXPIRED: 50 } })
    tally.count('203.0.113.8', 'ABSENT')
    await later(MINUTE)
    tally.count('203.0.113.8', 'ABSENT')
    await later(5_000)
    expect(stored.get('0 203.0.113.8')).toEqual({ ABSENT: 1 })
    expect(stored.get('1 203.0.113.8')).toEqual({ ABSENT: 1 })
    const told = events.flatMap((event) => (event.event === 'AUTH_FAILURES' ? [event.count] : []))
    expect(told.reduce((sum, count) => sum + count)).toBe(102)
    expect(told).toHaveLength(add.mock.calls.length)
  })

  it('counts at most 100 separate sources within a minute, and writes at most 25 at a time', async () => {
    const { tally, stored, add, later } = tallying()
    for (let n = 0; n < 1_000; n++) tally.count(`10.0.${n >> 8}.${n & 255}`, 'SIGNATURE')
    await later(0)
    expect(add).toHaveBeenCalledTimes(25)
    for (let n = 0; n < 4; n++) await later(5_000)
    expect(stored.size).toBe(101)
    expect(stored.get('0 other')).toEqual({ SIGNATURE: 900 })
    // a new minute starts with new sources
    tally.count('10.9.9.9', 'SIGNATURE')
    await later(MINUTE)
    expect(add).toHaveBeenCalledTimes(102)
  })
})

describe('while the table is unavailable', () => {
  it('throws nothing, keeps the counts, and reports to operators', async () => {
    const { tally, stored, state, events, later } = tallying(() =>
      Promise.reject(new StoreUnavailable({ cause: new RangeError('secret') })),
    )
    for (let n = 0; n < 3; n++) {
      tally.count('203.0.113.7', 'EXPIRED')
      await later(5_000)
    }
    expect(stored.size).toBe(0)
    expect(events).toContainEqual({ event: 'AUTH_FAILURES_UNWRITTEN', cause: 'RangeError', lost: 0 })
    state.answer = () => Promise.resolve()
    await later(5_000)
    expect(Object.fromEntries(stored)).toEqual({ '0 203.0.113.7': { EXPIRED: 3 } })
  })

  it('keeps at most 500 lines, drops the oldest first, and reports the number of lost failures', async () => {
    const { tally, stored, state, events, later } = tallying(() => Promise.reject(new StoreUnavailable()))
    for (let minute = 0; minute < 10; minute++) {
      for (let n = 0; n < 100; n++) tally.count(`10.0.${minute}.${n}`, 'EXPIRED')
      await later(MINUTE)
    }
    state.answer = () => Promise.resolve()
    for (let n = 0; n < 25; n++) await later(5_000)
    expect(stored.size).toBe(500)
    const lost = events.flatMap((event) => (event.event === 'AUTH_FAILURES_UNWRITTEN' ? [event.lost] : []))
    expect(lost.reduce((sum, one) => sum + one)).toBe(500)
  })

  it('delays a response only for a short time, and runs one write at a time', async () => {
    let answer = (): void => undefined
    const { tally, stored, state, add } = tallying(() => new Promise((resolve) => (answer = resolve)))
    tally.count('203.0.113.7', 'EXPIRED')
    await tally.flush(deadline())
    expect(stored.size).toBe(0)
    tally.count('203.0.113.7', 'EXPIRED')
    state.now += 5_000
    tally.startFlush(deadline())
    expect(add).toHaveBeenCalledTimes(1)
    answer()
    await vi.waitFor(() => {
      expect(stored.get('0 203.0.113.7')).toEqual({ EXPIRED: 1 })
    })
    state.answer = () => Promise.resolve()
    await tally.flush(deadline())
    expect(stored.get('0 203.0.113.7')).toEqual({ EXPIRED: 2 })
  })

  it('starts no write after the end of a request', async () => {
    const { tally, add } = tallying()
    tally.count('203.0.113.7', 'EXPIRED')
    await tally.flush(new Deadline(Date.now() - 1, { now: Date.now, monotonic: () => performance.now() }))
    expect(add).not.toHaveBeenCalled()
  })
})

describe('a source', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:0DB8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::203.0.113.7', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    [undefined, 'unknown'],
    ['', 'unknown'],
    ['203.0.113.7, 10.0.0.1', 'unknown'],
    ['Bearer ey.x.y', 'unknown'],
    ['::ffff:999.0.0.1', 'unknown'],
  ])('%j is counted as %j', (ip, source) => {
    expect(sourceNetwork(ip)).toBe(source)
  })
})
