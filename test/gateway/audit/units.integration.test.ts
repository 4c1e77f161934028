import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { AuditContext } from '../../../gateway/audit/entry.ts'
import type { ItemDraft } from '../../../gateway/audit/item-draft.ts'
import { ItemPacker } from '../../../gateway/audit/item-packer.ts'
import { PASS } from '../../hostile/faults.ts'
import { itemBytes, unitsOf, type WireItem } from '../../../bench/store/item-size.ts'
import { storeWeather, type StoreWeather } from '../../hostile/store-weather.ts'
import { access, itemsOf } from './examples.ts'
import { benchNow, expectIntact, LaneBench, upTo, type Writer } from './lane-bench.ts'

let bench: LaneBench
let weather: StoreWeather
beforeAll(async () => {
  bench = await LaneBench.start()
  weather = storeWeather({ engine: bench.engine, seed: 1, now: Date.now })
  weather.blow({ WRITE_UNITS: 1 })
})
afterAll(async () => {
  bench.faulty.play(() => PASS)
  weather.close()
  await bench.stop()
})
beforeEach(() => bench.faulty.play(weather.script))

/** A context with the longest values that a caller can send. */
const long = (writer: Writer, session: string): AuditContext => ({
  ...writer.context,
  session,
  // quotes are escaped: 512 bytes in the text
  userAgent: `${session}${'"'.repeat(256)}`.slice(0, 256),
  operation: 'O'.repeat(256),
  sourceIp: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
})

async function append(writer: Writer, items: readonly ItemDraft[]): Promise<void> {
  await writer.log.append(items, benchNow() + 15_000)
}

/** Asserts by an independent count that each transaction fits, and that the store refused none. */
async function expectFits(writer: Writer, items: number): Promise<void> {
  const sent = writer.sent().map(({ TransactItems }) => TransactItems.map(({ Put }) => Put?.Item as unknown as WireItem))
  for (const transaction of sent) {
    expect(transaction.length).toBeLessThanOrEqual(100)
    const units = transaction.map((item) => 2 * unitsOf(itemBytes(item)) + ['gp', 'gu'].filter((name) => name in item).length)
    expect(units.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(500)
  }
  expect(weather.counts.WRITE_UNITS).toBe(0)
  expect(writer.events).toEqual([])
  const lanes = await writer.storedByLane()
  for (const entries of lanes.values()) expectIntact(entries)
  expect([...lanes.values()].flat().filter(({ index }) => index === 1)).toHaveLength(items)
}

it('P2: transactions fit for 500 patients in one request', async () => {
  const writer = bench.writer()
  const packer = new ItemPacker(long(writer, 'one'))
  for (const number of upTo(500)) packer.add(access(number, { patient: `patient-${number}` }))
  await append(writer, packer.rest())
  await expectFits(writer, 500)
})

it('P2: transactions fit for many small concurrent requests, each with a long user agent and its own session', async () => {
  const writer = bench.writer()
  const requests = upTo(300).map(async (number) => {
    await append(writer, itemsOf(long(writer, `session-${number}`), [access(number, { patient: `patient-${number}` })]))
  })
  await Promise.all(requests)
  await expectFits(writer, 300)
})

it.each([10, 60])('P2: transactions fit for %i concurrent charts of 100 observations', async (count) => {
  const writer = bench.writer()
  let items = 0
  const charts = upTo(count).map(async (chart) => {
    const packer = new ItemPacker(long(writer, `chart-${chart}`), 'POSSIBLE')
    const drafts: ItemDraft[] = []
    for (const field of upTo(8))
      for (const number of upTo(100)) {
        const path = `Observation.field${field}` as SchemaPath
        const about = {
          recordType: 'Observation' as TypeName,
          recordId: `observation-${chart}-${number}`,
          patient: `patient-${chart}`,
        }
        drafts.push(...[packer.add(access(1, { ...about, path, rule: `${path}#1` }))].flatMap((full) => full ?? []))
      }
    drafts.push(...packer.rest())
    items += drafts.length
    await append(writer, drafts)
  })
  await Promise.all(charts)
  expect(items).toBeLessThanOrEqual(4 * count)
  await expectFits(writer, items)
})
