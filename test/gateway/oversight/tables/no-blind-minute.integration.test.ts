import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { RemovableObjects } from '../../../../gateway/model/object-store.ts'
import { readManifest } from '../../../../gateway/oversight/tables/manifest.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { seeded } from '../../../hostile/seeded.ts'
import { NotaryBench, SetClock, SIGNERS } from '../../audit/notary/notary-bench.ts'
import { NotaryKill } from '../../audit/notary/notary-kill.ts'
import { EVER, questionsOf, tailOf, within } from './question-bench.ts'
import { StoreKill } from './table-bench.ts'

const RUNS = Number(process.env['PHI_TAIL_RUNS'] ?? 0)
const ROUNDS = 5
const ALWAYS = Number.POSITIVE_INFINITY
/** Files of some rows, so that there is much to compact. */
const SMALL = { part: { rows: 10, bytes: 1_000_000 }, stepRows: 20, compactedRows: 400 }

let bench: NotaryBench
let folder: string
beforeAll(async () => {
  bench = await NotaryBench.start()
  folder = mkdtempSync(join(tmpdir(), 'phi-test-tail-'))
})
afterAll(async () => {
  await bench.stop()
  rmSync(folder, { recursive: true })
})

const address = ({ lane, sequence }: { lane: unknown; sequence: unknown }): string => `${String(lane)}/${Number(sequence)}`

describe('P7: an answer has each item that was acknowledged before the question, once', () => {
  it.runIf(RUNS > 0).each(Array.from({ length: Math.max(1, RUNS) }, (_, run) => run))(
    'P7: run %i: while records are written, sealed, derived and compacted by processes that end anywhere',
    async (run) => {
      const random = seeded(run, 'no blind minute')
      const tenant = bench.tenant()
      const clock = new SetClock(run % 2 === 0 ? '2026-11-28T17:20:00Z' : '2026-11-28T17:56:00Z')
      const tables = new FolderTables(join(folder, `run-${run}`))
      const pause = (): Promise<unknown> => (random() < 0.4 ? sleep(random() * 15) : Promise.resolve())
      const service = (kill: NotaryKill) => kill.over(bench.services)
      const living = (): NotaryKill => new NotaryKill(ALWAYS, 'AFTER', pause)
      // in each round, one process of each kind may end at one of its calls
      const killed = (most: number): number => (random() < 0.3 ? 1 + Math.floor(random() * most) : ALWAYS)
      const when = (): 'BEFORE' | 'AFTER' => (random() < 0.5 ? 'BEFORE' : 'AFTER')
      const overTables = (at: number): RemovableObjects => new StoreKill(at, when(), pause).over(tables)

      const writers = [bench.writer(tenant, clock, 2), bench.writer(tenant, clock, 2)]
      const acknowledged = new Set<string>()
      const write = async (): Promise<void> => {
        for (let burst = 0; burst < 5; burst++) {
          await sleep(random() * 25)
          const receipts = await Promise.all(writers.map((append) => append(Math.floor(random() * 4))))
          for (const receipt of receipts.flat()) acknowledged.add(address(receipt))
        }
      }
      const seal = async (): Promise<void> => {
        const kill = new NotaryKill(killed(30), when(), pause)
        await bench.notary(clock, service(kill)).pass(tenant)
        await bench.notary(clock, service(living())).pass(tenant)
      }
      const derive = async (): Promise<void> => {
        for (const at of [killed(20), ALWAYS]) {
          const log = service(living()).objects
          const writer = new TableWriter({ log, tables: overTables(at), now: clock.now, limits: SMALL })
          await writer.pass(tenant, ALWAYS).catch((error: unknown) => {
            if ((error as Error).name !== 'Killed') throw error
          })
        }
      }
      const turns = new Turns()
      let questions = 0
      const ask = async (): Promise<void> => {
        for (let question = 0; question < 3; question++) {
          await sleep(random() * 20)
          const before = [...acknowledged]
          const { audit, checkpoints } = bench
          const log = { services: service(living()), audit, checkpoints, tables: overTables(ALWAYS), now: clock.now }
          const asked = { sql: 'SELECT "lane", "sequence", "index" FROM accesses', values: [], span: EVER }
          const { rows } = await questionsOf(tenant, log, { turns }).ask(asked, within(60_000))
          const answered = rows.map((row) => `${address({ lane: row['lane'], sequence: row['sequence'] })}/${Number(row['index'])}`)
          expect(answered.length - new Set(answered).size, 'repeats').toBe(0)
          const items = new Set(rows.map(({ lane, sequence }) => address({ lane, sequence })))
          expect(before.filter((item) => !items.has(item))).toEqual([])
          questions++
        }
      }

      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all([write(), ask(), ask(), seal(), derive()])
        // minutes, and now and then an hour or a day: lanes end, hours are closed and read again, files are compacted
        clock.pass(Math.floor(random() < 0.6 ? 20 + random() * 60 : random() < 0.7 ? 1_500 + random() * 3_000 : 90_000))
      }
      await bench.notary(clock).pass(tenant)
      await new TableWriter({ log: bench.objects, tables, now: clock.now, limits: SMALL }).pass(tenant, ALWAYS)
      await ask()
      expect(questions).toBe(ROUNDS * 6 + 3)
      expect((await readManifest(tables, tenant)).manifest.size).toBe(acknowledged.size)
    },
    120_000,
  )
})

/**
 * What happens in the middle of a question, and whether items are sealed without a segment before it. Each event is more than the one before.
 */
const MEANWHILE = [
  ['SEALED', false],
  ['SEALED', true],
  ['DERIVED', false],
  ['COMPACTED', true],
] as const

describe('P7: an answer is complete whatever happens between two of its reads', () => {
  // the last case has the events of the others
  it.each(RUNS > 0 ? MEANWHILE : MEANWHILE.slice(-1))(
    'P7: items are %s before each of the reads in turn; sealed without a segment: %s',
    async (event, isUnpublished) => {
      const clock = new SetClock('2026-11-28T17:20:00Z')
      const tables = new FolderTables(join(folder, `meanwhile-${event}-${String(isUnpublished)}`))
      const { audit, checkpoints, client, objects } = bench
      // a notary that ends after it sealed, so that nothing is published
      const ended = (): Promise<never> => Promise.reject(new Error('ended'))
      const sealOnly: typeof bench.services = {
        client,
        signers: SIGNERS,
        objects: { get: ended, put: ended, list: (prefix) => objects.list(prefix) },
      }
      let calls = Number.POSITIVE_INFINITY
      for (let at = 1; at <= calls; at++) {
        const tenant = bench.tenant()
        const write = bench.writer(tenant, clock, 2)
        const acknowledged = new Set<string>()
        const append = async (count: number): Promise<void> => {
          for (const receipt of await write(count)) acknowledged.add(address(receipt))
        }
        const derive = async (): Promise<unknown> =>
          await new TableWriter({ log: objects, tables, now: clock.now, limits: SMALL }).pass(tenant, ALWAYS)
        // items in tables, in a segment, sealed without a segment, and in lanes
        for (let file = 0; file < 2; file++) {
          await append(2)
          await bench.notary(clock).pass(tenant)
          await derive()
        }
        await append(2)
        await bench.notary(clock).pass(tenant)
        if (isUnpublished) await append(2)
        if (isUnpublished) await bench.notary(clock, sealOnly).pass(tenant)
        await append(2)
        const before = [...acknowledged]
        const happen = async (): Promise<void> => {
          if (event === 'COMPACTED') clock.pass(2 * 3_600)
          await append(1)
          await bench.notary(clock, event === 'SEALED' ? sealOnly : bench.services).pass(tenant)
          if (event === 'DERIVED' || event === 'COMPACTED') await derive()
        }
        let call = 0
        let happening: Promise<void> | undefined
        const pause = async (): Promise<void> => {
          if (++call === at) happening = happen()
          await happening
        }
        const services = new NotaryKill(ALWAYS, 'AFTER', pause).over(bench.services)
        const overTables = new StoreKill(ALWAYS, 'AFTER', pause).over(tables)
        const log = { services, audit, checkpoints, tables: overTables, now: clock.now }
        const asked = { sql: 'SELECT "lane", "sequence" FROM accesses', values: [], span: EVER }
        const { rows } = await questionsOf(tenant, log).ask(asked, within(60_000))
        const answered = rows.map(({ lane, sequence }) => address({ lane, sequence }))
        expect(answered.length - new Set(answered).size, `repeats at call ${at}`).toBe(0)
        expect(
          before.filter((item) => !answered.includes(item)),
          `missing at call ${at}`,
        ).toEqual([])
        calls = call
      }
      expect(calls).toBeGreaterThan(7)
    },
    120_000,
  )
})

describe('P7: the tail of a log is bounded', () => {
  const logOf = (tables: FolderTables, clock: SetClock) => {
    const { services, audit, checkpoints } = bench
    return { services, audit, checkpoints, tables, now: clock.now }
  }

  it('P7: a fresh tenant has an answer before the notary knows it', async () => {
    const [tenant, clock] = [bench.tenant(), new SetClock('2026-11-28T17:20:00Z')]
    await bench.writer(tenant, clock)(5)
    const log = logOf(new FolderTables(join(folder, 'fresh')), clock)
    const { rows, examined } = await questionsOf(tenant, log).ask(
      { sql: 'SELECT count(*) AS "n" FROM accesses', values: [], span: EVER },
      within(60_000),
    )
    expect([rows, examined]).toEqual([[{ n: 5 }], 5])
    // nothing of another tenant
    const other = await questionsOf('another' as TenantId, log).ask(
      { sql: 'FROM accesses', values: [], span: EVER },
      within(60_000),
    )
    expect(other).toEqual({ rows: [], examined: 0, tableSize: 0 })
  })

  it.each([
    ['in lanes', false],
    ['in segments', true],
  ])('P7: refuses a question with more items %s than fit, and gives no part of them', async (_where, isSealed) => {
    const [tenant, clock] = [bench.tenant(), new SetClock('2026-11-28T17:20:00Z')]
    await bench.writer(tenant, clock)(6)
    if (isSealed) await bench.notary(clock).pass(tenant)
    const log = logOf(new FolderTables(join(folder, `full-${String(isSealed)}`)), clock)
    const asked = { sql: 'SELECT count(*) AS "n" FROM accesses', values: [], span: EVER }
    const over = (maxItems: number) => questionsOf(tenant, log, { tail: tailOf(tenant, log, maxItems) }).ask(asked, within(60_000))
    await expect(over(5)).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    expect((await over(6)).rows).toEqual([{ n: 6 }])
  })

  it('P7: refuses a question when the notary closed no hour for two days', async () => {
    const [tenant, clock] = [bench.tenant(), new SetClock('2026-11-28T17:20:00Z')]
    await bench.writer(tenant, clock)(1)
    await bench.notary(clock).pass(tenant)
    clock.pass(50 * 3_600)
    const log = logOf(new FolderTables(join(folder, 'stopped')), clock)
    const asked = { sql: 'FROM accesses', values: [], span: EVER }
    await expect(questionsOf(tenant, log).ask(asked, within(60_000))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
  })
})
