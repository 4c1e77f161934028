import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { access, itemsOf } from './examples.ts'
import { cancel, CUT, DROP_ANSWER, type Fault, PASS, refuse } from '../../hostile/faults.ts'
import { seeded } from '../../hostile/seeded.ts'
import { benchNow, expectIntact, LaneBench, numbersOf, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
beforeAll(async () => {
  bench = await LaneBench.start()
})
afterAll(async () => {
  await bench.stop()
})

const byNumber = (numbers: readonly (number | undefined)[]): number[] => numbers.map(Number).toSorted((a, b) => a - b)
const RECORDS = 2_000
const CLIENTS = 12

/** The faults that a campaign met, and the outcome of its records by tenant. */
interface Outcome {
  readonly met: { lost: number; throttled: number; refused: number }
  readonly durable: Map<TenantId, number[]>
  readonly refused: Map<TenantId, number[]>
}

/** 2,000 records of two tenants, four at a time from twelve concurrent requests, under faults that are the same in every run. */
async function campaign(writer: Writer, tenants: readonly TenantId[], seed: number, refusing: number): Promise<Outcome> {
  const random = seeded(seed, 'TransactWriteItems')
  const met = { lost: 0, throttled: 0, refused: 0 }
  const fault = (): Fault => {
    const chance = random()
    if (chance < 0.3) {
      met.lost++
      return chance < 0.15 ? DROP_ANSWER : CUT
    }
    if (chance < 0.4) {
      met.throttled++
      return chance < 0.35 ? refuse('ProvisionedThroughputExceededException') : cancel('TransactionConflict')
    }
    if (chance >= 0.4 + refusing) return PASS
    met.refused++
    return refuse('AccessDeniedException')
  }
  bench.faulty.play(({ operation, body }) =>
    operation === 'TransactWriteItems' && body.includes(`#${writer.process}.`) ? fault() : PASS,
  )
  const durable = new Map(tenants.map((tenant): [TenantId, number[]] => [tenant, []]))
  const refused = new Map(tenants.map((tenant): [TenantId, number[]] => [tenant, []]))
  let next = 1
  const client = async (): Promise<void> => {
    while (next <= RECORDS) {
      const numbers = upTo(next + 3, next)
      const tenant = tenants[(next >> 2) % tenants.length] as TenantId
      next += 4
      const records = numbers.map((number) => access(number))
      await writer.log.append(itemsOf({ ...writer.context, tenant }, records), benchNow() + 15_000).then(
        () => durable.get(tenant)?.push(...numbers),
        () => refused.get(tenant)?.push(...numbers),
      )
    }
  }
  await Promise.all(upTo(CLIENTS).map(client))
  bench.faulty.play(() => PASS)
  return { met, durable, refused }
}

describe('P2 and P7: a campaign over several lanes, requests and tenants', () => {
  it('P7: 2,000 records under 30 percent lost and 10 percent throttled sends: stored once each, no gap, intact chains', async () => {
    const writer = bench.writer()
    const tenants = [writer.tenant, bench.tenant()]
    const { met, durable, refused } = await campaign(writer, tenants, 20_260_301, 0)
    expect([...refused.values()].flat()).toEqual([])
    for (const tenant of tenants) {
      const lanes = await bench.storedByLane(tenant)
      expect(lanes.size).toBe(4)
      for (const entries of lanes.values()) expectIntact(entries)
      expect(byNumber([...lanes.values()].flatMap(numbersOf))).toEqual(byNumber(durable.get(tenant) ?? []))
    }
    expect(byNumber([...durable.values()].flat())).toEqual(upTo(RECORDS))
    expect(met.lost).toBeGreaterThan(15)
    expect(met.throttled).toBeGreaterThan(5)
    expect(writer.events).toEqual([])
  })

  it('P7: with refusals too: acknowledged records are stored once, the rest at most once, every retirement is declared', async () => {
    const writer = bench.writer()
    const tenants = [writer.tenant, bench.tenant()]
    const { met, durable, refused } = await campaign(writer, tenants, 20_260_302, 0.05)
    const retired = writer.events.filter((event) => event.event === 'AUDIT_LANE_RETIRED')
    expect(met.refused).toBeGreaterThan(5)
    expect(retired.length).toBeGreaterThan(3)
    expect(retired.filter(({ why }) => why !== 'UNRESOLVED')).toEqual([])
    for (const tenant of tenants) {
      // a few more requests, one after the other: each successor is the first choice until it has named its predecessor
      for (const number of upTo(RECORDS + 4, RECORDS + 1)) {
        await writer.log.append(itemsOf({ ...writer.context, tenant }, [access(number)]), benchNow() + 15_000)
        durable.get(tenant)?.push(number)
      }
      const lanes = await bench.storedByLane(tenant)
      for (const entries of lanes.values()) expectIntact(entries)
      const stored = byNumber([...lanes.values()].flatMap(numbersOf))
      expect(new Set(stored).size).toBe(stored.length)
      const told = new Set(durable.get(tenant))
      const untold = new Set(refused.get(tenant))
      expect(stored.filter((number) => told.has(number))).toEqual(byNumber([...told]))
      expect(stored.filter((number) => !told.has(number) && !untold.has(number))).toEqual([])
      // if a successor retired before its first record was acknowledged, the next successor names the same end
      const unheard = new Set(retired.filter(({ sequence }) => sequence === 0).map(({ lane }) => lane))
      const declared = [...lanes].filter(([lane]) => !unheard.has(lane)).map(([, [first]]) => first?.succeeds)
      for (const { lane, sequence } of retired.filter((event) => event.tenant === tenant && event.sequence > 0)) {
        expect(declared.filter((succeeds) => succeeds === `${lane}/${sequence}`)).toHaveLength(1)
      }
    }
  })
})
