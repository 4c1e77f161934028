import { DeleteItemCommand, type QueryCommand } from '@aws-sdk/client-dynamodb'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { laneKey, sequenceKey } from '../../../../gateway/audit/item.ts'
import type { ItemReceipt } from '../../../../gateway/audit/submission.ts'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { NotaryBench, SetClock } from '../../audit/notary/notary-bench.ts'
import { EVER, questionsOf, within } from './question-bench.ts'

const HOUR_SECONDS = 3_600
const BEGIN = '2026-11-28T17:40:00Z'

let bench: NotaryBench
let folder: string
beforeAll(async () => {
  bench = await NotaryBench.start()
  folder = mkdtempSync(join(tmpdir(), 'phi-test-late-'))
})
afterAll(async () => {
  await bench.stop()
  rmSync(folder, { recursive: true })
})

/** A log whose writers have a clock that stands still, while that of its notary and its readers goes on. */
function lateLog() {
  const [tenant, clock, slow] = [bench.tenant(), new SetClock(BEGIN), new SetClock(BEGIN)]
  const tables = new FolderTables(join(folder, tenant))
  const notary = bench.notary(clock)
  const { services, audit, checkpoints } = bench
  return {
    tenant,
    clock,
    notary,
    /** A process with the slow clock. */
    writer: () => bench.writer(tenant, slow, 1),
    derive: async () =>
      await new TableWriter({ log: bench.objects, tables, now: clock.now }).pass(tenant, Number.POSITIVE_INFINITY),
    /** The addresses of the items in the answer to a question, with repeats. */
    items: async () => {
      const log = { services, audit, checkpoints, tables, now: clock.now }
      const asked = { sql: 'SELECT "lane", "sequence" FROM accesses', values: [], span: EVER }
      const { rows } = await questionsOf(tenant, log).ask(asked, within(60_000))
      return rows.map(({ lane, sequence }) => `${String(lane)}/${Number(sequence)}`).sort()
    },
    /** Some hours pass before a pass of the notary. */
    pass: async (hours: number) => {
      clock.pass(hours * HOUR_SECONDS)
      await notary.pass(tenant)
    },
  }
}

const remove = async (tenant: TenantId, { lane, sequence }: ItemReceipt): Promise<void> => {
  const Key = { l: { S: laneKey(tenant, lane) }, n: { S: sequenceKey(sequence) } }
  await bench.client.send(new DeleteItemCommand({ TableName: bench.audit, Key }))
}

const addresses = (receipts: readonly ItemReceipt[]): string[] => receipts.map(({ lane, sequence }) => `${lane}/${sequence}`).sort()

describe('P7: an answer has the items that are stored after their hour was closed', () => {
  it.each([2, 24])('P7: %i hours later, in a lane that is sealed, and in one that the notary never saw', async (hours) => {
    const { tenant, notary, writer, derive, items, pass } = lateLog()
    const [known, unknown] = [writer(), writer()]
    const stored = [...(await known(2))]
    await notary.pass(tenant)
    await derive()
    await pass(hours)
    stored.push(...(await known(2)), ...(await unknown(1)))
    expect(await items()).toEqual(addresses(stored))
    // once, also when the notary has sealed them
    await pass(26)
    expect(await items()).toEqual(addresses(stored))
    await derive()
    expect(await items()).toEqual(addresses(stored))
    expect(notary.events.reduce((sum, one) => sum + (one.event === 'NOTARY_PASS' ? one.late : 0), 0)).toBe(3)
  })

  it('P7: items behind a removed item, which the notary never seals, days later too', async () => {
    const { tenant, notary, writer, derive, items, pass } = lateLog()
    const write = writer()
    const stored = [...(await write(1))]
    await notary.pass(tenant)
    const [removed, ...behind] = [...(await write(1)), ...(await write(1)), ...(await write(1))]
    await remove(tenant, removed as ItemReceipt)
    for (const hours of [2, 30]) {
      await pass(hours)
      await derive()
      expect(await items()).toEqual(addresses([...stored, ...behind]))
    }
    expect(new Set(notary.events.map(({ event }) => event))).toContain('AUDIT_LANE_FAULT')
  })

  it('P7: an answer reads no item of the lanes that ended in time', async () => {
    const { tenant, clock, notary, writer, items, pass } = lateLog()
    for (let process = 0; process < 3; process++) await writer()(2)
    await notary.pass(tenant)
    await pass(3)
    const read: string[] = []
    const counting = {
      send: async (command: QueryCommand) => {
        read.push(command.constructor.name)
        return await bench.client.send(command)
      },
    } as unknown as typeof bench.client
    const log = { services: { client: counting, objects: bench.objects }, audit: bench.audit, checkpoints: bench.checkpoints }
    const tables = new FolderTables(join(folder, tenant))
    const asked = { sql: 'SELECT count(*) AS "n" FROM accesses', values: [], span: EVER }
    const { rows } = await questionsOf(tenant, { ...log, tables, now: clock.now }).ask(asked, within(60_000))
    expect(rows).toEqual([{ n: (await items()).length }])
    // two queries of each hour, one of spans, one of faults, and one batch for all lanes
    expect(read.filter((name) => name === 'BatchGetItemCommand')).toHaveLength(1)
    expect(read.filter((name) => name === 'QueryCommand').length).toBeLessThan(16)
  })
})
