import { DeleteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { entriesOf, laneKey, sequenceKey } from '../../../gateway/audit/item.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { receiptText } from '../../../gateway/audit/receipt.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { type Export, parseExport } from '../../../gateway/audit/verify/export.ts'
import { verifyLanes, type LanesReport } from '../../../gateway/audit/verify/lanes.ts'
import { isWholeRequest, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { CUT, DROP_ANSWER, PASS, refuse } from '../../hostile/faults.ts'
import { access, context, NOON } from './examples.ts'
import { Jumping } from './jumping-clocks.ts'
import { benchNow, LaneBench, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
let writer: Writer
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})

/** An export of all items of a tenant, with the registry of its lanes. */
async function exportOf(one: Writer): Promise<Export & { registered: Parameters<typeof verifyLanes>[1] }> {
  const { tenant } = one
  const lanes = Object.entries(await one.hours()).flatMap(([hour, names]) => names.map((lane) => ({ tenant, lane, hour })))
  const items = await Promise.all(lanes.map(({ lane }) => bench.items(laneKey(tenant, lane))))
  const lines = items
    .flat()
    .flatMap(entriesOf)
    .map((entry) => JSON.stringify(entry))
  return { ...parseExport(lines.join('\n')), registered: lanes }
}
async function verified(one = writer): Promise<LanesReport> {
  const { items, malformed, registered } = await exportOf(one)
  expect(malformed).toEqual([])
  return verifyLanes(items, registered)
}

/**
 * Three lanes. The first lane retired with an item beyond the end that its successor names. No item of the second lane was
 * acknowledged.
 */
beforeEach(async () => {
  bench.faulty.play(() => PASS)
  writer = bench.writer()
  await writer.append(upTo(5))
  const refused = refuse('AccessDeniedException')
  writer.meets([DROP_ANSWER, refused, DROP_ANSWER, refused])
  for (const number of [6, 7]) await expect(writer.append([number])).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
  await writer.append(upTo(10, 8))
  writer.meets([CUT])
  await writer.append([11])
})

const key = (lane: number, sequence: number) => ({
  l: { S: laneKey(writer.tenant, `${writer.process}.${lane}`) },
  n: { S: sequenceKey(sequence) },
})
const remove = (lane: number, sequence: number) =>
  bench.direct.send(new DeleteItemCommand({ TableName: bench.table, Key: key(lane, sequence) }))

it('P7: lanes with lost answers and retirements verify as an unaltered log', async () => {
  const { findings, lanes, count } = await verified()
  expect(findings).toEqual([])
  expect(count).toBe(11)
  expect(lanes.map(({ count: held, fate }) => [held, fate])).toEqual([
    [6, 'SUCCEEDED'],
    [1, 'OPEN'],
    [4, 'OPEN'],
  ])
})

it('P7: finds an item that was altered in the table', async () => {
  const text = (await bench.items(laneKey(writer.tenant, `${writer.process}.1`)))[2]?.['e']?.S ?? ''
  await bench.direct.send(
    new UpdateItemCommand({
      TableName: bench.table,
      Key: key(1, 3),
      UpdateExpression: 'SET e = :other',
      ExpressionAttributeValues: { ':other': { S: text.replace('"u":"physician"', '"u":"nurse"') } },
    }),
  )
  const { findings } = await verified()
  expect(findings).toMatchObject([{ kind: 'ALTERED', lane: `${writer.process}.1`, sequence: 3 }])
})

it('P7: finds deleted items: from the middle, from the end of a retired lane, and a whole lane', async () => {
  await remove(3, 2)
  await remove(1, 6)
  // the retired lane may or may not hold the unacknowledged item
  expect((await verified()).findings).toMatchObject([{ kind: 'GAP', lane: `${writer.process}.3`, sequence: 3, after: 1 }])
  await remove(1, 5)
  await remove(2, 1)
  expect((await verified()).findings).toMatchObject([
    { kind: 'GAP', lane: `${writer.process}.3` },
    { kind: 'CUT_SHORT', lane: `${writer.process}.1`, held: 4, declared: 5 },
    { kind: 'LANE_MISSING', lane: `${writer.process}.2` },
  ])
})

describe('P7: hours', () => {
  const HOUR_MS = 3_600_000

  it('P7: the lanes of several hours verify as an unaltered log; the last lanes have no successor', async () => {
    const clocks = new Jumping(NOON)
    const one = bench.writer({ now: clocks.now, monotonic: clocks.monotonic })
    const append = async (numbers: readonly number[]) => await one.append(numbers, 5_000, { at: clocks.now() as Instant })
    await append(upTo(3))
    clocks.freeze(HOUR_MS)
    await append(upTo(5, 4))
    clocks.freeze(3 * HOUR_MS)
    await append([6])
    const { findings, lanes } = await verified(one)
    expect(findings).toEqual([])
    expect(lanes.map(({ count, fate }) => [count, fate])).toEqual([
      [3, 'SUCCEEDED'],
      [2, 'SUCCEEDED'],
      [1, 'OPEN'],
    ])
    expect(Object.keys(await one.hours())).toEqual(['2026-03-01T12', '2026-03-01T13', '2026-03-01T16'])
  })

  it('P7: finds a registration that was moved to another hour', async () => {
    const { items, registered = [] } = await exportOf(writer)
    const moved = registered.map((line, at) => (at === 0 ? { ...line, hour: '2026-03-01T09' } : line))
    expect(verifyLanes(items, moved).findings).toMatchObject([{ kind: 'WRONG_HOUR', lane: `${writer.process}.1` }])
    expect(verifyLanes(items, registered.slice(1)).findings).toMatchObject([{ kind: 'UNREGISTERED', lane: `${writer.process}.1` }])
  })
})

it('P7: the receipt of a request with items in several transactions fails if any item is missing', async () => {
  const request = context({ tenant: writer.tenant, requestId: newRequestId(writer.process, benchNow(), randomBytes) })
  const packer = new ItemPacker(request)
  for (const number of upTo(150)) packer.add(access(number, { patient: `patient-${number}` }))
  const stored = await writer.log.append(packer.rest(), benchNow() + 5_000)
  const receipt = receiptText(request.requestId, stored)
  const { items } = await exportOf(writer)
  expect(items.filter(({ requestId }) => requestId === request.requestId)).toHaveLength(150)
  expect(verifyReceipt(items, request.requestId, receipt)).toBe(true)
  expect(isWholeRequest(items, request.requestId)).toBe(true)
  // a sample from both transactions, because each check recomputes all hashes
  for (const item of items.filter((_, at) => at % 20 === 0)) {
    const others = items.filter((one) => one !== item)
    const isOurs = item.requestId === request.requestId
    expect(verifyReceipt(others, request.requestId, receipt)).toBe(!isOurs)
    expect(isWholeRequest(others, request.requestId)).toBe(!isOurs)
  }
})
