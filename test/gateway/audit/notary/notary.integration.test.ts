import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NotaryBench, SetClock } from './notary-bench.ts'

let bench: NotaryBench
beforeAll(async () => {
  bench = await NotaryBench.start()
})
afterAll(async () => {
  await bench.stop()
})

describe('P7: a pass of the notary', () => {
  it('P7: seals what is stored, publishes it, and publishes nothing for a tenant without traffic', async () => {
    const clock = new SetClock('2026-11-28T17:10:00Z')
    const tenant = bench.tenant()
    const write = bench.writer(tenant, clock)
    const notary = bench.notary(clock)
    expect(await notary.pass(tenant)).toBe(true)
    expect(await bench.published(tenant)).toEqual({ items: [], sizes: [], latest: undefined, names: [] })
    const receipts = [...(await write(20)), ...(await write(3))]
    clock.pass(60)
    expect(await notary.pass(tenant)).toBe(true)
    const more = await write(500)
    clock.pass(60)
    expect(await notary.pass(tenant)).toBe(true)
    clock.pass(60)
    expect(await notary.pass(tenant)).toBe(true)
    expect(notary.events.map((event) => ('sealed' in event ? [event.sealed, event.rounds, event.lag] : event))).toEqual([
      [0, 0, 0],
      [23, 1, 60],
      [500, 1, 60],
      [0, 0, 60],
    ])
    const { items, sizes, latest } = await bench.published(tenant)
    expect(sizes).toEqual([23, 523])
    expect(latest?.split('\n').slice(0, 2)).toEqual([`phi.example.com/audit/${tenant}`, '523'])
    const hashes = [...receipts, ...more].map(({ hash }) => hash)
    expect(items.map(({ h }) => h).toSorted()).toEqual(hashes.toSorted())
  })
})
