import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import { Trail } from '../../../gateway/audit/trail.ts'
import { Deadline } from '../../../gateway/model/deadline.ts'
import { AuditUnavailable } from '../../../gateway/model/failures.ts'
import { access, itemsOf } from './examples.ts'
import { CUT, type Fault, HANG, PASS, refuse } from '../../hostile/faults.ts'
import { aMoment, benchNow, expectIntact, LaneBench, laneOf, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})
beforeEach(() => bench.faulty.play(() => PASS))

const ROOTS = ['Query.patients'] as SchemaPath[]
const SLOW: Fault = { kind: 'DELAY', milliseconds: 400 }

/** Appends that do not share a transaction: each finds the earlier ones under way. */
async function oneByOne(writer: Writer, numbers: readonly number[], withinMs?: number): Promise<Promise<unknown>[]> {
  const appends: Promise<unknown>[] = []
  for (const number of numbers) {
    const append = writer.append([number], withinMs)
    append.catch(() => undefined)
    appends.push(append)
    await aMoment()
  }
  return appends
}

/** The stored numbers of the tenant. Asserts that each lane is intact. */
async function storedNumbers(writer: Writer): Promise<number[]> {
  const lanes = [...(await writer.storedByLane()).values()]
  for (const entries of lanes) expectIntact(entries)
  return lanes
    .flatMap(numbersOf)
    .map(Number)
    .toSorted((a, b) => a - b)
}

const inTime = (milliseconds: number) =>
  new Deadline(benchNow() + milliseconds, { now: benchNow, monotonic: () => performance.now() })

describe('P7: the number of lanes', () => {
  it('P7: is one while requests come one after the other', async () => {
    const writer = bench.writer()
    for (const number of upTo(8)) await writer.append([number])
    expect(await writer.lanes()).toEqual([`${writer.process}.1`])
  })

  it.each([4, 2, 1])('P7: is up to %i for concurrent requests; the next transaction takes all waiting requests', async (lanes) => {
    const writer = bench.writer(lanes === 4 ? {} : { lanes })
    writer.meets([], SLOW)
    await Promise.all(await oneByOne(writer, upTo(10)))
    // by token, because an engine may refuse a transaction, which is then sent again
    const sent = new Map(writer.sent().map(({ ClientRequestToken, TransactItems }) => [ClientRequestToken, TransactItems.length]))
    expect([...sent.values()]).toEqual([
      ...upTo(lanes).map(() => 2),
      // one transaction with the rest, in the lane that was free first
      10 - lanes,
    ])
    expect(await writer.lanes()).toEqual(upTo(lanes).map((lane) => `${writer.process}.${lane}`))
    expect(await storedNumbers(writer)).toEqual(upTo(10))
  })

  it('P7: is counted for each tenant', async () => {
    const writer = bench.writer({ lanes: 1 })
    const elsewhere = bench.tenant()
    writer.meets([], HANG)
    const stuck = writer.append([1], 300)
    stuck.catch(() => undefined)
    await aMoment()
    await writer.log.append(itemsOf({ ...writer.context, tenant: elsewhere }, [access(2)]), benchNow() + 5_000)
    await expect(stuck).rejects.toThrow(AuditUnavailable)
  })
})

describe('P2: a lane in trouble delays no other', () => {
  it('P2: a throttled lane delays only its own transaction, and is the last choice afterwards', async () => {
    const writer = bench.writer()
    await writer.append([0])
    const first = `${writer.process}.1`
    let throttled = true
    let refusals = 0
    bench.faulty.play(({ body }) => {
      if (!throttled || !body.includes(`#${first}"`)) return PASS
      refusals++
      return refuse('ThrottlingException')
    })
    const held = writer.append([1], 60_000)
    await expect.poll(() => refusals).toBeGreaterThan(0)
    for (const number of upTo(20, 2)) await writer.append([number])
    // The lane is the last choice among the existing lanes. Check again now that another lane exists.
    const before = refusals
    await expect.poll(() => refusals, { timeout: 10_000 }).toBeGreaterThan(before)
    throttled = false
    await held
    expect((await writer.append([21])).lane).not.toBe(first)
    expect(await writer.lanes()).toHaveLength(2)
    expect(await storedNumbers(writer)).toEqual(upTo(21, 0))
    expect(writer.events).toEqual([])
  })

  it('P2: a hanging lane delays no other request', async () => {
    const writer = bench.writer()
    writer.meets([HANG])
    const stuck = writer.append([1], 60_000)
    await aMoment()
    for (const number of upTo(20, 2)) await writer.append([number])
    expect(numbersOf(await writer.stored(1))).toEqual([])
    await stuck
    expect(await storedNumbers(writer)).toEqual(upTo(20))
  })
})

describe('P2: many requests wait while the table is unreachable', () => {
  it('P2: each is rejected by its deadline, a request that waited past it is not sent, and the lanes recover', async () => {
    const writer = bench.writer()
    writer.meets([], HANG)
    const inFlight = await oneByOne(writer, upTo(4), 400)
    const waiting = await oneByOne(writer, upTo(60, 5), 400)
    for (const { status } of await Promise.allSettled([...inFlight, ...waiting])) expect(status).toBe('rejected')
    // the lanes themselves have no answer yet
    expect(writer.events).toEqual([])
    expect(writer.sent()).toHaveLength(4)
    await expect.poll(() => writer.events.filter(({ event }) => event === 'AUDIT_LANE_RETIRED').length, { timeout: 5_000 }).toBe(4)
    writer.meets([])
    // the lingering transactions arrive, the waiting requests do not
    await expect.poll(async () => [...(await writer.storedByLane()).values()].flatMap(numbersOf).length, { timeout: 5_000 }).toBe(4)
    for (const number of upTo(74, 71)) await writer.append([number])
    expect(await storedNumbers(writer)).toEqual([...upTo(4), ...upTo(74, 71)])
    // requests come one after the other, and still each retirement is declared at once
    const told = [...(await writer.storedByLane()).values()].map(([first]) => first?.succeeds).filter((text) => text !== undefined)
    expect(told.toSorted()).toEqual(upTo(4).map((lane) => `${writer.process}.${lane}/0`))
  })

  it('P7: a successor is the first choice, also beside free lanes', async () => {
    const writer = bench.writer()
    writer.meets([], SLOW)
    await Promise.all(await oneByOne(writer, upTo(3)))
    writer.meets([CUT, refuse('AccessDeniedException')])
    await expect(writer.append([4])).rejects.toThrow(AuditUnavailable)
    const receipt = await writer.append([5])
    expect((await writer.stored(receipt.lane))[0]?.succeeds).toBe(`${writer.process}.1/1`)
    expect(await writer.lanes()).toHaveLength(4)
    expect(await storedNumbers(writer)).toEqual([1, 2, 3, 5])
  })
})

describe('P2: one request with many patients', () => {
  const trailOf = (writer: Writer): Trail =>
    new Trail({
      log: writer.log,
      context: writer.context,
      now: benchNow,
      deadline: inTime(20_000),
      roots: ROOTS,
      leftOut: 'NEVER',
      origins: new Map(),
    })
  /** 8 values of each patient, in the order in which a server resolves a list. */
  const read = (trail: Trail, patients: number): void => {
    for (const field of upTo(8))
      for (const number of upTo(patients))
        trail.record(access(number, { patient: `patient-${number}`, path: `Patient.field${field}` as SchemaPath }))
  }

  it('P2: 500 patients need at most two transactions in each lane, and the receipt proves every item', async () => {
    const writer = bench.writer()
    writer.meets([])
    const trail = trailOf(writer)
    read(trail, 500)
    const { text, count } = await trail.settle()
    expect(count).toBe(4_000)
    const sent = new Map(writer.sent().map((transaction) => [transaction.ClientRequestToken, transaction]))
    const rounds = Map.groupBy(sent.values(), laneOf)
    expect(rounds.size).toBe(4)
    // if a lane had to send again meanwhile, another lane takes its share
    const again = writer.sent().length - sent.size
    expect(Math.max(...[...rounds.values()].map(({ length }) => length))).toBeLessThanOrEqual(2 + again)
    const lanes = await writer.storedByLane()
    for (const entries of lanes.values()) expectIntact(entries)
    const records = [...lanes].toSorted(([one], [other]) => (one < other ? -1 : 1)).flatMap(([, entries]) => entries)
    expect(Map.groupBy(records, ({ patient, path }) => `${patient} ${path}`).size).toBe(4_000)
    const items = records.filter(({ index }) => index === 1)
    expect(items.map(({ part }) => part).toSorted((a, b) => a - b)).toEqual(upTo(500))
    expect(items.flatMap(({ parts }) => parts ?? [])).toEqual([500])
    const parts = items.map(({ hash }) => Buffer.from(hash, 'hex'))
    const proof = Buffer.concat([Buffer.from(`phi-gateway/receipt/v1\n${writer.context.requestId}\n`), ...parts])
    expect(text).toBe(createHash('sha256').update(proof).digest('base64url'))
  })

  it('P2: 99 patients leave together, in one transaction of one lane', async () => {
    const writer = bench.writer()
    writer.meets([])
    const trail = trailOf(writer)
    read(trail, 99)
    await trail.settle()
    expect(writer.sent()).toHaveLength(1)
    expect(await writer.lanes()).toHaveLength(1)
  })
})
