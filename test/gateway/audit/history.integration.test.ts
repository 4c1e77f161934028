import { DeleteItemCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuditHistory } from '../../../gateway/audit/history.ts'
import { AUDIT_INDEX, INDEX_SHARDS, laneKey, sequenceKey } from '../../../gateway/audit/item.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import type { Instant, PatientId, UserId } from '../../../gateway/model/ids.ts'
import { AuditUnavailable, BadUserInput, StoreUnavailable } from '../../../gateway/model/failures.ts'
import { access, itemsOf, NOON } from './examples.ts'
import { CUT, PASS, refuse } from '../../hostile/faults.ts'
import { aMoment, benchNow, clientFor, LaneBench, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})

const at = (seconds: number): Instant => (NOON + seconds * 1_000) as Instant
const byVersion = (numbers: (number | undefined)[]): (number | undefined)[] => numbers.toSorted((a, b) => Number(a) - Number(b))

/** A request that its process began at the given second, with an access for each number. */
async function request(writer: Writer, second: number, numbers: readonly number[], decidedAt = second): Promise<string> {
  const requestId = newRequestId(writer.process, at(second), randomBytes)
  const records = numbers.map((number) => access(number, { at: at(decidedAt) }))
  await writer.log.append(itemsOf({ ...writer.context, requestId }, records), benchNow() + 5_000)
  return requestId
}

describe('P7: accesses in the order of time', () => {
  it('P7: are listed by patient and by user, over all shards, lanes and processes', async () => {
    const one = bench.writer()
    const { tenant } = one
    const other = bench.writer({ tenant })
    const patients = ['a', 'b'].map((letter) => letter.repeat(22) as PatientId)
    const users = ['dr#1', 'dr'] as UserId[]
    // 60 accesses of two processes, the latest first
    for (const number of upTo(60).toReversed()) {
      const writer = number % 2 === 0 ? one : other
      const told = access(number, { at: at(number), patient: patients[number % 2] as PatientId })
      await writer.log.append(itemsOf({ ...writer.context, user: users[number % 2] as UserId }, [told]), benchNow() + 5_000)
    }
    const odd = upTo(60).filter((number) => number % 2 === 1)
    expect(numbersOf(await bench.history.entriesBy('patient', tenant, 'b'.repeat(22)))).toEqual(odd)
    expect(numbersOf(await bench.history.entriesBy('user', tenant, 'dr'))).toEqual(odd)
    expect(numbersOf(await bench.history.entriesBy('user', tenant, 'dr#1'))).toEqual(upTo(60).filter((number) => number % 2 === 0))
    expect(await bench.history.entriesBy('user', tenant, 'd')).toEqual([])

    const span = { from: at(11), to: at(21) }
    expect(numbersOf(await bench.history.entriesBy('user', tenant, 'dr', span))).toEqual([11, 13, 15, 17, 19, 21])
    expect(numbersOf(await bench.history.entriesBy('user', tenant, 'dr', { from: at(57) }))).toEqual([57, 59])
    expect(numbersOf(await bench.history.entriesBy('user', tenant, 'dr', { to: at(3) }))).toEqual([1, 3])
    expect(await bench.history.entriesBy('user', tenant, 'dr', { from: at(21), to: at(11) })).toEqual([])
  })

  it('P5: are not visible to another tenant', async () => {
    const writer = bench.writer()
    const requestId = await request(writer, 1, [1])
    const elsewhere = bench.tenant()
    expect(await bench.history.entriesBy('user', elsewhere, 'physician')).toEqual([])
    expect(await bench.history.ofRequest(elsewhere, requestId)).toEqual([])
  })

  it('P7: are complete and sorted by time, lane and sequence, over every shard, several lanes, processes and pages', async () => {
    const one = bench.writer()
    const writers = [one, bench.writer({ tenant: one.tenant })]
    bench.faulty.play(({ operation }) => (operation === 'TransactWriteItems' ? { kind: 'DELAY', milliseconds: 200 } : PASS))
    // concurrent appends, so that there are several lanes; each second has many records, in all lanes
    const appends = upTo(24).map(async (turn) => {
      for (let turns = 0; turns < turn; turns++) await aMoment()
      await writers[turn % 2]?.append(upTo(turn * 10, turn * 10 - 9), 5_000, { at: at(turn % 3) })
    })
    await Promise.all(appends)
    const lanes = await one.storedByLane()
    expect(lanes.size).toBe(8)
    const stored = [...lanes.values()].flat()
    const shards = (await Promise.all([...lanes.keys()].map(async (lane) => await bench.items(laneKey(one.tenant, lane))))).flat()
    for (const key of Object.values(AUDIT_INDEX).map(({ key }) => key)) {
      expect(new Set(shards.map((item) => item[key]?.S?.split('#').at(-1))).size).toBe(INDEX_SHARDS)
    }
    const ordered = stored.toSorted((a, b) => {
      const [before, after] = [a, b].map(({ time, lane, sequence }) => `${time} ${lane} ${sequenceKey(sequence)}`)
      return String(before) < String(after) ? -1 : 1
    })

    // as in production, a refused read is repeated
    const client = clientFor(bench.faulty.endpoint, 3)
    const history = new AuditHistory(client, bench.table)
    for (const [index, subject] of [
      ['patient', stored[0]?.patient],
      ['user', 'physician'],
    ] as const) {
      // pages of seven items, so that each shard has several pages
      bench.faulty.play(({ operation, body }) =>
        operation === 'Query' ? { kind: 'REWRITE', body: body.replace(/"Limit":\d+/, '"Limit":7') } : PASS,
      )
      expect(await history.entriesBy(index, one.tenant, String(subject))).toEqual(ordered)
      expect(bench.faulty.requests.filter(({ operation }) => operation === 'Query').length).toBeGreaterThan(240 / 7)
    }
    bench.faulty.play(() => PASS)
    client.destroy()
  })

  it('P7: are complete over several pages and batches', async () => {
    const writer = bench.writer()
    await writer.append(upTo(230))
    expect(byVersion(numbersOf(await bench.history.entriesBy('user', writer.tenant, 'physician')))).toEqual(upTo(230))
  })

  it('P7: a record that an index names and the table lacks is an error, never skipped', async () => {
    const writer = bench.writer()
    await writer.append([1, 2])
    const client = clientFor(bench.faulty.endpoint, 3)
    // the table lacks one of the records that the indexes name
    bench.faulty.play(({ operation, body }) =>
      operation === 'BatchGetItem' ? { kind: 'REWRITE', body: body.replaceAll(sequenceKey(2), sequenceKey(99)) } : PASS,
    )
    const history = new AuditHistory(client, bench.table)
    await expect(history.entriesBy('user', writer.tenant, 'physician')).rejects.toThrow(StoreUnavailable)
    bench.faulty.play(() => PASS)
    expect(numbersOf(await history.entriesBy('user', writer.tenant, 'physician'))).toHaveLength(2)
    client.destroy()
  })
})

describe('P7: the records of one request', () => {
  it('P7: are found alone, in a lane of several hundred records', async () => {
    const writer = bench.writer()
    const ids: string[] = []
    for (const second of upTo(120)) ids.push(await request(writer, second * 10, [second * 3, second * 3 + 1, second * 3 + 2]))
    for (const second of [1, 2, 59, 60, 61, 119, 120]) {
      expect(numbersOf(await bench.history.ofRequest(writer.tenant, String(ids[second - 1])))).toEqual([
        second * 3,
        second * 3 + 1,
        second * 3 + 2,
      ])
    }
  })

  it('P7: are found if they were stored long after their decision, behind later records', async () => {
    const writer = bench.writer()
    for (const second of upTo(40)) await request(writer, second, [second])
    const early = await request(writer, 60, [1_000])
    // requests of second 20 with records that were delayed until now
    let late = ''
    for (const number of upTo(60)) late = await request(writer, 20, [1_000 + number])
    // and a request that takes longer than any answer may, like an import
    const long = newRequestId(writer.process, at(30), randomBytes)
    await writer.log.append(
      itemsOf({ ...writer.context, requestId: long }, [access(2_000, { at: at(30 + 300) })]),
      benchNow() + 5_000,
    )
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, early))).toEqual([1_000])
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, late))).toEqual([1_000 + 60])
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, long))).toEqual([2_000])
  })

  it('P7: are found across a lane that retired during the request and its successor', async () => {
    const writer = bench.writer()
    const { requestId } = writer.context
    await writer.append([1, 2], 5_000, { at: benchNow() as Instant })
    writer.meets([CUT, refuse('AccessDeniedException')])
    await expect(writer.append([3])).rejects.toThrow(AuditUnavailable)
    await writer.append([4], 5_000, { at: (benchNow() + 1) as Instant })
    expect(await writer.lanes()).toHaveLength(2)
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, requestId))).toEqual([1, 2, 4])
  })

  it('P7: are found beside another process of the tenant at the same time', async () => {
    const one = bench.writer()
    const other = bench.writer({ tenant: one.tenant })
    const [here, there] = await Promise.all([request(one, 5, [1]), request(other, 5, [2])])
    expect(numbersOf(await bench.history.ofRequest(one.tenant, here))).toEqual([1])
    expect(numbersOf(await bench.history.ofRequest(one.tenant, there))).toEqual([2])
  })

  it('P7: are found if a sequence number is missing', async () => {
    const writer = bench.writer()
    let last = ''
    for (const second of upTo(15)) last = await request(writer, second * 100, [second])
    const first = (await writer.stored())[0]?.requestId ?? ''
    for (const sequence of [8, 4]) {
      const key = { l: { S: laneKey(writer.tenant, `${writer.process}.1`) }, n: { S: sequenceKey(sequence) } }
      await bench.direct.send(new DeleteItemCommand({ TableName: bench.table, Key: key }))
    }
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, first))).toEqual([1])
    expect(numbersOf(await bench.history.ofRequest(writer.tenant, last))).toEqual([15])
  })

  it('P7: are empty for an id without records; a text that is no request id is refused', async () => {
    const writer = bench.writer()
    await writer.append([1])
    for (const id of ['A'.repeat(24), newRequestId(writer.process, 1, randomBytes)])
      expect(await bench.history.ofRequest(writer.tenant, id)).toEqual([])
    for (const text of ['', 'nonsense', '../..', 'A'.repeat(23), 'A'.repeat(28)])
      await expect(bench.history.ofRequest(writer.tenant, text)).rejects.toThrow(BadUserInput)
  })
})
