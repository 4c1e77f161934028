import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import type { RemovableObjects } from '../../../../gateway/model/object-store.ts'
import type { AuditTables } from '../../../../gateway/oversight/tables/audit-tables.ts'
import { type DuckDbParts, DuckDbTables } from '../../../../gateway/oversight/tables/duckdb-tables.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { NOON } from '../../audit/examples.ts'
import { laneOf } from '../../audit/sealed-log.ts'
import { EVER, tabledOnly, within } from './question-bench.ts'
import { emptyLog, HOUR_MS, publish, SMALL, TENANT } from './table-bench.ts'

const COUNT = { sql: 'SELECT count(*) AS "n" FROM accesses', values: [], span: EVER }
/** A statement that takes many seconds. */
const ENDLESS = { sql: 'SELECT count(*) AS "n" FROM range(100000000000) AS a(x) WHERE x % 7 = 3', values: [], span: EVER }
const ROWS = 96

let folder: string
let log: FolderObjects
let tables: FolderTables
const clock = { time: NOON + 60_000 }
const writer = (): TableWriter => new TableWriter({ log, tables, now: () => clock.time, limits: SMALL })
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-questions-'))
  log = new FolderObjects(join(folder, 'log'))
  tables = new FolderTables(join(folder, 'tables'))
  const sealed = emptyLog()
  for (const lane of ['kakjK50G.1', 'kakjK50G.2']) {
    sealed.seal(laneOf(lane, 6, 8).items, NOON / 1_000 + 60)
    await publish(sealed, log)
    await writer().pass(TENANT, Number.POSITIVE_INFINITY)
  }
})
afterAll(() => rmSync(folder, { recursive: true }))

const tenant = TENANT as TenantId
const tablesOf = (more: Partial<DuckDbParts> = {}): DuckDbTables =>
  new DuckDbTables({ tenant, tables, tail: tabledOnly(log, tenant), turns: new Turns(), ...more })

describe('P8: a question reads the files of its tenant and nothing else', () => {
  it('P8: reads its own rows', async () => {
    expect(await tablesOf().ask(COUNT, within(20_000))).toEqual({ rows: [{ n: ROWS }], examined: ROWS, tableSize: 12 })
  })

  it.each([
    ['a file elsewhere', "SELECT * FROM read_parquet('/etc/hostname')"],
    ['a text elsewhere', "SELECT * FROM read_text('/etc/hostname')"],
    ['a file elsewhere, as a table', "SELECT * FROM '/etc/hostname.csv'"],
    ['a folder elsewhere', "SELECT * FROM glob('/etc/*')"],
    ['the stored tables of all tenants', "SELECT * FROM read_parquet('TABLES/*/data/*.parquet')"],
    ['the network', "SELECT * FROM read_parquet('https://127.0.0.1:9/x.parquet')"],
    ['a database elsewhere', "ATTACH '/tmp/phi-asked.duckdb' AS other"],
    ['an extension', 'INSTALL httpfs'],
    ['a loaded extension', 'LOAD httpfs'],
    ['a file that it writes', "COPY (SELECT * FROM accesses) TO '/tmp/phi-asked.parquet' (FORMAT parquet)"],
    ['an export that it writes', "EXPORT DATABASE '/tmp/phi-asked'"],
    ['its settings', 'SET enable_external_access = true'],
    ['its settings, by a pragma', 'PRAGMA enable_external_access = true'],
    ['its settings, reset', 'RESET lock_configuration'],
    ['its settings, after a question', "SELECT 1; SET allowed_directories = ['/']"],
    ['the environment', "SELECT getenv('HOME') AS home"],
  ])('P8: refuses SQL that reaches %s', async (_what, sql) => {
    const asked = { sql: sql.replace('TABLES', join(folder, 'tables')), values: [], span: EVER }
    await expect(tablesOf().ask(asked, within(20_000))).rejects.toThrow(
      /Permission Error|Invalid Input Error|Catalog Error|Cannot|does not exist/,
    )
    expect(readdirSync('/tmp').filter((name) => name.startsWith('phi-asked'))).toEqual([])
  })

  it('P8: takes a value as a value, whatever it holds', async () => {
    for (const value of ["' OR 1=1 --", "physician'; DROP VIEW accesses; --", '?']) {
      const asked = { sql: 'SELECT count(*) AS "n" FROM accesses WHERE "user" = ?', values: [value], span: EVER }
      expect((await tablesOf().ask(asked, within(20_000))).rows).toEqual([{ n: 0 }])
    }
  })

  it('P8: leaves no file behind, of an answer or of a failure', async () => {
    const left = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith(`phi-tables-${process.pid}-`))
    await tablesOf().ask(COUNT, within(20_000))
    await expect(tablesOf().ask({ ...COUNT, sql: 'SELECT nothing' }, within(20_000))).rejects.toThrow()
    expect(left()).toEqual([])
  })
})

describe('P7: several questions on one opening have one state of the log', () => {
  it('P7: while items are sealed, derived and compacted between two of them', async () => {
    const [own, growing] = [new FolderObjects(join(folder, 'growing-log')), new FolderTables(join(folder, 'growing-tables'))]
    const sealed = emptyLog()
    const derive = async (lane: string): Promise<void> => {
      sealed.seal(laneOf(lane, 6, 8).items, NOON / 1_000 + 60)
      await publish(sealed, own)
      const limits = { log: own, tables: growing, now: () => NOON + 2 * HOUR_MS, limits: SMALL }
      await new TableWriter(limits).pass(TENANT, Number.POSITIVE_INFINITY)
    }
    await derive('kakjK50G.1')
    const read: string[] = []
    const counted: Pick<RemovableObjects, 'get'> = {
      get: async (name) => {
        read.push(name)
        return await growing.get(name)
      },
    }
    const opening = tablesOf({ tables: counted, tail: tabledOnly(own, tenant) })
    const answers = await opening.opened(EVER, within(20_000), async (opened) => {
      const before = await opened.ask(COUNT, within(20_000))
      await derive('kakjK50G.2')
      return [before, await opened.ask(COUNT, within(20_000))]
    })
    const asked = { rows: [{ n: ROWS / 2 }], examined: ROWS / 2, tableSize: 6 }
    expect(answers).toEqual([asked, asked])
    // the manifest and each file once, for both questions
    expect(read).toHaveLength(new Set(read).size)
    expect(await opening.ask(COUNT, within(20_000))).toEqual({ rows: [{ n: ROWS }], examined: ROWS, tableSize: 12 })
  })

  it('P7: each question has the records of its own span, also if they are asked at once', async () => {
    const [early, late] = [
      { ...COUNT, span: { from: 0, to: NOON - 1 } },
      { ...COUNT, span: { from: NOON, to: EVER.to } },
    ]
    const both = await tablesOf().opened(
      EVER,
      within(20_000),
      async (opened) => await Promise.all([early, late, early].map(async (asked) => await opened.ask(asked, within(20_000)))),
    )
    const [none, all] = [
      { rows: [{ n: 0 }], examined: 0 },
      { rows: [{ n: ROWS }], examined: ROWS },
    ]
    expect(both).toMatchObject([none, all, none])
    const beyond = tablesOf().opened(late.span, within(20_000), async (opened) => await opened.ask(early, within(20_000)))
    await expect(beyond).rejects.toThrow(RangeError)
  })

  it('P2: begins the whole work again elsewhere, if one of its questions takes too much memory', async () => {
    const texts =
      'SELECT max(length(t)) AS "n" FROM (SELECT string_agg(repeat(chr(x::INT % 90 + 33), 9000)) AS t FROM range(400000) AS a(x))'
    let works = 0
    const work: Parameters<DuckDbTables['opened']>[2] = async (opened) => {
      works++
      await opened.ask(COUNT, within(60_000))
      return (await opened.ask({ ...COUNT, sql: texts }, within(60_000))).rows
    }
    await expect(tablesOf().opened(EVER, within(60_000), work)).rejects.toMatchObject({ code: 'FILTER_TOO_BROAD' })
    const answer = { rows: [{ n: 1 }], examined: 1, tableSize: 1 }
    const beyond: AuditTables = {
      ask: async () => await Promise.resolve(answer),
      opened: async (_span, _deadline, again) => await again({ ask: async () => await Promise.resolve(answer) }),
    }
    expect(await tablesOf({ beyond }).opened(EVER, within(60_000), work)).toEqual(answer.rows)
    expect(works).toBe(3)
  }, 60_000)
})

describe('P2: a question ends by its deadline, and takes its turn', () => {
  it('P2: interrupts a statement, and then answers the next question', async () => {
    const turns = new Turns()
    const began = performance.now()
    await expect(tablesOf({ turns }).ask(ENDLESS, within(1_500))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    expect((await tablesOf({ turns }).ask(COUNT, within(20_000))).rows).toEqual([{ n: ROWS }])
    expect(performance.now() - began).toBeLessThan(15_000)
  })

  it('P2: a question that waits past its deadline is refused and never runs', async () => {
    const turns = new Turns()
    const slow = tablesOf({ turns }).ask(ENDLESS, within(2_000))
    let reads = 0
    const counted: Pick<RemovableObjects, 'get'> = {
      get: (name) => {
        reads++
        return tables.get(name)
      },
    }
    await expect(tablesOf({ turns, tables: counted }).ask(COUNT, within(300))).rejects.toMatchObject({
      code: 'AUDIT_LOG_UNAVAILABLE',
    })
    await expect(slow).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    await tablesOf({ turns }).ask(COUNT, within(20_000))
    expect(reads).toBe(0)
  })
})

describe('P7: tables that change while a question reads them', () => {
  it('P7: begins again with the next manifest when a file is gone', async () => {
    let gone = 0
    const vanishing: Pick<RemovableObjects, 'get'> = {
      get: async (name) => {
        const object = await tables.get(name)
        if (name.endsWith('.parquet') && gone === 0) {
          gone++
          // the hour is over: its files are replaced, and removed when 15 minutes are over
          clock.time += 2 * HOUR_MS
          await writer().pass(TENANT, Number.POSITIVE_INFINITY)
          await tables.remove(name)
          return undefined
        }
        return object
      },
    }
    expect((await tablesOf({ tables: vanishing }).ask(COUNT, within(20_000))).rows).toEqual([{ n: ROWS }])
    expect(gone).toBe(1)
  })

  it('P7: refuses tables with a file that stays missing, or has other bytes', async () => {
    const missing: Pick<RemovableObjects, 'get'> = {
      get: async (name) => (name.endsWith('.parquet') ? undefined : await tables.get(name)),
    }
    const altered: Pick<RemovableObjects, 'get'> = {
      get: async (name) => {
        const object = await tables.get(name)
        return object && name.endsWith('.parquet') ? { ...object, bytes: object.bytes.slice(1) } : object
      },
    }
    for (const faulty of [missing, altered])
      await expect(tablesOf({ tables: faulty }).ask(COUNT, within(20_000))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    expect(existsSync(join(folder, 'tables'))).toBe(true)
  })
})
