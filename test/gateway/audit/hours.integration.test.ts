import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyLanes } from '../../../gateway/audit/verify/lanes.ts'
import type { Instant, RequestId } from '../../../gateway/model/ids.ts'
import { AuditUnavailable } from '../../../gateway/model/failures.ts'
import { CUT, DROP_ANSWER, type Fault, PASS, refuse } from '../../hostile/faults.ts'
import { seeded } from '../../hostile/seeded.ts'
import { access, itemsOf } from './examples.ts'
import { Jumping } from './jumping-clocks.ts'
import { aMoment, expectIntact, LaneBench, laneOf, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})
beforeEach(() => bench.faulty.play(() => PASS))

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const at = (text: string): number => Date.parse(`2026-11-28T${text}Z`)
const hour = (text: string): string => `2026-11-28T${text}`

/** A process and its requests. */
class Served {
  readonly clocks: Jumping
  readonly writer: Writer
  /** The request id of each number. */
  readonly requests = new Map<number, string>()

  constructor(start: string, options: { lanes?: number } = {}) {
    this.clocks = new Jumping(at(start))
    this.writer = bench.writer({ now: this.clocks.now, monotonic: this.clocks.monotonic, ...options })
  }

  /** A new request, or a part of an earlier one. */
  async serve(number: number, { requestId = this.request(), withinMs = 5_000 } = {}): Promise<void> {
    const accesses = [access(number, { at: this.clocks.now() as Instant })]
    this.requests.set(number, requestId)
    await this.writer.log.append(itemsOf({ ...this.writer.context, requestId }, accesses), this.clocks.now() + withinMs)
  }

  request(): RequestId {
    return newRequestId(this.writer.process, this.clocks.now(), randomBytes)
  }

  /** Asserts that each number is stored once in an intact lane and found by its request id, and that an export has no finding. */
  async expectFound(numbers: readonly number[]): Promise<Map<string, AuditEntry[]>> {
    const lanes = await this.writer.storedByLane()
    for (const entries of lanes.values()) expectIntact(entries)
    const stored = [...lanes.values()].flatMap(numbersOf).map(Number)
    expect(stored.toSorted((a, b) => a - b)).toEqual(numbers)
    for (const [requestId, group] of Map.groupBy(numbers, (number) => this.requests.get(number) ?? '')) {
      const found = numbersOf(await bench.history.ofRequest(this.writer.tenant, requestId)).map(Number)
      expect(found.toSorted((a, b) => a - b)).toEqual(group)
    }
    const { tenant } = this.writer
    const registered = Object.entries(await this.writer.hours()).flatMap(([name, ofHour]) =>
      ofHour.map((lane) => ({ tenant, lane, hour: name })),
    )
    const lines = [...lanes.values()].flat().map((entry) => JSON.stringify(entry))
    expect(verifyLanes(parseExport(lines.join('\n')).items, registered).findings).toEqual([])
    return lanes
  }

  lane(number: number): string {
    return `${this.writer.process}.${number}`
  }
}

describe('P7: a lane ends with its hour', () => {
  it('P7: a request from 17:59:58 to 18:00:04 has items in both hours, and its id finds all of them', async () => {
    const served = new Served('17:59:58')
    const requestId = served.request()
    await served.serve(1, { requestId })
    served.clocks.freeze(6 * SECOND)
    await served.serve(2, { requestId })
    expect(await served.writer.hours()).toEqual({ [hour('17')]: [served.lane(1)], [hour('18')]: [served.lane(2)] })
    const lanes = await served.expectFound([1, 2])
    expect(lanes.get(served.lane(2))?.[0]?.succeeds).toBe(`${served.lane(1)}/1`)
  })

  it('P7: if the hour ends while items are encoded, the items go to a lane of the next hour and no request is refused', async () => {
    const served = new Served('17:59:59')
    const [draft] = itemsOf(served.writer.context, [access(1)])
    if (draft === undefined) throw new Error('no item')
    const encode = draft.encode.bind(draft)
    let times = 0
    draft.encode = (position) => {
      if (times++ === 0) served.clocks.freeze(2 * SECOND)
      return encode(position)
    }
    const [receipt] = await served.writer.log.append([draft], served.clocks.now() + 5_000)
    expect(receipt).toMatchObject({ lane: served.lane(2), sequence: 1 })
    expect(await served.writer.hours()).toEqual({ [hour('18')]: [served.lane(2)] })
    expect(served.writer.events).toEqual([])
    expectIntact(await served.writer.stored(2))
  })

  it('P7: a busy lane ends with its transaction and delays no request of the next hour', async () => {
    const served = new Served('17:59:59')
    served.writer.meets([{ kind: 'DELAY', milliseconds: 400 }])
    const slow = served.serve(1)
    await aMoment()
    served.clocks.freeze(2 * SECOND)
    await served.serve(2)
    await slow
    await served.serve(3)
    expect(await served.writer.hours()).toEqual({ [hour('17')]: [served.lane(1)], [hour('18')]: [served.lane(2)] })
    await served.expectFound([1, 2, 3])
  })
})

describe('P7: the successors of lanes', () => {
  it('P7: four lanes, then one, then four in three hours: each retired end has one successor, the last ends have none', async () => {
    const served = new Served('12:10:00')
    const beside = async (numbers: readonly number[]): Promise<void> => {
      served.writer.meets([], { kind: 'DELAY', milliseconds: 100 })
      const serving: Promise<void>[] = []
      for (const number of numbers) {
        serving.push(served.serve(number))
        await aMoment()
      }
      await Promise.all(serving)
      served.writer.meets([])
    }
    await beside(upTo(4))
    served.clocks.freeze(HOUR)
    await served.serve(5)
    served.clocks.freeze(HOUR)
    await beside(upTo(9, 6))
    expect(await served.writer.hours()).toEqual({
      [hour('12')]: upTo(4).map((lane) => served.lane(lane)),
      [hour('13')]: [served.lane(5)],
      [hour('14')]: upTo(9, 6).map((lane) => served.lane(lane)),
    })
    const lanes = await served.expectFound(upTo(9))
    const succeeds = (lane: number): string | undefined => lanes.get(served.lane(lane))?.[0]?.succeeds
    expect(upTo(4).map(succeeds)).toEqual([undefined, undefined, undefined, undefined])
    expect(succeeds(5)).toBe(`${served.lane(1)}/1`)
    expect(upTo(9, 6).map(succeeds)).toEqual([2, 3, 4, 5].map((lane) => `${served.lane(lane)}/1`))
    expect(served.writer.events).toEqual([])
  })

  it('P7: if a successor stored nothing within the hour, the first lane of the next hour names the retired lane', async () => {
    const served = new Served('12:10:00')
    served.writer.meets([{ kind: 'DELAY', milliseconds: 100 }])
    const beside = served.serve(1)
    await aMoment()
    await served.serve(2)
    await beside
    // the second of two lanes retires
    served.writer.meets([{ kind: 'DELAY', milliseconds: 100 }, CUT, refuse('AccessDeniedException')])
    const first = served.serve(3)
    await aMoment()
    await expect(served.serve(4)).rejects.toThrow(AuditUnavailable)
    await first
    served.clocks.freeze(HOUR)
    await served.serve(5)
    const [next = ''] = (await served.writer.hours())[hour('13')] ?? []
    const lanes = await served.expectFound([1, 2, 3, 5])
    expect(served.writer.events).toContainEqual(expect.objectContaining({ event: 'AUDIT_LANE_RETIRED', lane: served.lane(2) }))
    expect(lanes.get(next)?.[0]?.succeeds).toBe(`${served.lane(2)}/1`)
  })
})

describe.each([1, 3])('P7: a process that freezes for %i h and continues', (hours) => {
  const frozen = hours * HOUR
  const thawed = hour(String(12 + hours))

  it('P7: between check and network: the late item is in its lane, and a successor continues the lane', async () => {
    const served = new Served('12:30:00')
    await served.serve(1)
    bench.faulty.play(({ body }) => {
      if (body.includes(`#${served.lane(1)}"`)) served.clocks.freeze(frozen)
      return PASS
    })
    await served.serve(2).catch(() => undefined)
    bench.faulty.play(() => PASS)
    await served.serve(3)
    expect(await served.writer.hours()).toEqual({ [hour('12')]: [served.lane(1)], [thawed]: [served.lane(2)] })
    const lanes = await served.expectFound([1, 2, 3])
    expect(lanes.get(served.lane(2))?.[0]?.succeeds).toMatch(new RegExp(`^${served.lane(1)}/[12]$`, 'u'))
  })

  it.each<[string, Fault, number[]]>([
    ['after an attempt without an answer', CUT, [1, 3]],
    ['after an attempt whose answer was lost', DROP_ANSWER, [1, 2, 3]],
    ['after a throttled attempt', refuse('ThrottlingException'), [1, 3]],
  ])('P7: in a backoff %s: nothing is sent again', async (_, fault, stored) => {
    const served = new Served('12:30:00')
    await served.serve(1)
    let sends = 0
    bench.faulty.play(({ body }) => {
      if (!body.includes(`#${served.lane(1)}"`)) return PASS
      if (sends++ === 0) setTimeout(() => served.clocks.freeze(frozen), 8)
      return fault
    })
    await expect(served.serve(2)).rejects.toThrow(AuditUnavailable)
    await served.serve(3)
    expect(sends).toBe(1)
    expect(await served.writer.hours()).toEqual({ [hour('12')]: [served.lane(1)], [thawed]: expect.any(Array) as string[] })
    const lanes = await served.expectFound(stored)
    expect([...lanes.values()].map(([first]) => first?.succeeds)).toEqual([undefined, `${served.lane(1)}/1`])
  })

  it('P7: while a lane lingers: nothing is sent again', async () => {
    const served = new Served('12:30:00')
    await served.serve(1)
    served.writer.meets([], CUT)
    await expect(served.serve(2, { withinMs: 100 })).rejects.toThrow(AuditUnavailable)
    await expect.poll(() => served.writer.events.map(({ event }) => event)).toContain('AUDIT_LANE_RETIRED')
    // the next send has happened, so the lane waits again
    const sends = served.writer.sent().length
    await expect.poll(() => served.writer.sent().length).toBeGreaterThan(sends)
    served.clocks.freeze(frozen)
    served.writer.meets([])
    await served.serve(3)
    await new Promise((resolve) => setTimeout(resolve, 450))
    expect(served.writer.sent().map(laneOf)).not.toContain(served.lane(1))
    await served.expectFound([1, 3])
  })
})

describe('P7: a wall clock that is 5 minutes off', () => {
  it('P7: set back over the end of an hour: no transaction begins in the past hour', async () => {
    const served = new Served('18:03:00')
    const requestId = served.request()
    await served.serve(1, { requestId })
    served.clocks.wall -= 5 * MINUTE
    await served.serve(2, { requestId })
    await served.serve(3)
    // a second lane, beside the open one
    served.writer.meets([{ kind: 'DELAY', milliseconds: 100 }])
    const slow = served.serve(4)
    await aMoment()
    await served.serve(5)
    await slow
    expect(await served.writer.hours()).toEqual({ [hour('18')]: [served.lane(1), served.lane(2)] })
    await served.expectFound(upTo(5))
  })

  it('P7: set forward over the end of an hour and back: request ids find all records', async () => {
    const served = new Served('17:58:00')
    const requestId = served.request()
    await served.serve(1, { requestId })
    served.clocks.wall += 5 * MINUTE
    await served.serve(2, { requestId })
    await served.serve(3)
    served.clocks.wall -= 5 * MINUTE
    await served.serve(4)
    await served.serve(5, { requestId })
    expect(await served.writer.hours()).toEqual({ [hour('17')]: [served.lane(1)], [hour('18')]: [served.lane(2)] })
    await served.expectFound(upTo(5))
  })

  it('P7: set back much further within the hour: the process continues in another lane, with times in order', async () => {
    const served = new Served('12:50:00')
    for (const number of upTo(3)) await served.serve(number)
    served.clocks.wall -= 45 * MINUTE
    for (const number of upTo(11, 4)) await served.serve(number)
    expect(await served.writer.hours()).toEqual({ [hour('12')]: [served.lane(1), served.lane(2)] })
    await served.expectFound(upTo(11))
  })

  it('P7: beside another process: each finds its records, in lanes of its own hour', async () => {
    const [early, late] = [new Served('17:56:00'), new Served('18:01:00')]
    await Promise.all([early.serve(1), late.serve(2)])
    expect(await early.writer.hours()).toEqual({ [hour('17')]: [early.lane(1)] })
    expect(await late.writer.hours()).toEqual({ [hour('18')]: [late.lane(1)] })
    await early.expectFound([1])
    await late.expectFound([2])
  })
})

it('P7: under any clock and network faults, no transaction begins in a past hour, and every record is found', async () => {
  const random = seeded(20_261_128, 'hours')
  const served = new Served('12:50:00')
  const { clocks, writer } = served
  const tokens = new Map<string, { lane: string; wall: number }>()
  bench.faulty.play(({ operation, body, json }) => {
    if (operation !== 'TransactWriteItems' || !body.includes(`#${writer.process}.`)) return PASS
    const [, lane = ''] = /"l":\{"S":"[^"]*#([\w-]+\.\d+)"/.exec(body) ?? []
    const token = String(json['ClientRequestToken'])
    if (!tokens.has(token)) tokens.set(token, { lane, wall: clocks.now() })
    const chance = random()
    return chance < 0.15 ? DROP_ANSWER : chance < 0.25 ? CUT : chance < 0.3 ? refuse('ThrottlingException') : PASS
  })
  const durable: number[] = []
  for (const number of upTo(50)) {
    await served.serve(number)
    durable.push(number)
    const chance = random()
    if (chance < 0.15) clocks.freeze(HOUR * random() * 3)
    else if (chance < 0.25) clocks.wall += 20 * MINUTE * random()
    else if (chance < 0.35) clocks.wall -= 5 * MINUTE * random()
    else clocks.freeze(MINUTE)
  }
  const hourOfLane = new Map(Object.entries(await writer.hours()).flatMap(([name, lanes]) => lanes.map((lane) => [lane, name])))
  expect(new Set(hourOfLane.values()).size).toBeGreaterThan(5)
  expect(tokens.size).toBe(50)
  for (const { lane, wall } of tokens.values()) {
    expect(Date.parse(`${hourOfLane.get(lane)}:59:59.999Z`)).toBeGreaterThanOrEqual(wall)
  }
  await served.expectFound(durable)
})
