import { DeleteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { fromItem, laneKey, sequenceKey } from '../../../gateway/audit/item.ts'
import { verifyLanes, type LanesReport } from '../../../gateway/audit/verify/lanes.ts'
import { CUT, DROP_ANSWER, PASS, refuse } from '../../hostile/faults.ts'
import { LaneBench, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
let writer: Writer
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})

/** Three lanes: the first retired with a record more than its successor says, the second with none of its own acknowledged. */
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

async function verified(): Promise<LanesReport & { entries: AuditEntry[] }> {
  const names = await writer.lanes()
  const items = await Promise.all(names.map((name) => bench.items(laneKey(writer.tenant, name))))
  const entries = items.flat().map(fromItem)
  return { ...verifyLanes(entries, new Map([[writer.tenant, names]])), entries }
}
const key = (lane: number, sequence: number) => ({
  l: { S: laneKey(writer.tenant, `${writer.process}.${lane}`) },
  n: { S: sequenceKey(sequence) },
})
const remove = (lane: number, sequence: number) =>
  bench.direct.send(new DeleteItemCommand({ TableName: bench.table, Key: key(lane, sequence) }))

it('P7: what lanes leave behind after lost answers and retirements is an unaltered log', async () => {
  const { findings, lanes, count } = await verified()
  expect(findings).toEqual([])
  expect(count).toBe(11)
  expect(lanes.map(({ count: held, fate }) => [held, fate])).toEqual([
    [6, 'SUCCEEDED'],
    [1, 'OPEN'],
    [4, 'OPEN'],
  ])
})

it('P7: an item that is altered in the table is found', async () => {
  await bench.direct.send(
    new UpdateItemCommand({
      TableName: bench.table,
      Key: key(1, 3),
      UpdateExpression: 'SET o = :denied',
      ExpressionAttributeValues: { ':denied': { S: 'DENIED' } },
    }),
  )
  const { findings } = await verified()
  expect(findings).toMatchObject([{ kind: 'ALTERED', lane: `${writer.process}.1`, sequence: 3 }])
})

it('P7: items that are deleted from the table are found: from the middle, from the end of a retired lane, a lane whole', async () => {
  await remove(3, 2)
  await remove(1, 6)
  // the retired lane may or may not have held the one that nobody was told of
  expect((await verified()).findings).toMatchObject([{ kind: 'GAP', lane: `${writer.process}.3`, sequence: 3, after: 1 }])
  await remove(1, 5)
  await remove(2, 1)
  expect((await verified()).findings).toMatchObject([
    { kind: 'GAP', lane: `${writer.process}.3` },
    { kind: 'CUT_SHORT', lane: `${writer.process}.1`, held: 4, declared: 5 },
    { kind: 'LANE_MISSING', lane: `${writer.process}.2` },
  ])
})
