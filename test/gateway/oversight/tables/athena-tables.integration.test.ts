import { AthenaClient } from '@aws-sdk/client-athena'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TenantId } from '../../../../gateway/model/ids.ts'
import { athenaLiteral } from '../../../../gateway/oversight/tables/athena-literal.ts'
import { AthenaTables } from '../../../../gateway/oversight/tables/athena-tables.ts'
import type { AuditTables } from '../../../../gateway/oversight/tables/audit-tables.ts'
import { readManifest } from '../../../../gateway/oversight/tables/manifest.ts'
import { STATEMENTS } from '../../../../gateway/oversight/tables/statements/statements.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { NotaryBench, SetClock } from '../../audit/notary/notary-bench.ts'
import { type AthenaStandIn, athenaStandIn } from './athena-stand-in.ts'
import { EVER, questionsOf, tailOf, within } from './question-bench.ts'
import { SMALL } from './table-bench.ts'

const NAMES = { workGroup: 'phi-audit', catalog: 'AwsDataCatalog', database: 'phi', table: 'accesses_dev', bucket: 'audit-tables' }

let bench: NotaryBench
let folder: string
let tables: FolderTables
let athena: AthenaStandIn
let client: AthenaClient
let tenant: TenantId
let logOf: (tenant: TenantId) => Parameters<typeof questionsOf>[1]
let adapter: AuditTables
let duckDb: AuditTables
beforeAll(async () => {
  bench = await NotaryBench.start()
  folder = mkdtempSync(join(tmpdir(), 'phi-test-athena-'))
  tables = new FolderTables(folder)
  tenant = bench.tenant()
  const other = bench.tenant()
  const clock = new SetClock('2026-11-28T17:20:00Z')
  // of each tenant, three files, a segment beyond the tables, and items in lanes
  for (const one of [tenant, other]) {
    const write = bench.writer(one, clock)
    const writer = new TableWriter({ log: bench.objects, tables, now: clock.now, limits: SMALL })
    for (let minute = 0; minute < 3; minute++) {
      await write(30)
      await bench.notary(clock).pass(one)
      await writer.pass(one, Number.POSITIVE_INFINITY)
      clock.pass(60)
    }
    await write(7)
    await bench.notary(clock).pass(one)
    await write(5)
  }
  const { services, audit, checkpoints } = bench
  logOf = () => ({ services, audit, checkpoints, tables, now: clock.now })
  athena = await athenaStandIn(folder, NAMES.bucket, NAMES.table)
  client = new AthenaClient({
    endpoint: athena.endpoint,
    region: 'us-east-1',
    maxAttempts: 4,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  adapter = new AthenaTables({
    tenant,
    client,
    names: NAMES,
    tables,
    tail: tailOf(tenant, logOf(tenant)),
    turns: new Turns(),
    now: Date.now,
  })
  duckDb = questionsOf(tenant, logOf(tenant))
})
afterAll(async () => {
  client.destroy()
  await athena.stop()
  await bench.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  athena.fate = 'SUCCEEDED'
  athena.throttled = 0
})

const COUNT = { sql: 'SELECT count(*) AS "n" FROM accesses WHERE "user" = ?', values: ['physician'], span: EVER }
/** The files of tails that are left in the store. */
const leftTails = (): string[] =>
  readdirSync(join(folder, tenant))
    .filter((name) => name === 'questions')
    .flatMap((name) => readdirSync(join(folder, tenant, name)))

describe('C10: Athena and DuckDB answer from the same rows', () => {
  it('C10: with the files of the manifest and the tail of the log, and of this tenant only', async () => {
    expect(await adapter.ask(COUNT, within(20_000))).toEqual({ rows: [{ n: 102 }], examined: 102, tableSize: 90 })
    const [query] = athena.queries.slice(-1)
    const { manifest } = await readManifest(tables, tenant)
    for (const { name } of manifest.files) expect(query?.sql).toContain(`'s3://audit-tables/${name}'`)
    expect(query).toMatchObject({
      parameters: ["'physician'"],
      workGroup: 'phi-audit',
      context: { Catalog: 'AwsDataCatalog', Database: 'phi' },
    })
    expect(leftTails()).toEqual([])
  })

  it('C10: for each statement that the code writes', async () => {
    // the last of each kind has all members or dimensions
    const statements = STATEMENTS.flatMap((kind) => [...kind.forms()].filter((_, at, all) => at % 20 === 0 || at > all.length - 3))
    expect(statements.length).toBeGreaterThan(5)
    for (const statement of statements) {
      const question = { ...statement, span: EVER }
      const [one, other] = [await adapter.ask(question, within(20_000)), await duckDb.ask(question, within(20_000))]
      expect(one.rows, statement.sql).toEqual(other.rows)
      expect(one.examined).toBe(other.examined)
    }
  }, 120_000)

  it('C10: only within the span of the question', async () => {
    const span = { from: Date.parse('2026-11-28T17:21:00Z'), to: Date.parse('2026-11-28T17:21:59.999Z') }
    const question = { ...COUNT, span }
    expect((await adapter.ask(question, within(20_000))).rows).toEqual([{ n: 30 }])
    expect((await duckDb.ask(question, within(20_000))).rows).toEqual([{ n: 30 }])
    const before = { ...COUNT, span: { from: 0, to: 1_000 } }
    expect(await adapter.ask(before, within(20_000))).toMatchObject({ rows: [{ n: 0 }], examined: 12 })
  })

  it('P7: several questions on one opening have one state of the log, and one file of its tail', async () => {
    const asked = athena.queries.length
    const answers = await adapter.opened(EVER, within(20_000), async (opened) => {
      const before = await opened.ask(COUNT, within(20_000))
      expect(leftTails()).toHaveLength(1)
      return [before, await opened.ask(COUNT, within(20_000))]
    })
    expect(answers[0]).toEqual(answers[1])
    const [one, other] = athena.queries.slice(asked).map(({ sql }) => sql)
    expect(one).toBe(other)
    expect(leftTails()).toEqual([])
  })

  it('C10: DuckDB hands over a question with more Parquet than fits, and refuses it without Athena', async () => {
    await expect(questionsOf(tenant, logOf(tenant), { maxBytes: 1_000 }).ask(COUNT, within(20_000))).rejects.toMatchObject({
      code: 'FILTER_TOO_BROAD',
      add: ['from', 'to'],
    })
    const asked = athena.queries.length
    const both = questionsOf(tenant, logOf(tenant), { maxBytes: 1_000, beyond: adapter })
    expect((await both.ask(COUNT, within(20_000))).rows).toEqual([{ n: 102 }])
    expect(athena.queries.length).toBe(asked + 1)
  })
})

describe('P2: a question that Athena does not answer is refused', () => {
  it.each(['FAILED', 'CANCELLED'] as const)('P2: %s', async (fate) => {
    athena.fate = fate
    await expect(adapter.ask(COUNT, within(20_000))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    expect(athena.queries.at(-1)?.isStopped).toBe(false)
    expect(leftTails()).toEqual([])
  })

  it('P2: stops a query that does not end by the deadline', async () => {
    athena.fate = 'ENDLESS'
    await expect(adapter.ask(COUNT, within(3_000))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
    await expect.poll(() => athena.queries.at(-1)?.isStopped, { timeout: 5_000 }).toBe(true)
    await expect.poll(leftTails, { timeout: 5_000 }).toEqual([])
  })

  it('P2: repeats a call that is throttled, and gives up in the end', async () => {
    athena.throttled = 2
    expect((await adapter.ask(COUNT, within(30_000))).rows).toEqual([{ n: 102 }])
    athena.throttled = 1_000
    await expect(adapter.ask(COUNT, within(30_000))).rejects.toMatchObject({ code: 'AUDIT_LOG_UNAVAILABLE' })
  }, 60_000)

  it('P2: refuses a text that is longer than Athena takes, before it reads the tail', async () => {
    const asked = athena.queries.length
    const long = { ...COUNT, sql: `${COUNT.sql} AND "path" <> '${'x'.repeat(262_144)}'` }
    await expect(adapter.ask(long, within(20_000))).rejects.toMatchObject({ code: 'FILTER_TOO_BROAD' })
    expect(athena.queries.length).toBe(asked)
  })
})

describe('C10: a value is a literal of its type, whatever it holds', () => {
  it.each([
    ["it's", "'it''s'"],
    ["' OR 1=1 --", "''' OR 1=1 --'"],
    ["\\' ?", "'\\'' ?'"],
    ['', "''"],
    [9_007_199_254_740_991, '9007199254740991'],
    [-0, '0'],
    [true, 'true'],
  ])('C10: %j is %s', (value, literal) => {
    expect(athenaLiteral(value)).toBe(literal)
  })

  it.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '\ud800'])('C10: refuses %j', (value) => {
    expect(() => athenaLiteral(value)).toThrow(TypeError)
  })

  it('C10: a text that looks like SQL selects the records with this text', async () => {
    for (const text of ["' OR '1'='1", "physician' --", '\\', "'; DROP TABLE accesses; --"]) {
      const question = { ...COUNT, values: [text] }
      expect((await adapter.ask(question, within(20_000))).rows, text).toEqual([{ n: 0 }])
    }
  })
})
