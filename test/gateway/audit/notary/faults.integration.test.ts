import { DeleteItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { itemHash } from '../../../../gateway/audit/entry.ts'
import { hourOf } from '../../../../gateway/audit/hour.ts'
import { laneKey, registryKey, sequenceKey } from '../../../../gateway/audit/item.ts'
import { NOTHING_BEFORE } from '../../../../gateway/audit/verify/item.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { GatewayEvent } from '../../../../gateway/telemetry/events.ts'
import { NotaryKill } from './notary-kill.ts'
import { NotaryBench, SetClock } from './notary-bench.ts'

const LANES = Number(process.env['PHI_NOTARY_LANES'] ?? 120)
const HOUR_SECONDS = 3_600

let bench: NotaryBench
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(async () => {
  await bench.stop()
})

const started = (time = '2026-11-28T17:10:00Z') => {
  const clock = new SetClock(time)
  const tenant = bench.tenant()
  return { clock, tenant, notary: bench.notary(clock), write: bench.writer(tenant, clock, 1) }
}
const faultsOf = (events: readonly GatewayEvent[]): GatewayEvent[] => events.filter(({ event }) => event !== 'NOTARY_PASS')
const passesOf = (events: readonly GatewayEvent[]) => events.flatMap((event) => (event.event === 'NOTARY_PASS' ? [event] : []))
const hoursOf = async (tenant: TenantId): Promise<Record<string, unknown>> => {
  const { names } = await bench.published(tenant)
  const hours = names.filter((name) => name.includes('/hours/'))
  const read = hours.map(async (name) => JSON.parse(Buffer.from((await bench.objects.get(name))?.bytes ?? []).toString()) as object)
  return Object.fromEntries((await Promise.all(read)).map((content, at) => [(hours[at] ?? '').slice(-18, -5), content]))
}

describe('P7: a lane that is not as its process wrote it', () => {
  it.each<[string, 'GAP' | 'BROKEN', (l: string) => Promise<unknown>]>([
    [
      'misses an item',
      'GAP',
      async (l) =>
        await bench.client.send(new DeleteItemCommand({ TableName: bench.audit, Key: { l: { S: l }, n: { S: sequenceKey(4) } } })),
    ],
    [
      'has an altered text',
      'BROKEN',
      async (l) =>
        await bench.client.send(
          new UpdateItemCommand({
            TableName: bench.audit,
            Key: { l: { S: l }, n: { S: sequenceKey(4) } },
            UpdateExpression: 'SET e = :e',
            ExpressionAttributeValues: { ':e': { S: '{}' } },
          }),
        ),
    ],
  ])('P7: if it %s, the notary seals what is before and raises an alarm in each pass', async (_, what, alter) => {
    const { clock, tenant, notary, write } = started()
    const [first] = await write(1)
    for (let count = 0; count < 6; count++) await write(1)
    await alter(laneKey(tenant, first?.lane ?? ''))
    for (let pass = 0; pass < 2; pass++) {
      clock.pass(60)
      expect(await notary.pass(tenant)).toBe(true)
    }
    const alarm = { event: 'AUDIT_LANE_FAULT', tenant, lane: first?.lane, sequence: 4, what }
    expect(faultsOf(notary.events)).toEqual([alarm, alarm])
    expect((await bench.published(tenant)).items.map(({ n }) => n)).toEqual([1, 2, 3])
  })

  it('P7: an item that is altered after its sealing and before its copy stops the log, with an alarm', async () => {
    const { clock, tenant, notary, write } = started()
    await write(3)
    // ends right after the transaction of the head
    let calls = 0
    const killed = bench.notary(clock, {
      ...bench.services,
      client: {
        send: (async (command: { constructor: { name: string } }) => {
          if (calls > 0) throw new Error('killed')
          if (command.constructor.name === 'TransactWriteItemsCommand') calls++
          return await bench.client.send(command as never)
        }) as never,
      },
    })
    expect(await killed.pass(tenant)).toBe(false)
    const [item] = await write(1)
    await bench.client.send(
      new UpdateItemCommand({
        TableName: bench.audit,
        Key: { l: { S: laneKey(tenant, item?.lane ?? '') }, n: { S: sequenceKey(2) } },
        UpdateExpression: 'SET e = :e',
        ExpressionAttributeValues: { ':e': { S: '{}' } },
      }),
    )
    expect(await notary.pass(tenant)).toBe(false)
    expect(faultsOf(notary.events)).toEqual([
      { event: 'NOTARY_STOPPED', tenant, what: 'ITEMS' },
      { event: 'NOTARY_FAILED', tenant, cause: 'SealedItemsAltered' },
    ])
    expect((await bench.published(tenant)).names).toEqual([])
  })
})

describe('P7: the end of an hour', () => {
  it('P7: closes an hour after linger and tolerance, with the sealed ends of its lanes, once', async () => {
    const { clock, tenant, notary, write } = started('2026-11-28T17:58:00Z')
    const lane = (await write(3))[0]?.lane ?? ''
    await notary.pass(tenant)
    clock.pass(16 * 60)
    await notary.pass(tenant)
    expect(await hoursOf(tenant)).toEqual({})
    clock.pass(2 * 60)
    await notary.pass(tenant)
    const closed = {
      '2026-11-28T17': { hour: '2026-11-28T17', lanes: [{ lane, registered: '2026-11-28T17:58:00.000Z', last: 3 }] },
    }
    expect(await hoursOf(tenant)).toEqual(closed)
    clock.pass(60)
    await notary.pass(tenant)
    expect(await hoursOf(tenant)).toEqual(closed)
  })

  it.each([
    ['one hour', 1.5],
    ['one day', 25],
  ])('P7: an item of a closed hour is found %s after the close, sealed, and counted as late', async (_, hours) => {
    const { clock, tenant, notary, write } = started('2026-11-28T17:58:00Z')
    const { lane, hash } = (await write(1))[0] ?? { lane: '', hash: '' }
    await notary.pass(tenant)
    for (const seconds of hours > 2 ? [HOUR_SECONDS, 2 * HOUR_SECONDS] : [HOUR_SECONDS / 2]) {
      clock.pass(seconds)
      await notary.pass(tenant)
    }
    const address = { tenant, lane, sequence: 2 }
    const text = '{"late":true}'
    await bench.client.send(
      new PutItemCommand({
        TableName: bench.audit,
        Item: {
          l: { S: laneKey(tenant, lane) },
          n: { S: sequenceKey(2) },
          at: { N: String(clock.time) },
          gu: { S: `${tenant}#x#0` },
          e: { S: text },
          pv: { B: Buffer.from(hash, 'hex') },
          h: { B: Buffer.from(itemHash(address, text, hash), 'hex') },
        },
      }),
    )
    await notary.pass(tenant)
    expect((await bench.published(tenant)).items).toHaveLength(1)
    clock.pass(hours * HOUR_SECONDS)
    await notary.pass(tenant)
    expect((await bench.published(tenant)).items.map(({ n }) => n)).toEqual([1, 2])
    expect(
      passesOf(notary.events)
        .map(({ late }) => late)
        .at(-1),
    ).toBe(1)
  })

  it('P7: after an outage of three days, the notary seals and closes all hours in order', async () => {
    const { clock, tenant, notary, write } = started('2026-11-25T17:58:00Z')
    await notary.pass(tenant)
    for (let hour = 0; hour < 72; hour += 9) {
      await write(2)
      clock.pass(9 * HOUR_SECONDS)
    }
    await notary.pass(tenant)
    await notary.pass(tenant)
    expect((await bench.published(tenant)).items).toHaveLength(16)
    expect(Object.keys(await hoursOf(tenant))).toHaveLength(8)
    expect(passesOf(notary.events)[1]?.lag).toBe(72 * HOUR_SECONDS)
  })
})

describe('P7: clocks and instances', () => {
  it('P7: a clock that jumps ahead and back neither skips an item nor sets a checkpoint back', async () => {
    const { clock, tenant, notary, write } = started()
    await write(1)
    clock.pass(30 * 86_400)
    await notary.pass(tenant)
    clock.pass(-30 * 86_400)
    await write(2)
    clock.pass(60)
    await notary.pass(tenant)
    expect((await bench.published(tenant)).sizes).toEqual([1, 3])
    clock.pass(-86_400)
    await notary.pass(tenant)
    clock.pass(86_400)
    await write(1)
    await notary.pass(tenant)
    expect((await bench.published(tenant)).sizes).toEqual([1, 3, 4])
    expect(faultsOf(notary.events)).toEqual([])
  })

  it('P7: four notaries at once make one log', async () => {
    const { clock, tenant, write } = started()
    const notaries = Array.from({ length: 4 }, () => bench.notary(clock, bench.services, { maxItems: 7 }))
    for (let minute = 0; minute < 4; minute++) {
      await Promise.all([write(25), ...notaries.map((notary) => notary.pass(tenant))])
      clock.pass(60)
    }
    for (let last = 0; last < 2; last++) await notaries[0]?.pass(tenant)
    expect((await bench.published(tenant)).items).toHaveLength(100)
    expect(notaries.flatMap(({ events }) => faultsOf(events))).toEqual([])
  })

  it.each([4, 9])(
    'P7: after the tables were replaced, the notary signs nothing over the published log (%i items)',
    async (count) => {
      const { clock, tenant, notary, write } = started()
      await write(2)
      await notary.pass(tenant)
      await write(4)
      await notary.pass(tenant)
      const before = await bench.published(tenant)
      const replaced = await NotaryBench.start()
      try {
        const other = replaced.notary(clock, { ...replaced.services, objects: bench.objects })
        await replaced.writer(tenant, clock)(count)
        expect(await other.pass(tenant)).toBe(false)
        expect(faultsOf(other.events)[0]).toEqual({ event: 'NOTARY_STOPPED', tenant, what: 'CHECKPOINT' })
      } finally {
        await replaced.stop()
      }
      expect(await bench.published(tenant)).toEqual(before)
    },
  )

  it('P7: a forged registration in another hour does not seal a lane twice', async () => {
    const { clock, tenant, notary, write } = started()
    const lane = (await write(3))[0]?.lane ?? ''
    const hour = hourOf(clock.time - HOUR_SECONDS * 1_000)
    await bench.client.send(
      new PutItemCommand({ TableName: bench.audit, Item: { l: { S: registryKey(tenant, hour) }, n: { S: lane }, at: { N: '1' } } }),
    )
    await notary.pass(tenant)
    await write(2)
    await notary.pass(tenant)
    expect((await bench.published(tenant)).items.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5])
  })

  it(`P7: ${LANES} lanes in an hour are sealed in one round, also if the notary ends between two spans`, async () => {
    const { clock, tenant } = started()
    const names = Array.from({ length: LANES }, (_, at) => `lane-${String(at).padStart(6, '0')}.1`)
    await storeLanes(tenant, names, clock.time)
    const dying = new NotaryKill(LANES + 20, 'AFTER')
    await bench.notary(clock, dying.over(bench.services), { maxItems: 100_000 }).pass(tenant)
    const began = performance.now()
    expect(await bench.notary(clock, bench.services, { maxItems: 100_000 }).pass(tenant)).toBe(true)
    const seconds = (performance.now() - began) / 1_000
    const { items, sizes } = await bench.published(tenant)
    expect(items.map(({ l }) => l).toSorted()).toEqual(names)
    expect(sizes).toEqual([LANES])
    expect(seconds).toBeLessThan(60)
  }, 300_000)
})

/** Lanes with one item each, as a process writes them. */
async function storeLanes(tenant: string, names: readonly string[], at: number): Promise<void> {
  const text = '{"one":1}'
  const put = async (Item: object): Promise<void> => {
    await bench.client.send(new PutItemCommand({ TableName: bench.audit, Item: Item as never }))
  }
  const waiting = [...names]
  const store = async (): Promise<void> => {
    for (let lane = waiting.pop(); lane !== undefined; lane = waiting.pop()) {
      await put({ l: { S: registryKey(tenant, hourOf(at)) }, n: { S: lane }, at: { N: String(at) } })
      await put({
        l: { S: laneKey(tenant, lane) },
        n: { S: sequenceKey(1) },
        at: { N: String(at) },
        gu: { S: `${tenant}#x#0` },
        e: { S: text },
        pv: { B: Buffer.from(NOTHING_BEFORE, 'hex') },
        h: { B: Buffer.from(itemHash({ tenant, lane, sequence: 1 }, text, NOTHING_BEFORE), 'hex') },
      })
    }
  }
  await Promise.all(Array.from({ length: 16 }, store))
}
