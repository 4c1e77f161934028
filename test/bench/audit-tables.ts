import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TableWriter } from '../../gateway/oversight/tables/table-writer.ts'
import { readManifest } from '../../gateway/oversight/tables/manifest.ts'
import { recount } from '../../gateway/oversight/tables/recount.ts'
import { inScratch } from '../../gateway/oversight/tables/scratch.ts'
import { quoted, TableEngine } from '../../gateway/oversight/tables/table-engine.ts'
import { fetchTable } from '../../gateway/oversight/tables/table-store.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../gateway/store/folder-tables.ts'
import { NOON } from '../gateway/audit/examples.ts'
import { laneOf, type LaneSample, sealedLog } from '../gateway/audit/sealed-log.ts'
import { HOUR_MS, publish, TENANT } from '../gateway/oversight/tables/table-bench.ts'

// `npm run bench:tables [records]`: the size of the audit tables of 1,000,000 field records, the time to derive, compact and recount them,
// and the time of a group-by. The requirement is 7 MB and 0.1 s.

const RECORDS = Number(process.argv[2] ?? 1_000_000)
const RECORDS_OF_ITEM = 8
const LANES = 3
const ROUNDS = 60
const RUNS = 5

// the log is made in another process, so that its sample takes no memory here
const [, , , prepared] = process.argv
const folder = prepared ?? mkdtempSync(join(tmpdir(), 'phi-bench-tables-'))
const [log, tables] = [new FolderObjects(join(folder, 'log')), new FolderTables(join(folder, 'tables'))]
if (prepared === undefined) await measure()
else await prepare()

async function measure(): Promise<void> {
  try {
    execFileSync(process.execPath, [import.meta.filename, String(RECORDS), folder], { stdio: 'inherit' })
    const writer = new TableWriter({ log, tables, now: () => NOON + 48 * HOUR_MS })
    await timed('derived and compacted', () => writer.pass(TENANT, Number.POSITIVE_INFINITY))
    await timed('recounted', () => recount({ log, tables }, TENANT))
    const { manifest } = await readManifest(tables, TENANT)
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
    console.log(
      `${manifest.records.toLocaleString('en-US')} rows in ${manifest.files.length} files, ${(bytes / 1e6).toFixed(1)} MB`,
    )
    await inScratch(async (scratch) => {
      const paths: string[] = []
      for (const file of manifest.files) paths.push(await fetchTable(tables, file, scratch))
      const engine = await TableEngine.open(scratch)
      const from = `FROM read_parquet([${paths.map(quoted).join()}])`
      for (const sql of [
        `SELECT path, outcome, count(*) ${from} GROUP BY path, outcome`,
        `SELECT "user", patient, count(*) ${from} WHERE outcome = 'DISCLOSED' GROUP BY "user", patient`,
        `SELECT * ${from} WHERE patient = (SELECT min(patient) ${from}) ORDER BY time DESC LIMIT 50`,
      ]) {
        const times: number[] = []
        for (let run = 0; run < RUNS; run++) {
          const began = performance.now()
          await engine.rows(sql)
          times.push(performance.now() - began)
        }
        const shown = sql.replaceAll(from, 'FROM records')
        console.log(`${(times.sort((one, other) => one - other)[2] ?? 0).toFixed(0)} ms (median of ${RUNS}): ${shown}`)
      }
      engine.close()
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function prepare(): Promise<void> {
  const items = Math.ceil(RECORDS / RECORDS_OF_ITEM / LANES)
  const lanes = Array.from(
    { length: LANES },
    (_, lane): LaneSample => laneOf(`kakjK50G.${lane + 1}`, items, RECORDS_OF_ITEM, undefined, 80),
  )
  await publish(sealedLog(lanes, ROUNDS), log)
  const segments = readdirSync(join(folder, 'log', TENANT, 'segments'))
  const bytes = segments.reduce((sum, name) => sum + statSync(join(folder, 'log', TENANT, 'segments', name)).size, 0)
  console.log(`${(items * LANES).toLocaleString('en-US')} items in ${segments.length} segments, ${(bytes / 1e6).toFixed(1)} MB`)
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  let peak = 0
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 20)
  await work()
  clearInterval(watch)
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - began) / 1_000
  console.log(
    `${what} in ${seconds.toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of CPU, at most ${(peak / 1e6).toFixed(0)} MB`,
  )
}
