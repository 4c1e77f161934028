import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SchemaPath, TypeName } from '../../../../directives/coordinates.ts'
import type { PurposeOfUse, Role } from '../../../../directives/policy.ts'
import type { TimedAccess } from '../../../../gateway/audit/entry.ts'
import type { ItemDraft } from '../../../../gateway/audit/item-draft.ts'
import { ItemPacker } from '../../../../gateway/audit/item-packer.ts'
import { Deadline } from '../../../../gateway/model/deadline.ts'
import type { Instant, PatientId, RecordId, RequestId, TenantId } from '../../../../gateway/model/ids.ts'
import type { AuditTables } from '../../../../gateway/oversight/tables/audit-tables.ts'
import { DuckDbTables } from '../../../../gateway/oversight/tables/duckdb-tables.ts'
import { TableWriter } from '../../../../gateway/oversight/tables/table-writer.ts'
import { Turns } from '../../../../gateway/oversight/tables/turns.ts'
import { FolderObjects } from '../../../../gateway/store/folder-objects.ts'
import { FolderTables } from '../../../../gateway/store/folder-tables.ts'
import { linked } from '../../audit/audit-arbitraries.ts'
import { context } from '../../audit/examples.ts'
import { sealedByTime } from '../../audit/sealed-log.ts'
import { clinic } from '../../decide/clinic-policy.ts'
import { tabledOnly } from '../tables/question-bench.ts'
import { publish, recordsIn, TENANT } from '../tables/table-bench.ts'

export const YEAR = { from: Date.parse('2026-01-01T00:00:00Z'), to: Date.parse('2026-12-31T23:59:59.999Z') }
const DAY_MS = 86_400_000

/** One request to one patient, as the log records it. */
export interface Visit {
  readonly at: number
  readonly user: string
  readonly roles: readonly string[]
  readonly purpose: PurposeOfUse
  readonly patient: string
  readonly policy?: string
  readonly client?: string
  readonly session?: string
  readonly sourceIp?: string
  readonly accesses: readonly (Partial<TimedAccess> & Pick<TimedAccess, 'outcome'>)[]
}

/** An id of a patient that is the same for each number. */
export const patientNumber = (number: number): PatientId =>
  createHash('sha256').update(`patient ${number}`).digest('base64url').slice(0, 22) as PatientId

/** A record of a value, with the grant of the policy that a role has for it; undefined if it has none. */
export function readBy(role: string, path: string): Partial<TimedAccess> & Pick<TimedAccess, 'outcome'> {
  const grant = clinic.policy.phi
    .get(path as SchemaPath)
    ?.grants.find((one) => one.roles.has(role as Role) && one.actions.has('READ'))
  if (grant === undefined) return { path: path as SchemaPath, outcome: 'DENIED', reason: 'ROLE' }
  const { rule, view, relationship } = grant
  return { path: path as SchemaPath, outcome: view === 'FULL' ? 'DISCLOSED' : 'MASKED', view, rule, basis: relationship }
}

function draftsOf({ accesses, at, patient, roles, policy, ...same }: Visit, number: number): ItemDraft[] {
  const requestId = createHash('sha256').update(`visit ${number}`).digest('base64url').slice(0, 20) as RequestId
  const packer = new ItemPacker(context({ ...same, roles, requestId, policy: policy ?? clinic.policy.digest }))
  return packer.ofWrite(
    accesses.map((one): TimedAccess => {
      const path = one.path ?? ('Patient.familyName' as SchemaPath)
      const recordType = (path.split('.')[0] ?? 'Patient') as TypeName
      const where = recordType === 'Query' ? {} : { recordType, recordId: patient as RecordId }
      return { at: at as Instant, patient: patient, path, action: 'READ', ...where, ...one }
    }),
  )
}

/** The records of visits in Parquet tables, and as plain objects for an independent count. */
export interface VisitTables {
  readonly tables: AuditTables
  readonly records: readonly Readonly<Record<string, unknown>>[]
  close(): void
}

/** Seals visits by day and derives their tables. */
export async function tablesOfVisits(visits: readonly Visit[], { withRecords = true } = {}): Promise<VisitTables> {
  const folder = mkdtempSync(join(tmpdir(), 'phi-test-reports-'))
  const ordered = visits.toSorted((one, other) => one.at - other.at)
  const log = sealedByTime([{ lane: 'kakjK50G.1', items: linked(ordered.flatMap(draftsOf), 'kakjK50G.1') }], DAY_MS)
  const tenant = TENANT as TenantId
  const [objects, tables] = [new FolderObjects(join(folder, 'log')), new FolderTables(join(folder, 'tables'))]
  await publish(log, objects)
  await new TableWriter({ log: objects, tables, now: () => YEAR.to + 3 * DAY_MS }).pass(TENANT, Number.POSITIVE_INFINITY)
  return {
    tables: new DuckDbTables({ tenant, tables, tail: tabledOnly(objects, tenant), turns: new Turns() }),
    records: withRecords ? recordsIn(log) : [],
    close: () => rmSync(folder, { recursive: true }),
  }
}

/** Time enough for a test. */
export const inAMinute = (): Deadline => new Deadline(Date.now() + 60_000, { now: Date.now, monotonic: () => performance.now() })

const STAFF = [
  {
    role: 'PHYSICIAN',
    users: 60,
    purpose: 'TREAT',
    paths: ['familyName', 'givenName', 'birthDate', 'gender', 'mrn', 'address.city'],
  },
  { role: 'NURSE', users: 80, purpose: 'TREAT', paths: ['familyName', 'birthDate', 'phone', 'encounters', 'conditions', 'gender'] },
  { role: 'BILLING', users: 25, purpose: 'HPAYMT', paths: ['familyName', 'birthDate', 'mrn', 'ssn', 'address.postalCode'] },
  { role: 'FRONT_DESK', users: 30, purpose: 'HOPERAT', paths: ['familyName', 'birthDate', 'phone', 'email', 'mrn'] },
] as const satisfies readonly { role: string; users: number; purpose: PurposeOfUse; paths: readonly string[] }[]

/** A generator of numbers from 0 to 1 that repeats for each seed. @source mulberry32 */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A year of a clinic's staff: about `records` records of 2,000 patients and 195 users, 8 records in a visit. */
export function clinicYear(records: number, seed = 15): Visit[] {
  const random = numbersFrom(seed)
  const pick = <Of>(list: readonly Of[]): Of => list[Math.floor(random() * list.length)] as Of
  return Array.from({ length: Math.ceil(records / 8) }, (): Visit => {
    const { role, users, purpose, paths } = pick(STAFF)
    const user = `${role.toLowerCase()}-${Math.floor(random() * users)}`
    return {
      at: YEAR.from + Math.floor(random() * (YEAR.to - YEAR.from)),
      user,
      roles: [role],
      purpose,
      patient: patientNumber(Math.floor(random() * 2_000)),
      client: `app-${role.toLowerCase()}`,
      session: `${user}-s`,
      sourceIp: `192.0.2.${Math.floor(random() * 40)}`,
      accesses: Array.from({ length: 8 }, () =>
        random() < 0.03 ? readBy(role, 'Patient.email.none') : readBy(role, `Patient.${pick(paths)}`),
      ),
    }
  })
}
