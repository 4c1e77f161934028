import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keysCommand } from '../../../cli/keys.ts'
import { searchIndexes } from '../../../directives/searchable.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { tenantRotation } from '../../../gateway/admin/key-admin.ts'
import type { AuditContext } from '../../../gateway/audit/entry.ts'
import { newRequestId } from '../../../gateway/audit/request-id.ts'
import type { Services } from '../../../gateway/compose.ts'
import type { PatientId, RecordId } from '../../../gateway/model/ids.ts'
import { encodeNodeId } from '../../../gateway/model/node-id.ts'
import { RecordWriter } from '../../../gateway/store/record-writer.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { runCommand } from '../../cli/run-command.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, nodesAt, RIVERSIDE } from '../asking.ts'

/** `npm run campaign -- rotation` has 10,000 patients. */
const PATIENTS = Number(process.env['ROTATION_PATIENTS'] ?? 60)
const PROCESS = fileURLToPath(new URL('rotation-process.ts', import.meta.url))
const INDEXES = searchIndexes(clinicLock())
const DIGEST = 'f'.repeat(64)
const MANY = { CLINICIAN: 1_000_000, STAFF: 1_000_000 }
const LIMITS = JSON.stringify({ hour: MANY, searches: MANY })
const MINUTE = 60_000
const SEARCH = 'query ($mrn: String) { found: patientsByIdentifier(mrn: $mrn, first: 5) { edges { node { id mrn } } } }'
/** Two patients that the load does not change have one phone. */
const SHARED: ReadonlySet<string> = new Set(['MR 0', 'MR 1'])
const BY_PHONE =
  'query ($after: String) { found: patientsByIdentifier(phone: "555 0100 77", first: 1, after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }'
const READ = 'query ($id: ID!) { patient(id: $id) { familyName mrn } }'

let clinic: RunningClinic
let later = 0
const patients: PatientId[] = []
/** The number of a patient changes with each update. */
const numbers = new Map<PatientId, string>()

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  const { services } = await clinic.another()
  for (let start = 0; start < PATIENTS; start += 8) {
    const some = Array.from({ length: Math.min(8, PATIENTS - start) }, () => randomBytes(16).toString('base64url') as PatientId)
    await Promise.all(some.map(async (patient, index) => await write(services, patient, `MR ${start + index}`)))
    patients.push(...some)
  }
}, 3_000_000)
afterAll(() => clinic.stop(), 3_000_000)

async function write(services: Services, patient: PatientId, mrn: string): Promise<void> {
  const context: AuditContext = {
    tenant: RIVERSIDE,
    requestId: newRequestId(services.process, services.now(), randomBytes),
    user: 'test',
    roles: [],
    purpose: 'HOPERAT',
    persisted: false,
    policy: DIGEST,
  }
  const record = {
    ref: { type: 'Patient' as TypeName, patient, id: patient as string as RecordId },
    values: new Map([
      ['Patient.mrn' as SchemaPath, mrn],
      ['Patient.familyName' as SchemaPath, `Name ${mrn}`],
      ['Patient.birthDate' as SchemaPath, '1980-02-03'],
      ...(SHARED.has(mrn) ? [['Patient.phone' as SchemaPath, '555 0100 77'] as const] : []),
    ]),
    metadata: { open: {}, references: {}, source: mrn },
  }
  const writer = new RecordWriter({ ...services, searchable: INDEXES, history: services.recordHistory })
  await writer.write(context, { patient, records: [record], access: [] })
  numbers.set(patient, mrn)
}

const idOf = (patient: PatientId): string =>
  encodeNodeId({ type: 'Patient' as TypeName, patient, id: patient as string as RecordId })
const found = ({ data }: ClinicAnswer): unknown[] => nodesAt(data, 'found').map((node) => at(node, 'id'))

async function searchRows(): Promise<string[]> {
  const rows: string[] = []
  let next: Record<string, unknown> | undefined
  do {
    const page = await clinic.stack.dynamodb.send(
      new ScanCommand({ TableName: clinic.stack.env.PHI_TABLE_SEARCH, ExclusiveStartKey: next as never }),
    )
    rows.push(...(page.Items ?? []).map(({ pk, sk }) => `${pk?.S ?? ''} ${sk?.S ?? ''}`))
    next = page.LastEvaluatedKey
  } while (next !== undefined)
  return rows.filter((row) => row.startsWith('riverside#')).toSorted()
}

/** The entries of a shared number, one in a page, after a cursor. */
async function pagesOf({ ask }: Pick<RunningClinic, 'ask'>, after?: unknown): Promise<{ id: unknown; cursor: unknown }[]> {
  const pages: { id: unknown; cursor: unknown }[] = []
  for (let cursor = after; pages.length < 5; ) {
    const { data, errors } = await ask('frontdesk', BY_PHONE, { after: cursor })
    expect(errors).toEqual([])
    const id = at(nodesAt(data, 'found')[0], 'id')
    cursor = at(data, 'found', 'pageInfo', 'endCursor')
    pages.push({ id, cursor })
    if (at(data, 'found', 'pageInfo', 'hasNextPage') !== true) break
  }
  return pages
}

/** The lookups in the search table of a search with a result, and of one without. */
async function lookupsOf(): Promise<{ hit: number; miss: number }> {
  const { ask, services } = await clinic.another({ now: () => Date.now() + later, env: { PHI_LIMITS: LIMITS } })
  const lookups = async (mrn: string): Promise<number> => {
    const before = services.search.counter.requests
    expect((await ask('frontdesk', SEARCH, { mrn })).errors).toEqual([])
    return services.search.counter.requests - before
  }
  return { hit: await lookups(numbers.get(patients[0] ?? ('' as PatientId)) ?? ''), miss: await lookups('MR NOBODY') }
}

/** Runs a rotation in a process of its own, and kills it when it prints a line that `kill` accepts. */
async function rotateInProcess(kill: (step: string, done: number) => boolean): Promise<string> {
  const child = spawn(process.execPath, [PROCESS, String(later)], { env: process.env, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let last = ''
  for await (const line of createInterface({ input: child.stdout })) {
    last = line
    const [step = '', done = '0'] = line.split(' ')
    if (kill(step, Number(done))) child.kill('SIGKILL')
  }
  await exited
  return last
}

/** Queries, searches and updates without a pause, in two processes whose clocks are half a minute early and late. */
async function underLoad() {
  const seen = { queries: 0, searches: 0, updates: 0, failed: 0, missed: 0, stale: 0 }
  const failures: string[] = []
  const processes = await Promise.all(
    [-30_000, 30_000].map((skew) => clinic.another({ now: () => Date.now() + later + skew, env: { PHI_LIMITS: LIMITS } })),
  )
  const load = { isOver: false }
  // the clock moves between requests: within one, it would spend the time of the request
  let moving: Promise<undefined> | undefined
  let running = 0
  const between = async (one: () => Promise<void>): Promise<void> => {
    while (moving !== undefined) await moving
    running++
    await one().finally(() => running--)
  }
  const anyOf = (from: readonly PatientId[]): PatientId => from[Math.floor(Math.random() * from.length)] ?? ('' as PatientId)
  // readers and the writer have patients of their own, so that a search never overlaps an update of its value
  const half = Math.ceil(patients.length / 2)
  const [read, written] = [patients.slice(0, half), patients.slice(half)]
  const check = (what: string, answer: ClinicAnswer): boolean => {
    if (answer.status === 200 && answer.errors.length === 0) return true
    seen.failed++
    failures.push(`${what} ${answer.text}`)
    return false
  }
  const search = async ({ ask }: (typeof processes)[number], patient: PatientId): Promise<void> => {
    const answer = await ask('frontdesk', SEARCH, { mrn: numbers.get(patient) ?? '' })
    seen.searches++
    if (!check('search', answer)) return
    if (!found(answer).includes(idOf(patient))) seen.missed++
  }
  const query = async ({ ask }: (typeof processes)[number], patient: PatientId): Promise<void> => {
    const answer = await ask('billing', READ, { id: idOf(patient) })
    seen.queries++
    if (check('query', answer) && at(answer.data, 'patient', 'mrn') !== numbers.get(patient)) seen.missed++
  }
  const work = processes.flatMap((one) => [
    (async () => {
      while (!load.isOver) await between(() => search(one, anyOf(read)))
    })(),
    (async () => {
      while (!load.isOver) await between(() => query(one, anyOf(read)))
    })(),
  ])
  const updating = (async () => {
    for (let round = 0; !load.isOver; round++) {
      const [writer, reader] = round % 2 === 0 ? processes : processes.toReversed()
      if (writer === undefined || reader === undefined) throw new Error('two processes')
      const patient = anyOf(written)
      const former = numbers.get(patient) ?? ''
      await between(() => write(writer.services, patient, `MR U${round}`))
      seen.updates++
      await between(() => search(reader, patient))
      await between(async () => {
        const gone = await reader.ask('frontdesk', SEARCH, { mrn: former })
        if (check('search', gone) && found(gone).includes(idOf(patient))) seen.stale++
      })
    }
  })()
  return {
    seen,
    failures,
    processes,
    moveClock: async (by: number) => {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      moving = promise
      while (running > 0) await sleep(1)
      later += by
      moving = undefined
      resolve(undefined)
    },
    end: async () => {
      load.isOver = true
      await Promise.all([...work, updating])
    },
  }
}

describe('P13: the rotation of all keys of a tenant', () => {
  it('loses nothing and misses no hit under load, although each of its steps is killed and started again', async () => {
    const [first, second] = await pagesOf(clinic)
    const load = await underLoad()
    const began = performance.now()
    const kmsBefore = load.processes.map(({ services }) => services.keyring.counts.kms)
    const before = await searchRows()
    try {
      // a killed process can print more before it ends
      expect(await rotateInProcess((step) => step === 'REWRAP')).toMatch(/^(?:REWRAP|WAIT)/)
      expect(await rotateInProcess((step) => step === 'WAIT')).toMatch(/^WAIT/)
      // each process has opened version 1 and version 2 of the tenant key, once
      await sleep(500)
      const kms = load.processes.map(({ services }, index) => services.keyring.counts.kms - (kmsBefore[index] ?? 0))
      for (const calls of kms) expect(calls).toBeLessThanOrEqual(2)
      expect(await lookupsOf()).toEqual({ hit: 2, miss: 2 })
      while (later < 19 * MINUTE) {
        await load.moveClock(20_000)
        await sleep(100)
      }
      const middle = Math.ceil(patients.length / 3)
      expect(await rotateInProcess((step, done) => step === 'REWRITE' && done >= middle)).toMatch(/^REWRITE/)
      expect(await rotateInProcess(() => false)).toBe('END 0')
      // entries of the former key are gone; a process that still knows it has forgotten it five minutes later
      await sleep(500)
      await load.moveClock(5 * MINUTE)
      await sleep(500)
    } finally {
      await load.end()
    }
    const seconds = Math.round((performance.now() - began) / 1000)
    process.stderr.write(`${JSON.stringify({ patients: patients.length, seconds, ...load.seen })}\n`)
    expect(load.failures.slice(0, 3)).toEqual([])
    expect(load.seen).toMatchObject({ failed: 0, missed: 0, stale: 0 })
    expect(load.seen.searches).toBeGreaterThan(50)
    expect(load.seen.updates).toBeGreaterThan(10)
    expect(load.processes.flatMap(({ events }) => events.filter(({ event }) => event === 'INTEGRITY_FAILURE'))).toEqual([])

    expect(await lookupsOf()).toEqual({ hit: 1, miss: 1 })
    const cold = await clinic.another({ now: () => Date.now() + later, env: { PHI_LIMITS: LIMITS } })
    // a page of a search from before the rotation continues
    expect((await pagesOf(cold, first?.cursor)).map(({ id }) => id)).toEqual([second?.id])
    for (const patient of patients) {
      const answer = await cold.ask('frontdesk', SEARCH, { mrn: numbers.get(patient) ?? '' })
      expect(found(answer)).toEqual([idOf(patient)])
    }
    // every key is under version 2 of the tenant key
    expect(cold.services.keyring.counts.kms).toBeLessThanOrEqual(2)
    const after = await searchRows()
    expect(after).toHaveLength(before.length)
    expect(after.filter((row) => before.includes(row))).toEqual([])
    const rotation = tenantRotation(cold.services, DIGEST, INDEXES)
    const { purposeKeys, tenantKeys, run } = await rotation.status(RIVERSIDE)
    expect(purposeKeys.filter(({ use }) => use === 'index').map(({ version, state }) => [version, state])).toEqual([[2, 'CURRENT']])
    expect(tenantKeys.map(({ patientKeys }) => patientKeys > 0)).toEqual([false, true])
    expect(run).toMatchObject({ scope: 'all', step: 'RETIRE', refused: 0, finished: expect.any(Number) as number })
  }, 3_000_000)

  it('is in the status, with versions, ages and due dates', async () => {
    const { code, stdout } = await runCommand(keysCommand(), ['status', 'riverside'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^tenant key version 2 {2}alias\/phi-local {2}purpose keys 9, patient keys \d+, created \d{4}-\d\d-\d\d/m,
    )
    expect(stdout).toMatch(/^index key version 2 {2}under tenant key version 2, /m)
    expect(stdout).toMatch(/^rotation of all keys, started .* finished .*, refused 0$/m)
    expect(stdout).toMatch(/^rotation of index key version 2 {2}due on \d{4}-\d\d-\d\d$/m)
  })
})
