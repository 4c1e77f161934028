import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RemovableObjects } from '../../../../gateway/model/object-store.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { seeded } from '../../../hostile/seeded.ts'
import { NOON } from '../../audit/examples.ts'
import { laneOf } from '../../audit/sealed-log.ts'
import {
  dataNames,
  HOUR_MS,
  publish,
  recordsIn,
  SMALL,
  soundManifest,
  StoreKill,
  tablesOf,
  TENANT,
  emptyLog,
} from './table-bench.ts'

/** With 120, each call is the last one twice. */
const RUNS = Number(process.env['PHI_TABLES_RUNS'] ?? 1)
/** The calls of all passes below together. */
const CALLS = 60
const ROUNDS = 5
/** The hour of a round: two rounds, two rounds, and one that is compacted with nothing. */
const ROUND_MS = 30 * 60_000

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-kills-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Rounds of a log, each of which is published when the test comes to it. */
const rounds = Array.from({ length: ROUNDS }, (_, at) => laneOf(`kakjK50G.${at + 1}`, 6, 8, NOON + at * ROUND_MS).items)

const stores = (name: string): { log: FolderObjects; tables: FolderTables } => ({
  log: new FolderObjects(join(folder, name, 'log')),
  tables: new FolderTables(join(folder, name, 'tables')),
})

const always = Number.POSITIVE_INFINITY

describe('P7: a campaign of kills at every call to a store', () => {
  it.each(Array.from({ length: RUNS }, (_, run) => run))(
    'P7: run %i: a readable manifest after each pass, and each record once',
    async (run) => {
      const { log, tables } = stores(`kill-${run}`)
      const sealed = emptyLog()
      // over 120 runs, each call is the last one twice: before it is sent, and after its work is done
      const kill = new StoreKill(((run * 37) % CALLS) + 1, Math.floor(run / CALLS) % 2 === run % 2 ? 'BEFORE' : 'AFTER')
      let killed: RemovableObjects = kill.over(tables)
      let time: number = NOON
      for (const [at, items] of rounds.entries()) {
        time = NOON + at * ROUND_MS + 60_000
        sealed.seal(items, Math.floor(time / 1_000))
        await publish(sealed, log)
        const pass = tablesOf(kill.isDead ? log : kill.over(log as unknown as RemovableObjects), killed, () => time)
        await pass.pass(TENANT, always).catch((error: unknown) => {
          if ((error as Error).name !== 'Killed') throw error
        })
        await soundManifest(tables, sealed)
        if (kill.isDead) killed = tables
      }
      expect(kill.isDead).toBe(true)
      time += 26 * HOUR_MS
      const last = tablesOf(log, tables, () => time)
      await last.pass(TENANT, always)
      const { records, size, files } = await soundManifest(tables, sealed)
      expect([records, size, files.length]).toEqual([recordsIn(sealed).length, 30, 1])
      // a later compaction removes what killed passes left
      const next = laneOf('kakjK50G.9', 4, 8, time)
      for (const items of [next.items.slice(0, 2), next.items.slice(2)]) {
        sealed.seal(items, Math.floor(time / 1_000))
        await publish(sealed, log)
        await last.pass(TENANT, always)
      }
      time += 2 * HOUR_MS
      await last.pass(TENANT, always)
      const manifest = await soundManifest(tables, sealed)
      expect(await dataNames(tables)).toEqual([...manifest.files, ...manifest.replaced].map(({ name }) => name).toSorted())
    },
    60_000,
  )
})

describe('P7: two instances at once', () => {
  it.each(Array.from({ length: Math.max(1, Math.floor(RUNS / 4)) }, (_, run) => run))(
    'P7: run %i: each record once, and no listed file is removed',
    async (run) => {
      const { log, tables } = stores(`two-${run}`)
      const sealed = emptyLog()
      const random = seeded(run, 'two tables')
      const pause = (): Promise<unknown> => sleep(random() < 0.3 ? random() * 20 : 0)
      let time: number = NOON
      const instance = (): ReturnType<typeof tablesOf> =>
        tablesOf(log, new StoreKill(Number.POSITIVE_INFINITY, 'AFTER', pause).over(tables), () => time)
      const [one, other, rebuilding] = [instance(), instance(), instance()]
      for (const [at, items] of rounds.entries()) {
        time = NOON + at * ROUND_MS + 60_000
        sealed.seal(items, Math.floor(time / 1_000))
        await publish(sealed, log)
        await Promise.all([one.pass(TENANT, always), other.pass(TENANT, always), ...(at === 3 ? [rebuilding.rebuild(TENANT)] : [])])
        expect((await soundManifest(tables, sealed)).size).toBe((at + 1) * 6)
      }
      time += 26 * HOUR_MS
      await Promise.all([one.pass(TENANT, always), other.pass(TENANT, always)])
      const { files, records } = await soundManifest(tables, sealed)
      expect([files.length, records]).toEqual([1, recordsIn(sealed).length])
    },
    60_000,
  )
})

describe('P7: a pass holds no more rows than its limits', () => {
  it('P7: writes several files of a long log, in several steps', async () => {
    const { log, tables } = stores('long')
    const sealed = emptyLog()
    sealed.seal(laneOf('kakjK50G.1', 60, 8).items, NOON / 1_000 + 60)
    await publish(sealed, log)
    await tablesOf(log, tables, () => NOON, SMALL).pass(TENANT, always)
    const { files } = await soundManifest(tables, sealed)
    expect(files.map(({ rows }) => rows)).toEqual(Array.from({ length: 12 }, () => 40))
  })
})

describe('P7: files that no manifest lists are removed, and no others', () => {
  it('P7: keeps the file of a writer whose manifest comes after the removal', async () => {
    const { log, tables } = stores('slow')
    const sealed = emptyLog()
    let time = NOON + 60_000
    const publishNext = async (lane: string): Promise<void> => {
      sealed.seal(laneOf(lane, 3, 4, time).items, Math.floor(time / 1_000))
      await publish(sealed, log)
    }
    for (const lane of ['kakjK50G.1', 'kakjK50G.2']) {
      await publishNext(lane)
      await tablesOf(log, tables, () => time).pass(TENANT, always)
    }
    // the hour is over: the next pass compacts, and then lists what to remove
    time += 2 * HOUR_MS
    let slow: Promise<unknown> | undefined
    const { promise: removed, resolve } = Promise.withResolvers<undefined>()
    const { promise: stored, resolve: isStored } = Promise.withResolvers<undefined>()
    const slowTables: RemovableObjects = {
      put: async (name, ...args) => {
        if (name.endsWith('manifest.json')) {
          isStored(undefined)
          await removed
        }
        return await tables.put(name, ...args)
      },
      get: (name) => tables.get(name),
      list: (...args) => tables.list(...args),
      remove: (name) => tables.remove(name),
    }
    const compacting: RemovableObjects = {
      put: (...args) => tables.put(...args),
      get: (name) => tables.get(name),
      remove: (name) => tables.remove(name),
      list: async function* (...args) {
        // the pass lists again, for files of questions
        if (slow === undefined) {
          await publishNext('kakjK50G.3')
          slow = tablesOf(log, slowTables, () => time).pass(TENANT, always)
          await stored
        }
        yield* tables.list(...args)
      },
    }
    await tablesOf(log, compacting, () => time).pass(TENANT, always)
    resolve(undefined)
    await slow
    expect(await soundManifest(tables, sealed)).toMatchObject({ size: 9, records: 36 })
  })
})
