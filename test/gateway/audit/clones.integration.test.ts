import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import { access, itemsOf, NOON } from './examples.ts'
import { PASS } from '../../hostile/faults.ts'
import { aMoment, expectIntact, LaneBench, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})
beforeEach(() => bench.faulty.play(() => PASS))

const LANES = 4

async function append(writer: Writer, numbers: readonly number[], requestId = writer.context.requestId): Promise<void> {
  const records = numbers.map((number) => access(number))
  await writer.log.append(itemsOf({ ...writer.context, requestId }, records), NOON + 10_000)
}

/** Two copies of one process: the same id, and each lane at the same position, because both copies made the same calls. */
async function cloned(): Promise<[Writer, Writer]> {
  const now = (): number => NOON
  const one = bench.writer({ now })
  const other = bench.writer({ now, tenant: one.tenant, process: one.process })
  const both: [Writer, Writer] = [one, { ...other, context: one.context }]
  for (const writer of both) {
    one.meets([], { kind: 'DELAY', milliseconds: 300 })
    const lanes: Promise<void>[] = []
    for (const number of upTo(LANES)) {
      lanes.push(append(writer, [number]))
      await aMoment()
    }
    await Promise.all(lanes)
  }
  bench.faulty.play(() => PASS)
  expect([one.events, other.events]).toEqual([[], []])
  return both
}

const fenced = ({ events }: Writer): string[] =>
  events.flatMap((event) => (event.event === 'AUDIT_LANE_RETIRED' && event.why === 'FENCED' ? [event.lane] : []))

describe('P7: a second process of the same function', () => {
  it('P7: writes in its own lanes beside the first, and both verify', async () => {
    const one = bench.writer()
    const other = bench.writer({ tenant: one.tenant })
    const writes = upTo(60).map(async (number) => {
      await (number % 2 === 0 ? one : other).append([number])
    })
    await Promise.all(writes)
    const lanes = await one.storedByLane()
    for (const [name, entries] of lanes) {
      expectIntact(entries)
      const writer = name.startsWith(`${one.process}.`) ? 0 : 1
      expect(new Set(numbersOf(entries).map((number) => Number(number) % 2))).toEqual(new Set([writer]))
    }
    expect([...lanes.values()].flatMap(numbersOf).toSorted((a, b) => Number(a) - Number(b))).toEqual(upTo(60))
    expect([...one.events, ...other.events]).toEqual([])
  })
})

describe('P7: a cloned process, for example from a restored snapshot', () => {
  it('P7: is fenced with an alarm and takes new names once; each acknowledged record is stored exactly once', async () => {
    const both = await cloned()
    const [one, other] = both
    const durable: number[] = []
    const refused: number[] = []
    let next = 100
    const request = async (writer: Writer): Promise<void> => {
      const numbers = upTo(next + 2, next)
      next += 3
      await append(writer, numbers).then(
        () => void durable.push(...numbers),
        () => void refused.push(...numbers),
      )
    }
    const round = async (): Promise<void> => {
      await Promise.all(
        both.flatMap((writer) =>
          upTo(LANES).map(async (turn) => {
            for (let turns = 0; turns < turn; turns++) await aMoment()
            await request(writer)
          }),
        ),
      )
    }
    // The first rounds are slow, so that both copies use all of their lanes at once. A lane that is used later meets its copy
    // later.
    one.meets([], { kind: 'DELAY', milliseconds: 60 })
    for (let rounds = 0; rounds < 4; rounds++) await round()
    bench.faulty.play(() => PASS)
    for (let rounds = 0; rounds < 8; rounds++) await round()
    const alarms = both.map((writer) => fenced(writer).length)
    // One copy keeps each lane of the snapshot. After that, no two lanes share a name.
    expect(alarms.reduce((sum, count) => sum + count)).toBe(LANES)
    const before = refused.length
    for (let rounds = 0; rounds < 6; rounds++) await round()
    expect(refused).toHaveLength(before)
    expect(both.map((writer) => fenced(writer).length)).toEqual(alarms)

    const lanes = await one.storedByLane()
    for (const entries of lanes.values()) expectIntact(entries)
    const stored = [...lanes.values()].flatMap(numbersOf).toSorted((a, b) => Number(a) - Number(b))
    expect(stored).toEqual([...upTo(LANES), ...durable.toSorted((a, b) => a - b)])
    for (const writer of [one, other]) {
      for (const lane of fenced(writer)) {
        const successors = [...lanes.values()].filter(([first]) => first?.succeeds?.startsWith(`${lane}/`))
        expect(successors).toHaveLength(1)
        expect(successors[0]?.[0]?.lane).toMatch(new RegExp(`^${writer.process}\\.[\\w-]{8}\\.\\d+$`, 'u'))
      }
    }
  })

  it('P7: a process cloned before its first request is fenced too: the registration names the owner of the lane', async () => {
    const one = bench.writer()
    const other = bench.writer({ tenant: one.tenant, process: one.process })
    await one.append([1])
    await expect(other.append([2])).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
    expect(fenced(other)).toEqual([`${one.process}.1`])
    for (const number of upTo(10, 3)) await (number % 2 === 0 ? one : other).append([number])
    expect(fenced(one)).toEqual([])
    expect(fenced(other)).toHaveLength(1)
    expect(await one.lanes()).toHaveLength(2)
    expect(numbersOf(await one.stored(1))).toEqual([1, 4, 6, 8, 10])
  })

  it('P7: finds the records of its requests by id, in every lane', async () => {
    const [one, other] = await cloned()
    const ids = [one, other].map(({ process }) => newRequestId(process, NOON, randomBytes))
    const [mine = '', its = ''] = ids
    await append(one, [11], mine as never)
    await append(other, [12], its as never).catch(() => undefined)
    await append(other, [13, 14], its as never)
    expect(numbersOf(await bench.history.ofRequest(one.tenant, mine))).toEqual([11])
    expect(numbersOf(await bench.history.ofRequest(one.tenant, its))).toEqual([13, 14])
    const names = await one.lanes()
    expect(names).toContainEqual(expect.stringMatching(new RegExp(`^${one.process}\\.[\\w-]{8}\\.\\d+$`, 'u')))
  })
})
