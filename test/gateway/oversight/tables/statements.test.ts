import { build } from 'esbuild'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ANOMALY_STATEMENTS } from '../../../../gateway/oversight/anomalies/statements.ts'
import { REPORT_STATEMENTS } from '../../../../gateway/oversight/reports/report-statements.ts'
import { ALL_NAMES } from '../../../../gateway/oversight/tables/columns.ts'
import { STATEMENTS } from '../../../../gateway/oversight/tables/statements/statements.ts'
import { clinic } from '../../decide/clinic-policy.ts'
import { overRecords } from './question-bench.ts'

/** The part of the parser that is used here. */
interface TrinoParser {
  validate(sql: string): readonly { readonly message: string }[]
}

let folder: string
let parser: TrinoParser
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phi-test-trino-'))
  const outfile = join(folder, 'trino.mjs')
  // its modules have no extensions in their imports, which Node does not load
  await build({
    stdin: { contents: "export { TrinoSQL } from 'dt-sql-parser/dist/parser/trino'", resolveDir: process.cwd() },
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'error',
  })
  const { TrinoSQL } = (await import(pathToFileURL(outfile).href)) as { TrinoSQL: new () => TrinoParser }
  parser = new TrinoSQL()
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const statements = STATEMENTS.flatMap((kind) =>
  [...kind.forms()].map((statement, at) => ({ name: `${kind.name} ${at}`, ...statement })),
)
/** Those of reports and of the detection too, which other tests run. */
const texts: readonly { readonly name: string; readonly sql: string }[] = [
  ...statements,
  ...Object.entries(REPORT_STATEMENTS(clinic.policy)).map(([name, sql]) => ({ name, sql })),
  ...ANOMALY_STATEMENTS.map((sql, at) => ({ name: `anomalies ${at}`, sql })),
]

/** The clause that a mark of a value is in: the last keyword of a clause before it. */
const clauseOf = (text: string): string =>
  [...text.matchAll(/\b(SELECT|FROM|ON|WHERE|VALUES|GROUP BY|HAVING|ORDER BY|LIMIT)\b/g)].at(-1)?.[0] ?? ''

describe('C10: each statement is in the SQL that DuckDB and Athena have in common', () => {
  it('C10: parses with the grammar of Trino, which refuses the dialect of DuckDB', () => {
    expect(statements.length).toBeGreaterThan(50)
    const faults = texts.flatMap(({ name, sql }) => parser.validate(`${sql};`).map(({ message }) => `${name}: ${message}`))
    expect(faults).toEqual([])
    for (const dialect of [
      'FROM accesses',
      'SELECT * EXCLUDE (tenant) FROM accesses',
      'SELECT a::VARCHAR FROM accesses',
      "SELECT ['a']",
    ])
      expect(parser.validate(`${dialect};`), dialect).not.toEqual([])
  }, 60_000)

  it('C10: runs in DuckDB with its values', async () => {
    await overRecords(
      [[{ tenant: 'riverside', lane: 'l.1', sequence: 1, time: '2026-03-01T12:00:00.000Z', action: 'READ' }]],
      async (ask) => {
        for (const { name, sql, values } of statements) {
          expect(sql.split('?').length - 1, name).toBe(values.length)
          await ask({ sql, values })
        }
      },
    )
  }, 60_000)

  it('C10: has values in a WHERE only, which is where Athena accepts them', () => {
    for (const { name, sql } of texts)
      for (let at = sql.indexOf('?'); at >= 0; at = sql.indexOf('?', at + 1)) expect(clauseOf(sql.slice(0, at)), name).toBe('WHERE')
  })

  it('C10: names its columns in small letters, as Athena returns them, or as a column of the tables', () => {
    for (const { name, sql } of texts)
      for (const [, alias = ''] of sql.matchAll(/ AS "(\w+)"/g))
        expect(alias === alias.toLowerCase() || ALL_NAMES.includes(alias), `${name}: ${alias}`).toBe(true)
  })
})
