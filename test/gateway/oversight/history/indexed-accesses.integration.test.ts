import { DeleteItemCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuditHistory } from '../../../../gateway/audit/history.ts'
import type { ItemPlace } from '../../../../gateway/audit/item-place.ts'
import { laneKey, sequenceKey } from '../../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../../gateway/audit/item-packer.ts'
import { newProcessId, newRequestId } from '../../../../gateway/audit/request-id.ts'
import { Deadline } from '../../../../gateway/model/deadline.ts'
import { StoreUnavailable } from '../../../../gateway/model/failures.ts'
import type { Instant, TenantId, UserId } from '../../../../gateway/model/ids.ts'
import { addressText } from '../../../../gateway/oversight/access-address.ts'
import type { AccessFilter } from '../../../../gateway/oversight/access-filter.ts'
import { IndexedAccesses, MAX_ITEMS } from '../../../../gateway/oversight/history/indexed-accesses.ts'
import { MAX_EXAMINED } from '../../../../gateway/oversight/history/page-in-progress.ts'
import {
  type AccessPage,
  type AccessPosition,
  comparePositions,
  positionOf,
  type RecordedAccess,
} from '../../../../gateway/oversight/recorded-access.ts'
import { CountedRounds } from '../../../harness/counted-rounds.ts'
import { HANG, PASS } from '../../../hostile/faults.ts'
import { access, itemsOf, NOON } from '../../audit/examples.ts'
import { benchNow, clientFor, LaneBench, upTo } from '../../audit/lane-bench.ts'
import { laneOfRequests, patientNumber, TENANT, type WrittenLane, writeLanes } from './written-lanes.ts'

let bench: LaneBench
let lanes: WrittenLane[]
let counted: CountedRounds
let accesses: IndexedAccesses
const deadline = (ms = 20_000): Deadline => new Deadline(Date.now() + ms, { now: Date.now, monotonic: () => performance.now() })
const [DOCTOR, BUSY, GROUPED] = ['doctor', 'busy', 'grouped'] as UserId[] as [UserId, UserId, UserId]
const SECOND = 1_000
const TIED = 200

beforeAll(async () => {
  bench = await LaneBench.start()
  // three lanes: 900 requests over 15 minutes, with the same times in the first two
  const requests = (user: UserId, offset: number) =>
    upTo(900).map((number) => ({
      time: NOON + number * SECOND + offset,
      patient: patientNumber(number % 3),
      user,
      records: 1 + (number % 5),
    }))
  // 40 items of each of five milliseconds
  const grouped = upTo(TIED).map((number) => ({
    time: NOON + Math.ceil(number / 40),
    patient: patientNumber(8),
    user: GROUPED,
    records: 1,
  }))
  const tied = upTo(TIED).map(() => ({ time: NOON, patient: patientNumber(9), user: BUSY, records: 1 }))
  lanes = [
    laneOfRequests(requests(DOCTOR, 0)),
    laneOfRequests(requests(DOCTOR, 0)),
    laneOfRequests(requests('other' as UserId, 7)),
    laneOfRequests(tied),
    laneOfRequests(grouped),
  ]
  await writeLanes(bench.direct, bench.table, lanes)
  counted = new CountedRounds(bench.direct)
  accesses = new IndexedAccesses(new AuditHistory(counted, bench.table), TENANT)
}, 120_000)
afterAll(() => bench.stop())

/** All pages of a list, and what each examined. */
async function pagesOf(filter: AccessFilter, first: number, between?: () => Promise<void>): Promise<AccessPage[]> {
  const pages: AccessPage[] = []
  let after: AccessPosition | undefined
  do {
    const page = await accesses.page(filter, { first, ...(after && { after }) }, deadline())
    pages.push(page)
    after = page.next
    if (after !== undefined) await between?.()
  } while (after !== undefined)
  return pages
}

const listed = (pages: readonly AccessPage[]): RecordedAccess[] => pages.flatMap((page) => page.accesses)
const addresses = (records: readonly RecordedAccess[]): string[] => records.map(addressText)
const isInOrder = (records: readonly RecordedAccess[]): boolean =>
  records.every((record, at) => {
    const before = records[at - 1]
    return before === undefined || comparePositions(positionOf(before), positionOf(record)) < 0
  })
/** The records of the first requests of a lane. */
const recordsOf = (requests: number): number => upTo(requests).reduce((sum, number) => sum + 1 + (number % 5), 0)

describe('C10: a page by patient, user or request', () => {
  const rounds = async (filter: AccessFilter, first = 50) =>
    await counted.of(async () => await accesses.page(filter, { first }, deadline()))

  it.each<[string, AccessFilter, number]>([
    ['by patient', { patient: patientNumber(1) }, 2],
    ['by user', { user: DOCTOR }, 2],
    ['by user in a span of time', { user: DOCTOR, from: NOON + 100_000, to: NOON + 200_000 }, 2],
    ['by patient with a filter that selects few', { patient: patientNumber(1), path: 'Patient.gender' }, 3],
    ['by patient with a filter that selects nothing', { patient: patientNumber(1), client: 'nobody' }, 3],
    ['of a patient without records', { patient: patientNumber(77) }, 1],
  ])('C10: %s takes at most three rounds of requests', async (_, filter, expected) => {
    const { result, rounds: taken, requests } = await rounds(filter)
    expect(taken).toBe(expected)
    expect(requests.filter(({ command }) => command === 'QueryCommand')).toHaveLength(8)
    expect(isInOrder(result.accesses)).toBe(true)
  })

  it.each([1, 450, 900])('C10: by request takes three rounds, for request %d of a lane', async (number) => {
    const requestId = lanes[1]?.requestIds[number - 1] ?? ''
    const { result, rounds: taken } = await rounds({ requestId })
    expect(taken).toBe(3)
    expect(addresses(result.accesses)).toEqual(upTo(1 + (number % 5)).map((index) => `${lanes[1]?.lane}/${number}/${index}`))
    expect(result).toMatchObject({ examined: 1 + (number % 5), next: undefined })
  })

  it('C10: a request of another tenant takes the same requests as an unknown one, and has no records', async () => {
    const elsewhere = new IndexedAccesses(new AuditHistory(counted, bench.table), 'elsewhere' as TenantId)
    const theirs = lanes[0]?.requestIds[5] ?? ''
    const unknown = newRequestId(newProcessId(randomBytes), NOON, randomBytes)
    const of = async (requestId: string) =>
      await counted.of(async () => await elsewhere.page({ requestId }, { first: 5 }, deadline()))
    expect(await of(theirs)).toEqual(await of(unknown))
    expect((await of(theirs)).result).toEqual({ accesses: [], examined: 0, next: undefined })
    const ofPatient = async (patient: string) =>
      await counted.of(async () => await elsewhere.page({ patient }, { first: 5 }, deadline()))
    expect(await ofPatient(patientNumber(1))).toEqual(await ofPatient(patientNumber(77)))
  })

  it('C10: a deadline ends a read that the service does not answer', async () => {
    const client = clientFor(bench.faulty.endpoint, 3)
    const slow = new IndexedAccesses(new AuditHistory(client, bench.table), TENANT)
    bench.faulty.play(() => HANG)
    const began = performance.now()
    for (const filter of [{ user: DOCTOR }, { requestId: lanes[0]?.requestIds[0] ?? '' }])
      await expect(slow.page(filter, { first: 5 }, deadline(300))).rejects.toThrow(StoreUnavailable)
    expect(performance.now() - began).toBeLessThan(3_000)
    bench.faulty.play(() => PASS)
    client.destroy()
  })

  it('C10: keys that a batch leaves unprocessed are requested again, and no record is missing', async () => {
    const client = clientFor(bench.faulty.endpoint, 3)
    let left = 3
    bench.faulty.play(({ operation, json }) =>
      operation === 'BatchGetItem' && left-- > 0
        ? { kind: 'ANSWER', reply: { status: 200, body: { Responses: {}, UnprocessedKeys: json['RequestItems'] } } }
        : PASS,
    )
    const busy = new IndexedAccesses(new AuditHistory(client, bench.table), TENANT)
    const filter = { user: DOCTOR }
    const page = await busy.page(filter, { first: 20 }, deadline())
    expect(left).toBeLessThan(0)
    bench.faulty.play(() => PASS)
    expect(page).toEqual(await accesses.page(filter, { first: 20 }, deadline()))
    client.destroy()
  })
})

describe('C10: the pages of a list', () => {
  it.each([
    [1, 12],
    [13, 100],
    [500, 900],
  ])('C10: with %d records each, have every record once and in order', async (first, seconds) => {
    const pages = await pagesOf({ user: DOCTOR, to: NOON + seconds * SECOND }, first)
    expect(isInOrder(listed(pages))).toBe(true)
    expect(listed(pages)).toHaveLength(2 * recordsOf(seconds))
    for (const page of pages.slice(0, -1)) expect(page.accesses).toHaveLength(first)
  })

  it('C10: with a filter, read a bounded number of items, and others follow an empty page', async () => {
    const pages = await pagesOf({ user: DOCTOR, reason: 'NOBODY' }, 50)
    expect(listed(pages)).toEqual([])
    expect(pages).toHaveLength(Math.ceil(1_800 / MAX_ITEMS))
    expect(pages[0]?.next).toBeDefined()
    // the second page reads the item of the cursor again
    const examined = pages.reduce((sum, page) => sum + page.examined, 0)
    expect(examined - 2 * recordsOf(900)).toBeGreaterThanOrEqual(1)
    expect(examined - 2 * recordsOf(900)).toBeLessThanOrEqual(5)
    const found = listed(await pagesOf({ user: DOCTOR, path: 'Patient.mrn' }, 50))
    expect(found).toHaveLength(2 * 180)
    expect(isInOrder(found)).toBe(true)
  })

  it('C10: have all items of one millisecond, in order, though an index returns them in none', async () => {
    const history = new AuditHistory(bench.direct, bench.table)
    const span = { index: 'user', tenant: TENANT, subject: BUSY, from: 0, to: NOON } as const
    // four items of each shard at a time, which has about 25
    const all = await history.placesBy(span, 16)
    expect(all.places.map(({ sequence }) => sequence)).toEqual(upTo(TIED))
    expect(all.isEnd).toBe(true)
    const rest = await history.placesBy({ ...span, start: { time: NOON, lane: lanes[3]?.lane ?? '', sequence: 150 } }, 16)
    expect(rest.places.map(({ sequence }) => sequence)).toEqual(upTo(TIED, 150))
    expect(addresses(listed(await pagesOf({ user: BUSY }, 50)))).toEqual(
      upTo(TIED).map((sequence) => `${lanes[3]?.lane}/${sequence}/1`),
    )
  })

  it('C10: are whole if a read of an index ends between items of one millisecond', async () => {
    const history = new AuditHistory(bench.direct, bench.table)
    const found: string[] = []
    let start: ItemPlace | undefined
    for (let isEnd = false; !isEnd; ) {
      const read = await history.placesBy({ index: 'user', tenant: TENANT, subject: GROUPED, from: 0, to: NOON + 9, start }, 24)
      found.push(...read.places.map(({ time, sequence }) => `${NOON - time} ${sequence}`))
      const last = read.places.at(-1)
      start = last && { ...last, sequence: last.sequence + 1 }
      isEnd = read.isEnd
    }
    const groups = [5, 4, 3, 2, 1].flatMap((group) => upTo(group * 40, group * 40 - 39).map((sequence) => `${-group} ${sequence}`))
    expect(found).toEqual(groups)
  })

  it('C10: read at most about 100,000 records each', async () => {
    const one = laneOfRequests(
      upTo(150).map((number) => ({ time: NOON + number, patient: patientNumber(50), user: 'reader' as UserId, records: 900 })),
    )
    await writeLanes(bench.direct, bench.table, [one])
    const pages = await pagesOf({ user: 'reader', client: 'nobody' }, 50)
    // the second page reads the item of the cursor again
    expect(pages.map(({ examined }) => examined)).toEqual([112 * 900, 39 * 900])
    expect(pages[0]?.examined).toBeGreaterThanOrEqual(MAX_EXAMINED)
  })

  it('C10: are stable while a writer appends: no repeat, and no gap among the records of the first page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 25 }),
        fc.array(fc.integer({ min: -5, max: 60 }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 7 }),
        async (before, later, first) => {
          const writer = bench.writer()
          const reader = new IndexedAccesses(bench.history, writer.tenant)
          const write = async (second: number): Promise<void> => {
            const at = (NOON + second * SECOND) as Instant
            const packer = new ItemPacker({ ...writer.context, requestId: newRequestId(writer.process, at, randomBytes) })
            for (const number of [1, 2, 3]) packer.add(access(number, { at }))
            await writer.log.append(packer.rest(), benchNow() + 5_000)
          }
          for (const second of before) await write(second)
          const all = await bench.history.entriesBy('user', writer.tenant, 'physician')
          const seen: RecordedAccess[] = []
          let after: AccessPosition | undefined
          const left = [...later]
          do {
            const page = await reader.page({ user: 'physician' }, { first, ...(after && { after }) }, deadline())
            seen.push(...page.accesses)
            after = page.next
            const next = left.shift()
            if (next !== undefined) await write(next)
          } while (after !== undefined)
          expect(isInOrder(seen)).toBe(true)
          expect(addresses(seen)).toEqual(expect.arrayContaining(addresses(all)))
        },
      ),
      { numRuns: 15, seed: 15 },
    )
  }, 120_000)

  it('C10: an item that an index names and the table lacks is an error, never left out', async () => {
    const writer = bench.writer()
    await writer.append([1, 2, 3])
    const reader = new IndexedAccesses(new AuditHistory(clientFor(bench.faulty.endpoint, 3), bench.table), writer.tenant)
    bench.faulty.play(({ operation, body }) =>
      operation === 'BatchGetItem' ? { kind: 'REWRITE', body: body.replaceAll(sequenceKey(2), sequenceKey(99)) } : PASS,
    )
    await expect(reader.page({ user: 'physician' }, { first: 5 }, deadline())).rejects.toThrow(StoreUnavailable)
    bench.faulty.play(() => PASS)
  })
})

describe('C10: a request', () => {
  it('C10: that is not finished has the items that are stored', async () => {
    const writer = bench.writer()
    const requestId = newRequestId(writer.process, benchNow(), randomBytes)
    const packer = new ItemPacker({ ...writer.context, requestId })
    // full items are sent before the end of their request
    const sent = upTo(2_000).flatMap((number) => packer.add(access(number, { at: benchNow() as Instant })) ?? [])
    expect(sent.length).toBeGreaterThan(0)
    await writer.log.append(sent, benchNow() + 5_000)
    const reader = new IndexedAccesses(bench.history, writer.tenant)
    const page = await reader.page({ requestId }, { first: 500 }, deadline())
    expect(page.accesses).toHaveLength(500)
    expect(page.next).toBeDefined()
  })

  it('C10: of an operator has the items of the following minutes, although each item with a write says that it is the last', async () => {
    const writer = bench.writer()
    const requestId = newRequestId(writer.process, NOON, randomBytes)
    const packer = new ItemPacker({ ...writer.context, requestId, user: 'os:operator', roles: [] })
    for (const minute of [0, 1, 4, 9])
      await writer.log.append(itemsOf(packer, [access(minute, { at: (NOON + minute * 60_000) as Instant })]), benchNow() + 5_000)
    const reader = new IndexedAccesses(bench.history, writer.tenant)
    const { accesses: found } = await reader.page({ requestId }, { first: 50 }, deadline())
    expect(found.map(({ recordVersion }) => recordVersion)).toEqual([9, 4, 1, 0])
  })

  it('C10: of a lane with many thousand items is found, also beside an item that was removed', async () => {
    const lane = laneOfRequests(
      upTo(9_000).map((number) => ({ time: NOON + number * 200, patient: patientNumber(5), user: 'bulk' as UserId, records: 1 })),
    )
    await writeLanes(bench.direct, bench.table, [lane])
    for (const sequence of [8_001, 8_999])
      await bench.direct.send(
        new DeleteItemCommand({
          TableName: bench.table,
          Key: { l: { S: laneKey(TENANT, lane.lane) }, n: { S: sequenceKey(sequence) } },
        }),
      )
    for (const [number, most] of [
      [3, 3],
      [4_000, 3],
      [8_000, 4],
      [8_002, 4],
      [9_000, 4],
    ] as const) {
      const requestId = lane.requestIds[number - 1] ?? ''
      const { result, rounds } = await counted.of(async () => await accesses.page({ requestId }, { first: 5 }, deadline()))
      expect(addresses(result.accesses)).toEqual([`${lane.lane}/${number}/1`])
      expect(rounds).toBeLessThanOrEqual(most)
    }
  }, 120_000)
})
