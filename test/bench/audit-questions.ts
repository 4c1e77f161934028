import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { compilePolicy } from '../../directives/compile.ts'
import type { TimedAccess } from '../../gateway/audit/entry.ts'
import { ItemPacker } from '../../gateway/audit/item-packer.ts'
import type { Instant, PatientId, RequestId, TenantId } from '../../gateway/model/ids.ts'
import { accessSummary } from '../../gateway/oversight/access-summary.ts'
import type { AuditReading, Reviewed } from '../../gateway/oversight/audit-reader.ts'
import { fieldAccesses } from '../../gateway/oversight/field-accesses.ts'
import { DuckDbTables } from '../../gateway/oversight/tables/duckdb-tables.ts'
import { readManifest } from '../../gateway/oversight/tables/manifest.ts'
import { TableWriter } from '../../gateway/oversight/tables/table-writer.ts'
import { Turns } from '../../gateway/oversight/tables/turns.ts'
import { FolderObjects } from '../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../gateway/store/folder-tables.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { linked } from '../gateway/audit/audit-arbitraries.ts'
import { access, context } from '../gateway/audit/examples.ts'
import { SealedLog } from '../gateway/audit/sealed-log.ts'
import { tabledOnly, within } from '../gateway/oversight/tables/question-bench.ts'
import { publish, TENANT } from '../gateway/oversight/tables/table-bench.ts'

// `npm run bench:audit [records] [folder]`: the time and the memory of questions over the audit tables of 1,000,000 field records of 2,000
// patients and 200 users in a year. The requirement is 2 s each on two cores, and 512 MB. A folder that is named is kept, and used again.

const RECORDS = Number(process.argv[2] ?? 1_000_000)
const RECORDS_OF_ITEM = 8
const PATIENTS = 2_000
const USERS = 200
const DAYS = 365
const DAY_MS = 86_400_000
const FIRST_DAY = Date.parse('2025-03-01T00:00:00Z')
const RUNS = 5

const [, , , given, isPreparing] = process.argv
const folder = given ?? mkdtempSync(join(tmpdir(), 'phi-bench-questions-'))
const [log, tables] = [new FolderObjects(join(folder, 'log')), new FolderTables(join(folder, 'tables'))]

if (isPreparing !== undefined) await prepare()
else
  try {
    // in another process, so that the peak of memory is that of the questions
    if (!existsSync(join(folder, 'tables')))
      execFileSync(process.execPath, [import.meta.filename, String(RECORDS), folder, 'prepare'], { stdio: 'inherit' })
    await measure()
  } finally {
    if (given === undefined) rmSync(folder, { recursive: true })
  }

async function measure(): Promise<void> {
  const tenant = TENANT as TenantId
  const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
  const asked = new DuckDbTables({ tenant, tables, tail: tabledOnly(log, tenant), turns: new Turns() })
  // safe: these roots read tables and policy only
  const reading = { reader: { tenant, tables: asked }, policy, deadline: within(600_000) } as unknown as AuditReading
  const month = { from: '2025-09-01', to: '2025-09-30' }
  const year = { from: '2025-03-01', to: '2026-02-28' }
  const page = (filter: object): Promise<Reviewed> => fieldAccesses({ filter: { ...month, ...filter }, first: 50 }, reading)
  const summary = (groupBy: readonly string[], interval: string): Promise<Reviewed> =>
    accessSummary({ filter: year, groupBy, interval } as never, reading)
  const { manifest } = await readManifest(tables, tenant)
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
  console.log(
    `${manifest.records.toLocaleString('en-US')} records in ${manifest.files.length} files, ${(bytes / 1e6).toFixed(1)} MB`,
  )
  console.log(`${rss()} MB before the first question`)
  const questions: Readonly<Record<string, () => Promise<Reviewed>>> = {
    'fieldAccesses by path, 30 days': () => page({ path: 'Patient.birthDate' }),
    'fieldAccesses by outcome, 30 days': () => page({ outcome: ['DENIED'] }),
    'fieldAccesses by client, 30 days': () => page({ clientId: 'client-3' }),
    'fieldAccesses by category, 30 days': () => page({ category: 'DEMOGRAPHIC' }),
    'accessSummary by day and role, a year': () => summary(['ROLE'], 'DAY'),
    'accessSummary by month, user and outcome, a year': () => summary(['USER', 'OUTCOME'], 'MONTH'),
    'accessSummary by month and category, a year': () => summary(['CATEGORY'], 'MONTH'),
  }
  for (const [name, ask] of Object.entries(questions)) {
    const times: number[] = []
    let count = 0
    const before = process.cpuUsage()
    for (let run = 0; run < RUNS; run++) {
      const began = performance.now()
      count = (await ask()).count
      times.push(performance.now() - began)
    }
    const sorted = times.toSorted((one, other) => one - other)
    const [median = 0, most = 0] = [sorted[Math.floor(RUNS / 2)], sorted.at(-1)]
    const { user, system } = process.cpuUsage(before)
    const cpu = (user + system) / RUNS / 1e6
    console.log(
      `${(median / 1_000).toFixed(2)} s, ${cpu.toFixed(2)} s of CPU (median of ${RUNS}, at most ${(most / 1_000).toFixed(2)} s): ${name}, ${count} rows`,
    )
  }
  console.log(`at most ${rss()} MB in all`)
}

/** The peak of the process, in MB. */
function rss(): string {
  return (process.resourceUsage().maxRSS / 1_000).toFixed(0)
}

async function prepare(): Promise<void> {
  const items = Math.ceil(RECORDS / RECORDS_OF_ITEM)
  const each = Math.ceil(items / DAYS)
  const paths = ['birthDate', 'familyName', 'givenName', 'ssn', 'mrn', 'address', 'gender', 'phone'].map(
    (name) => `Patient.${name}` as SchemaPath,
  )
  const sealed = new SealedLog()
  let number = 0
  for (let day = 0; day < DAYS; day++) {
    const drafts = Array.from({ length: Math.min(each, items - number) }, () => {
      number++
      // spread as a hash is, and the same in each run
      const mixed = createHash('sha256').update(String(number)).digest()
      const user = mixed.readUInt32BE(0) % USERS
      const patient = createHash('sha256')
        .update(`patient ${mixed.readUInt32BE(4) % PATIENTS}`)
        .digest('base64url')
        .slice(0, 22)
      const at = (FIRST_DAY + day * DAY_MS + (mixed.readUInt32BE(8) % DAY_MS)) as Instant
      const packer = new ItemPacker(
        context({
          requestId: mixed.toString('base64url').slice(0, 20) as RequestId,
          user: `user-${user}`,
          roles: user % 4 === 0 ? ['NURSE', 'PHYSICIAN'] : [['NURSE', 'PHYSICIAN', 'BILLING'][user % 3] ?? 'NURSE'],
          client: `client-${user % 7}`,
          organization: `clinic-${user % 5}`,
          operation: 'Chart',
          sourceIp: '192.0.2.7',
          mfa: true,
        }),
      )
      return packer.ofWrite(
        paths.map((path): TimedAccess => {
          const denied = path === 'Patient.ssn' && user % 3 === 2
          const change = denied ? { outcome: 'DENIED' as const, reason: 'ROLE' as const } : { rule: `${path}#1` }
          return access(1 + (number % 3), { at, patient: patient as PatientId, path, ...change })
        }),
      )
    })
    sealed.seal(linked(drafts.flat(), `day${day}.1`), (FIRST_DAY + (day + 1) * DAY_MS) / 1_000 - 60)
  }
  await publish(sealed, log)
  await new TableWriter({ log, tables, now: () => FIRST_DAY + 400 * DAY_MS }).pass(TENANT, Number.POSITIVE_INFINITY)
}
