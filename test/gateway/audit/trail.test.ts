import { describe, expect, it } from 'vitest'
import type { TimedAccess } from '../../../gateway/audit/entry.ts'
import type { AuditLog } from '../../../gateway/audit/log.ts'
import type { LaneReceipt } from '../../../gateway/audit/submission.ts'
import { Trail } from '../../../gateway/audit/trail.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { AuditUnavailable } from '../../../gateway/model/failures.ts'
import { access, context, NOON } from './examples.ts'

const DEADLINE = NOON + 8_000

const receipt = (lane: number, sequence: number): LaneReceipt => ({ lane: `cHJvY2Vz.${lane}`, sequence, hash: 'ab'.repeat(32) })

/** Keeps what a trail sends; answers when it is told to. */
class SlowLog implements AuditLog {
  readonly sent: (readonly TimedAccess[])[] = []
  readonly deadlines: number[] = []
  readonly #waiting: PromiseWithResolvers<readonly LaneReceipt[]>[] = []

  append(_context: unknown, records: readonly TimedAccess[], deadline: number): Promise<readonly LaneReceipt[]> {
    const waiting = Promise.withResolvers<readonly LaneReceipt[]>()
    this.#waiting.push(waiting)
    this.sent.push(records)
    this.deadlines.push(deadline)
    return waiting.promise
  }

  commit(): Promise<LaneReceipt> {
    return Promise.reject(new AuditUnavailable())
  }

  store(index: number, receipts = [receipt(1, index + 1)]): void {
    this.#waiting[index]?.resolve(receipts)
  }

  fail(index: number): void {
    this.#waiting[index]?.reject(new AuditUnavailable())
  }
}

function trailed(): { log: SlowLog; trail: Trail } {
  const log = new SlowLog()
  return {
    log,
    trail: new Trail(log, context(), () => NOON, new Deadline(DEADLINE, { now: () => NOON, monotonic: () => 0 })),
  }
}

const note = (trail: Trail, count: number): void => {
  for (let number = 1; number <= count; number++) trail.record(access(number))
}

describe('P2: the receipt of a request', () => {
  it('P2: comes when every record is stored, not before', async () => {
    const { log, trail } = trailed()
    note(trail, 220)
    let settled = false
    const settling = trail.settle().then((given) => {
      settled = true
      return given
    })
    log.store(0)
    log.store(2)
    await new Promise(setImmediate)
    expect(settled).toBe(false)
    log.store(1)
    expect(await settling).toMatchObject({ count: 220, text: `cHJvY2Vz.1.3.${'ab'.repeat(32)}` })
    expect(log.sent.flat().map(({ recordVersion }) => recordVersion)).toEqual(Array.from({ length: 220 }, (_, index) => index + 1))
    expect(new Set(log.deadlines)).toEqual(new Set([DEADLINE]))
  })

  it.each([0, 1, 2])('P2: does not come when write %i of three fails', async (failing) => {
    const { log, trail } = trailed()
    note(trail, 220)
    const settling = trail.settle()
    for (const index of [0, 1, 2]) if (index !== failing) log.store(index)
    log.fail(failing)
    await expect(settling).rejects.toThrow(AuditUnavailable)
  })

  it('P2: does not come either when a write failed long before anybody asked', async () => {
    const { log, trail } = trailed()
    note(trail, 120)
    log.fail(0)
    await new Promise(setImmediate)
    const settling = trail.settle()
    log.store(1)
    await expect(settling).rejects.toThrow(AuditUnavailable)
  })

  it('P7: names the last record of each lane that the request used, once', async () => {
    const { log, trail } = trailed()
    note(trail, 400)
    const settling = trail.settle()
    log.store(0, [receipt(1, 99)])
    log.store(1, [receipt(3, 7), receipt(1, 198)])
    // stored first and answered last: the higher number counts
    log.store(2, [receipt(1, 150)])
    log.store(3, [receipt(2, 5)])
    log.store(4, [receipt(3, 8)])
    const hash = 'ab'.repeat(32)
    expect((await settling).text).toBe(`cHJvY2Vz.1.198.${hash} cHJvY2Vz.3.8.${hash} cHJvY2Vz.2.5.${hash}`)
  })

  it.each(['DENIED', 'ABSENT', 'UNAVAILABLE', 'ERASED'] as const)('P5: has no text where everything was %s', async (outcome) => {
    const { log, trail } = trailed()
    trail.record(access(1, { outcome }))
    const settling = trail.settle()
    log.store(0)
    expect(await settling).toMatchObject({ count: 1, text: undefined })
  })

  it('has no text where there was nothing to record', async () => {
    const { log, trail } = trailed()
    expect(await trail.settle()).toMatchObject({ count: 0, text: undefined })
    expect(log.sent).toEqual([])
  })
})

describe('what leaves when', () => {
  it('leaves when a transaction is full, while the request still works', () => {
    const { log, trail } = trailed()
    note(trail, 200)
    expect(log.sent.map(({ length }) => length)).toEqual([99, 99])
  })

  it('P2: is given what is left of the request, also when the clock was set back in the middle of it', async () => {
    const log = new SlowLog()
    const clock = { wall: NOON as number, monotonic: 5_000 }
    const trail = new Trail(
      log,
      context(),
      () => clock.wall,
      new Deadline(DEADLINE, { now: () => clock.wall, monotonic: () => clock.monotonic }),
    )
    note(trail, 99)
    clock.wall += 1_000 - 3_600_000
    clock.monotonic += 1_000
    note(trail, 99)
    expect(log.deadlines).toEqual([DEADLINE, DEADLINE - 3_600_000])
    log.store(0)
    log.store(1)
    await trail.settle()
  })

  it('P12: asks for the count of an edge at the end, and once', async () => {
    const { log, trail } = trailed()
    let count = 0
    trail.noteAtEnd(() => access(1, { count }))
    note(trail, 60)
    count = 12
    const settling = trail.settle()
    log.store(0)
    expect((await settling).count).toBe(61)
    expect(log.sent.flat().filter((record) => record.count !== undefined)).toEqual([access(1, { count: 12 })])
    expect((await trail.settle()).count).toBe(61)
  })
})
