import { describe, expect, it } from 'vitest'
import type { TimedAccess } from '../../../audit/entry.ts'
import type { LaneReceipt } from '../../../audit/lane.ts'
import type { AuditLog } from '../../../audit/log.ts'
import { Trail } from '../../../audit/trail.ts'
import { AuditUnavailable } from '../../../vocabulary/failures.ts'
import { access, context, NOON } from './examples.ts'

const DEADLINE = NOON + 8_000

/** Keeps what a trail sends; answers when it is told to. */
class SlowLog implements AuditLog {
  readonly sent: (readonly TimedAccess[])[] = []
  readonly deadlines: number[] = []
  readonly #waiting: PromiseWithResolvers<LaneReceipt>[] = []

  append(_context: unknown, records: readonly TimedAccess[], deadline: number): Promise<LaneReceipt> {
    const waiting = Promise.withResolvers<LaneReceipt>()
    this.#waiting.push(waiting)
    this.sent.push(records)
    this.deadlines.push(deadline)
    return waiting.promise
  }

  commit(): Promise<LaneReceipt> {
    return Promise.reject(new AuditUnavailable())
  }

  store(index: number): void {
    this.#waiting[index]?.resolve({ lane: 'cHJvY2Vz.1', sequence: index + 1, hash: 'ab'.repeat(32) })
  }

  fail(index: number): void {
    this.#waiting[index]?.reject(new AuditUnavailable())
  }
}

function trailed(): { log: SlowLog; trail: Trail } {
  const log = new SlowLog()
  return { log, trail: new Trail(log, context(), () => NOON, DEADLINE) }
}

const note = (trail: Trail, count: number): void => {
  for (let number = 1; number <= count; number++) trail.note(access(number))
}

describe('P2: the receipt of a request', () => {
  it('P2: comes when every record is stored, not before', async () => {
    const { log, trail } = trailed()
    note(trail, 120)
    let settled = false
    const receipt = trail.settle().then((given) => {
      settled = true
      return given
    })
    log.store(0)
    log.store(2)
    await new Promise(setImmediate)
    expect(settled).toBe(false)
    log.store(1)
    expect(await receipt).toMatchObject({ count: 120, text: `cHJvY2Vz.1.000000000003.${'ab'.repeat(32)}` })
    expect(log.sent.flat().map(({ recordVersion }) => recordVersion)).toEqual(Array.from({ length: 120 }, (_, index) => index + 1))
    expect(new Set(log.deadlines)).toEqual(new Set([DEADLINE]))
  })

  it.each([0, 1, 2])('P2: does not come when write %i of three fails', async (failing) => {
    const { log, trail } = trailed()
    note(trail, 120)
    const receipt = trail.settle()
    for (const index of [0, 1, 2]) if (index !== failing) log.store(index)
    log.fail(failing)
    await expect(receipt).rejects.toThrow(AuditUnavailable)
  })

  it('P2: does not come either when a write failed long before anybody asked', async () => {
    const { log, trail } = trailed()
    note(trail, 60)
    log.fail(0)
    await new Promise(setImmediate)
    const receipt = trail.settle()
    log.store(1)
    await expect(receipt).rejects.toThrow(AuditUnavailable)
  })

  it('has no text where there was nothing to record', async () => {
    const { log, trail } = trailed()
    expect(await trail.settle()).toMatchObject({ count: 0, text: undefined })
    expect(log.sent).toEqual([])
  })
})

describe('what leaves when', () => {
  it('leaves in batches of which two fit one transaction, while the request still works', () => {
    const { log, trail } = trailed()
    note(trail, 100)
    expect(log.sent.map(({ length }) => length)).toEqual([49, 49])
  })

  it('P12: asks for the count of an edge at the end, and once', async () => {
    const { log, trail } = trailed()
    let count = 0
    trail.noteAtEnd(() => access(1, { count }))
    note(trail, 60)
    count = 12
    const receipt = trail.settle()
    log.store(0)
    log.store(1)
    expect((await receipt).count).toBe(61)
    expect(log.sent.flat().filter((record) => record.count !== undefined)).toEqual([access(1, { count: 12 })])
    expect((await trail.settle()).count).toBe(61)
  })
})
