import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadline } from '../../../gateway/model/deadline.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
/** Work that never ends. */
const never = () => new Promise<never>(() => undefined)
class Late extends Error {
  override readonly name = 'Late'
}
const late = () => new Late()
const clocks = (now: () => number) => ({ now, monotonic: () => performance.now() })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('P9: no caller waits past a deadline', () => {
  it('work that ends in time yields its result; work that fails in time yields its own error', async () => {
    const deadline = new Deadline(
      START + 100,
      clocks(() => START),
    )
    await expect(deadline.wait(() => Promise.resolve('done'), late)).resolves.toBe('done')
    await expect(deadline.wait(() => Promise.reject(new RangeError('own')), late)).rejects.toThrow(RangeError)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('work that does not end is abandoned at the deadline, and its later failure has no effect', async () => {
    const deadline = new Deadline(
      START + 100,
      clocks(() => START),
    )
    let fail: (error: Error) => void = () => undefined
    const waiting = deadline.wait(() => new Promise((_, reject) => (fail = reject)), late)
    const outcome = expect(waiting).rejects.toThrow(Late)
    await vi.advanceTimersByTimeAsync(100)
    await outcome
    fail(new Error('long after'))
    await vi.advanceTimersByTimeAsync(0)
  })

  it('work that throws before it returns a promise leaves no timer', async () => {
    const deadline = new Deadline(
      START + 100,
      clocks(() => START),
    )
    const work = (): Promise<never> => {
      throw new RangeError('own')
    }
    await expect(deadline.wait(work, late)).rejects.toThrow(RangeError)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('no work begins after the deadline', async () => {
    const deadline = new Deadline(
      START + 100,
      clocks(() => START),
    )
    await vi.advanceTimersByTimeAsync(100)
    const work = vi.fn(never)
    await expect(deadline.wait(work, late)).rejects.toThrow(Late)
    expect(work).not.toHaveBeenCalled()
  })

  it('ends if the wall clock jumps ahead during a freeze', () => {
    let now = START
    const deadline = new Deadline(
      START + 5_000,
      clocks(() => now),
    )
    now += 20 * 60_000
    expect(deadline.left).toBe(0)
  })

  it('is not prolonged by a wall clock that is set back', async () => {
    let now = START
    const deadline = new Deadline(
      START + 5_000,
      clocks(() => now),
    )
    now -= 60 * 60_000
    await vi.advanceTimersByTimeAsync(4_000)
    expect(deadline.left).toBe(1_000)
    const waiting = expect(deadline.wait(never, late)).rejects.toThrow(Late)
    await vi.advanceTimersByTimeAsync(1_000)
    await waiting
    expect(deadline.left).toBe(0)
  })

  it('a share is a fraction of the remaining time, and ends no later than the whole', async () => {
    const began = performance.now()
    const deadline = new Deadline(
      START + 1_000,
      clocks(() => START + (performance.now() - began)),
    )
    await vi.advanceTimersByTimeAsync(600)
    const share = deadline.share(0.5)
    expect(share.at).toBe(START + 800)
    await vi.advanceTimersByTimeAsync(200)
    expect([share.left, deadline.left]).toEqual([0, 200])
  })

  it('its signal aborts requests at the same moment', () => {
    const deadline = new Deadline(
      START,
      clocks(() => START),
    )
    expect(deadline.signal).toBe(deadline.signal)
    expect(deadline.signal).toBeInstanceOf(AbortSignal)
  })
})
