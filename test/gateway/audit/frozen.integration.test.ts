import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LaneLogOptions } from '../../../gateway/audit/log.ts'
import { AuditUnavailable } from '../../../gateway/model/failures.ts'
import { CUT, HANG, HOLD_ANSWER, PASS } from '../../hostile/faults.ts'
import { aMoment, expectIntact, LaneBench, laneOf, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})
beforeEach(() => bench.faulty.play(() => PASS))

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Clocks that go on as they do, and jump when they are told to. */
class Jumping implements Pick<LaneLogOptions, 'now' | 'monotonic'> {
  wall = 0
  steady = 0
  readonly now = (): number => Date.now() + this.wall
  readonly monotonic = (): number => performance.now() + this.steady
}

async function expectRetired(writer: Writer, sequence: number): Promise<void> {
  await expect
    .poll(() => writer.events, { timeout: 5_000 })
    .toContainEqual(expect.objectContaining({ event: 'AUDIT_LANE_RETIRED', sequence, why: 'UNRESOLVED' }))
}

describe('P2: a process that stands still for minutes and goes on', () => {
  it.each<[string, Partial<Jumping>]>([
    ['the wall clock has jumped', { wall: 20 * MINUTE }],
    ['only the steady clock has', { steady: 20 * MINUTE }],
    ['both have', { wall: 20 * MINUTE, steady: 20 * MINUTE }],
  ])('P2: an answer that never came, its token forgotten: stored once, no gap, told late; %s', async (_, jump) => {
    const clocks = new Jumping()
    const writer = bench.writer(clocks)
    await writer.append([1])
    let first = true
    bench.faulty.play(({ operation, body }) => {
      if (operation !== 'TransactWriteItems' || !body.includes(`#${writer.process}.1"`)) return PASS
      if (first) {
        first = false
        Object.assign(clocks, jump)
        return HOLD_ANSWER
      }
      // ten minutes on, the engine knows the token no more
      return { kind: 'REWRITE', body: body.replace(/"ClientRequestToken":".{10}/, '"ClientRequestToken":"forgotten-') }
    })
    // within the minute: what ends it is the jump
    await expect(writer.append([2], MINUTE)).rejects.toThrow(AuditUnavailable)
    // one that comes right after the jump does not wait for what is still open
    const receipt = await writer.append([3])
    expect(receipt.lane).toBe(`${writer.process}.2`)
    await expectRetired(writer, 1)
    await expect.poll(() => writer.sent().filter((sent) => laneOf(sent) === `${writer.process}.1`).length).toBe(2)
    expect(numbersOf(await writer.stored(1))).toEqual([1, 2])
    const { lane } = await writer.append([4])
    expect((await writer.stored(lane))[0]?.succeeds).toBe(`${writer.process}.1/1`)
    for (const entries of (await writer.storedByLane()).values()) expectIntact(entries)
    expect([...(await writer.storedByLane()).values()].flatMap(numbersOf).toSorted()).toEqual([1, 2, 3, 4])
  })

  it('P2: a transaction that hung when it froze is not sent again for longer than it is worth', async () => {
    const clocks = new Jumping()
    const writer = bench.writer(clocks)
    await writer.append([1])
    writer.meets([], CUT)
    await expect(writer.append([2], 300)).rejects.toThrow(AuditUnavailable)
    await expectRetired(writer, 1)
    clocks.wall = 20 * MINUTE
    // two knocks of the lingering lane would fit in here
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    writer.meets([])
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(writer.sent()).toEqual([])
    const { lane } = await writer.append([3])
    expect(numbersOf(await writer.stored(1))).toEqual([1])
    expect((await writer.stored(lane))[0]?.succeeds).toBe(`${writer.process}.1/1`)
  })
})

describe('P2: the clock is set back by an hour', () => {
  it('P2: while a transaction is open: the caller waits no longer than was agreed, nor does the lane', async () => {
    const clocks = new Jumping()
    const writer = bench.writer(clocks)
    await writer.append([1])
    writer.meets([], HANG)
    const open = writer.append([2], 400)
    open.catch(() => undefined)
    await aMoment()
    clocks.wall = -HOUR
    await expect(open).rejects.toThrow(AuditUnavailable)
    await expectRetired(writer, 1)
    writer.meets([])
    const { lane } = await writer.append([3])
    const next = await writer.stored(lane)
    expectIntact(next)
    expect(numbersOf(next)).toEqual([3])
    expect(next[0]?.succeeds).toBe(`${writer.process}.1/1`)
  })

  it('P2: while others wait: each is told as was agreed, and is never sent', async () => {
    const clocks = new Jumping()
    const writer = bench.writer({ now: clocks.now, monotonic: clocks.monotonic, lanes: 1 })
    writer.meets([HANG])
    const open = writer.append([1], MINUTE)
    await aMoment()
    const waiting = upTo(10, 2).map(async (number) => await writer.append([number], 300))
    clocks.wall = -HOUR
    for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe('rejected')
    await open
    await writer.append([11])
    expect(numbersOf(await writer.stored())).toEqual([1, 11])
  })

  it('P2: while a retired lane lingers: not for an hour more', async () => {
    const clocks = new Jumping()
    const writer = bench.writer(clocks)
    writer.meets([], CUT)
    await expect(writer.append([1], 300)).rejects.toThrow(AuditUnavailable)
    await expectRetired(writer, 0)
    clocks.wall = -HOUR
    clocks.steady = MINUTE
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    writer.meets([])
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(writer.sent()).toEqual([])
    await writer.append([2])
    expect(await writer.lanes()).toEqual([`${writer.process}.2`])
  })

  it('P7: the records of requests on either side of it are stored, each once', async () => {
    const clocks = new Jumping()
    const writer = bench.writer(clocks)
    for (const number of upTo(6)) {
      await writer.append([number], 5_000, { at: clocks.now() as never })
      clocks.wall += number % 2 === 0 ? 2 * HOUR : -HOUR
    }
    const entries = await writer.stored()
    expectIntact(entries)
    expect(numbersOf(entries)).toEqual(upTo(6))
    expect(await writer.lanes()).toHaveLength(1)
  })
})
