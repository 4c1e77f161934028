import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { AuditUnavailable } from '../../../gateway/model/failures.ts'
import { access, itemsOf, NOON } from './examples.ts'
import { Jumping } from './jumping-clocks.ts'
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

async function expectRetired(writer: Writer, sequence: number): Promise<void> {
  await expect
    .poll(() => writer.events, { timeout: 5_000 })
    .toContainEqual(expect.objectContaining({ event: 'AUDIT_LANE_RETIRED', sequence, why: 'UNRESOLVED' }))
}

describe('P2: a process that freezes for minutes and continues', () => {
  it.each<[string, 'wall' | 'steady' | 'both', number, number]>([
    ['past its deadline by the wall clock', 'wall', MINUTE + 5_000, 2],
    ['past its deadline by the steady clock', 'steady', MINUTE + 5_000, 2],
    ['past its deadline by both clocks', 'both', MINUTE + 5_000, 2],
    // after 15 s, a lingering transaction is not sent again
    ['for 20 minutes by both clocks', 'both', 20 * MINUTE, 1],
  ])(
    'P2: a lost answer with an expired token is stored once and leaves no gap, and the retirement is reported; %s',
    async (_, which, by, sends) => {
      const clocks = new Jumping(NOON)
      const writer = bench.writer(clocks)
      await writer.append([1])
      let first = true
      bench.faulty.play(({ operation, body }) => {
        if (operation !== 'TransactWriteItems' || !body.includes(`#${writer.process}.1"`)) return PASS
        if (first) {
          first = false
          if (which !== 'steady') clocks.wall += by
          if (which !== 'wall') clocks.steady += by
          return HOLD_ANSWER
        }
        // after ten minutes, the engine forgets the token
        return { kind: 'REWRITE', body: body.replace(/"ClientRequestToken":".{10}/, '"ClientRequestToken":"forgotten-') }
      })
      // within the minute: the jump of the clock ends the wait
      await expect(writer.append([2], MINUTE)).rejects.toThrow(AuditUnavailable)
      // a request right after the jump does not wait for the open transaction
      const receipt = await writer.append([3])
      expect(receipt.lane).toBe(`${writer.process}.2`)
      await expectRetired(writer, 1)
      await expect.poll(() => writer.sent().filter((sent) => laneOf(sent) === `${writer.process}.1`).length).toBe(sends)
      expect(numbersOf(await writer.stored(1))).toEqual([1, 2])
      const { lane } = await writer.append([4])
      expect((await writer.stored(lane))[0]?.succeeds).toBe(`${writer.process}.1/1`)
      for (const entries of (await writer.storedByLane()).values()) expectIntact(entries)
      expect([...(await writer.storedByLane()).values()].flatMap(numbersOf).toSorted()).toEqual([1, 2, 3, 4])
    },
  )

  it('P2: a transaction that hung before the freeze is not sent again after its linger time', async () => {
    const clocks = new Jumping(NOON)
    const writer = bench.writer(clocks)
    await writer.append([1])
    writer.meets([], CUT)
    await expect(writer.append([2], 300)).rejects.toThrow(AuditUnavailable)
    await expectRetired(writer, 1)
    clocks.wall = 20 * MINUTE
    // the lingering lane could send twice in this time
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
  it('P2: while a transaction is open: neither the caller nor the lane waits past its deadline', async () => {
    const clocks = new Jumping(NOON)
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

  it('P2: while other requests wait: each is rejected at its deadline and never sent', async () => {
    const clocks = new Jumping(NOON)
    const writer = bench.writer({ now: clocks.now, monotonic: clocks.monotonic, lanes: 1 })
    writer.meets([HANG])
    const open = writer.append([1], MINUTE)
    await aMoment()
    const waiting = upTo(10, 2).map(async (number) => await writer.append([number], 300))
    clocks.wall = -HOUR
    for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe('rejected')
    await open
    await writer.append([11])
    const lanes = await writer.storedByLane()
    expect([...lanes.values()].flatMap(numbersOf).toSorted()).toEqual([1, 11])
  })

  it('P2: while a retired lane lingers: the lane does not linger for another hour', async () => {
    const clocks = new Jumping(NOON)
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
    const { lane } = await writer.append([2])
    expect(await writer.lanes()).toEqual([lane])
    expect((await writer.stored(lane))[0]?.succeeds).toBe(`${writer.process}.1/0`)
  })

  it('P7: records from both sides of the jump are stored once each and found by request id', async () => {
    const clocks = new Jumping(NOON)
    const writer = bench.writer(clocks)
    const requests: string[] = []
    for (const number of upTo(6)) {
      const requestId = newRequestId(writer.process, clocks.now(), randomBytes)
      const accesses = [access(number, { at: clocks.now() as Instant })]
      await writer.log.append(itemsOf({ ...writer.context, requestId }, accesses), clocks.now() + 5_000)
      requests.push(requestId)
      clocks.wall += number % 2 === 0 ? 2 * HOUR : -HOUR
    }
    const lanes = await writer.storedByLane()
    for (const entries of lanes.values()) expectIntact(entries)
    expect([...lanes.values()].flatMap(numbersOf).toSorted()).toEqual(upTo(6))
    for (const [at, requestId] of requests.entries())
      expect(numbersOf(await bench.history.ofRequest(writer.tenant, requestId))).toEqual([at + 1])
  })
})
