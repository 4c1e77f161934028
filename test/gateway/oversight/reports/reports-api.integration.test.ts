import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { exposureCommand, reviewCommand } from '../../../../cli/audit-reports.ts'
import { narrowCommand } from '../../../../cli/policy-narrow.ts'
import { openNotary } from '../../../../gateway/open-notary.ts'
import { openTables } from '../../../../gateway/open-tables.ts'
import { clinicLock } from '../../../../schema/clinic.ts'
import { runCommand } from '../../../cli/run-command.ts'
import { runClinic, type RunningClinic } from '../../../harness/running-clinic.ts'
import { at } from '../../asking.ts'
import { CREATE_OBSERVATION, HEART_RATE, RETRACT_OBSERVATION, UPDATE_OBSERVATION } from '../../mutations/record-writing.ts'
import { type AuditDesk, auditDesk } from '../audit-clinic.ts'

let clinic: RunningClinic
let desk: AuditDesk
let patient: string
/** What the physician saw. */
let seen: Readonly<Record<string, string | null>>
const DAY = new Date().toISOString().slice(0, 10)
const SPAN = { from: '2026-01-01', to: '2027-12-31' }
const CHART = '{ patients(first: 1) { edges { node { id familyName birthDate ssn mrn } } } }'

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  desk = auditDesk(clinic)
  const { data } = await clinic.ask('physician', CHART)
  seen = (data as { patients: { edges: { node: Record<string, string | null> }[] } }).patients.edges[0]?.node ?? {}
  patient = seen['id'] ?? ''
  await clinic.ask('billing', CHART)
  await writeObservations()
  expect(await openNotary(clinic.stack.env, { lock: clinicLock(), events: () => undefined }).run()).toBe(true)
  expect(await openTables(clinic.stack.env, { events: () => undefined }).run()).toBe(true)
}, 120_000)
afterEach(() => {
  vi.unstubAllEnvs()
})
afterAll(async () => await clinic.stop())

/** A physician creates two observations, changes the first twice and retracts the second. */
async function writeObservations(): Promise<void> {
  const write = async (query: string, variables: object): Promise<Record<string, unknown>> => {
    const { data, errors } = await clinic.ask('physician', query, { ...variables })
    expect(errors).toEqual([])
    return data ?? {}
  }
  const create = async (key: string): Promise<unknown> =>
    at(await write(CREATE_OBSERVATION, { patient, input: HEART_RATE, key }), 'createObservation', 'record', 'id')
  const [changed, retracted] = [await create('one'), await create('two')]
  for (const [number, interpretation] of ['N', 'H'].entries())
    await write(UPDATE_OBSERVATION, { id: changed, version: number + 1, patch: { interpretation }, key: `update-${number}` })
  await write(RETRACT_OBSERVATION, { id: retracted, version: 1, reason: 'wrong person' })
}

const REVIEW = `query ($from: DateTime!, $to: DateTime!, $role: Role) {
  accessReview(from: $from, to: $to, role: $role) {
    from to role policy examined decidedByAnotherPolicy attributedFrom
    policies { policy inForce records earliest latest }
    grants { rule file line sdl purposes relationship actions view paths { path records }
      roles { role used disclosed masked written withoutValue searches retractions breakGlass users lastUsedAt } }
    neverUsed { rule roles file line sdl narrowed remove paths warning }
    denials { role path action reason records users latest }
    outliers { role userId measure value median score peers evidence }
  }
}`
const COUNT = 'rows { name acquired attempted patients earliest latest } total'
const EXPOSURE = `query ($filter: FieldAccessFilter!) {
  exposureReport(filter: $filter) {
    from to examined records acquired attempted earliest latest
    patients { acquired attemptedOnly complete list { patientId acquired attempted earliest latest } }
    identifiers { letter identifier acquired masked attempted patients }
    categories { name acquired }
    paths { ${COUNT} } days { ${COUNT} } users { ${COUNT} } purposes { ${COUNT} }
    outcomes { outcome view reason records patients means }
    sources { total rows { sourceIp clientId app userAgent acquired attempted patients earliest latest } }
    sessions { total rows { sessionId userId acquired attempted patients earliest latest } }
    breakGlass { acquired attempted } factors { factor text log notInLog }
  }
}`
const INTEGRITY = `query ($from: DateTime!, $to: DateTime!) {
  integrity(from: $from, to: $to) {
    checkpoint { origin size at ageSeconds root signed fault signatures { name keyId known } witnesses knownWitnesses quorum }
    sealedItems unsealedItems oldestUnsealed records tableSize
    verification { outcome reason instead fromSize toSize items records lanes checkpointsVerified checkpointsExpected lateItems findingCount
      findings { kind count places } }
  }
}`
const REVIEWS = `query ($user: ID!) { fieldAccesses(filter: { userId: $user, action: REVIEW }, first: 50) {
  edges { node { path outcome filter count patientId userId } } } }`
const reviewsBy = async (user: string): Promise<Record<string, unknown>[]> => {
  const { data } = await desk.ask('privacy', REVIEWS, { user })
  return (data?.['fieldAccesses'] as { edges: { node: Record<string, unknown> }[] }).edges.map(({ node }) => node)
}

describe("C21: the reports of the auditor's API", () => {
  it('C21: reviews granted beside used, and names the SDL line of a grant', async () => {
    const { data, errors } = await desk.ask('auditor', REVIEW, SPAN)
    expect(errors).toEqual([])
    const review = data?.['accessReview'] as { grants: { rule: string; line: number; roles: Record<string, unknown>[] }[] }
    const ssn = review.grants.find(({ rule }) => rule === 'Patient.ssn#1')
    expect(ssn?.roles).toEqual([expect.objectContaining({ role: 'BILLING', used: true, users: 1 })])
    const change = review.grants.find(({ rule }) => rule === 'Observation#4')
    const written = 2 * Object.keys(HEART_RATE).length + 2
    expect(change?.roles).toEqual([
      expect.objectContaining({ role: 'PHYSICIAN', used: true, written, retractions: 1, withoutValue: 0, disclosed: 0, users: 1 }),
    ])
    const unused = (data?.['accessReview'] as { neverUsed: { rule: string }[] }).neverUsed.map(({ rule }) => rule)
    expect(unused).not.toContain('Observation#4')
    // no nurse wrote
    expect(unused).toContain('Observation#5')
    const one = await desk.ask('privacy', REVIEW, { ...SPAN, role: 'PARTNER' })
    expect(one.errors).toEqual([])
    expect((await reviewsBy('auditor'))[0]).toMatchObject({ path: 'AuditLog.accessReview', outcome: 'REVIEWED' })
  })

  it('C23: reports what a user got, by class', async () => {
    const { data, errors } = await desk.ask('privacy', EXPOSURE, { filter: { ...SPAN, userId: 'billing' } })
    expect(errors).toEqual([])
    const report = data?.['exposureReport'] as { identifiers: Record<string, unknown>[]; patients: { acquired: number } }
    expect(report.identifiers).toContainEqual(expect.objectContaining({ letter: '(G)', identifier: 'SSN', masked: 1 }))
    expect(report.patients.acquired).toBe(1)
  })

  it('C23: records a report about a patient as a review with the patient', async () => {
    const own = await desk.ask('privacy', EXPOSURE, { filter: { ...SPAN, patientId: patient } })
    expect(own.errors).toEqual([])
    expect(await reviewsBy('privacy')).toContainEqual(
      expect.objectContaining({ path: 'AuditLog.exposureReport', patientId: expect.any(String) as string }),
    )
  })

  it('C08: states the last checkpoint, and verifies the log', async () => {
    const { data, errors } = await desk.ask('auditor', INTEGRITY, { from: DAY, to: DAY })
    expect(errors).toEqual([])
    expect(data?.['integrity']).toMatchObject({
      checkpoint: { signed: true, quorum: true, fault: null },
      verification: { outcome: 'VERIFIED', findingCount: 0 },
    })
  })

  it('C23: refuses a report without a time, with what to add', async () => {
    const answer = await desk.ask('auditor', EXPOSURE, { filter: { userId: 'billing', from: '2026-01-01' } })
    expect(answer.errors.map(({ extensions }) => extensions)).toEqual([{ code: 'FILTER_TOO_BROAD', add: ['to'] }])
    const reversed = await desk.ask('auditor', REVIEW, { from: '2027-01-01', to: '2026-01-01' })
    expect(reversed.errors.map(({ extensions }) => extensions['code'])).toEqual(['BAD_USER_INPUT'])
  })

  it.each(['physician', 'patient', 'admin', 'researcher'])('C21: gives %s no report', async (user) => {
    for (const [query, variables] of [
      [REVIEW, SPAN],
      [INTEGRITY, SPAN],
      [EXPOSURE, { filter: SPAN }],
    ] as const) {
      const { errors, data } = await desk.ask(user, query, variables)
      expect(data).toBeUndefined()
      expect(errors.map(({ extensions }) => extensions['code'])).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
    }
  })

  it('P8: has no value of a patient in any report', async () => {
    const values = ['familyName', 'birthDate', 'ssn', 'mrn'].flatMap((name) => seen[name] ?? [])
    expect(values.length).toBeGreaterThanOrEqual(3)
    const texts = [
      (await desk.ask('auditor', REVIEW, SPAN)).text,
      (await desk.ask('auditor', EXPOSURE, { filter: SPAN })).text,
      (await desk.ask('auditor', INTEGRITY, { from: DAY, to: DAY })).text,
    ]
    for (const value of values) for (const text of texts) expect(text).not.toContain(value)
  })
})

describe('C21: the commands of reports', () => {
  const enter = (): void => {
    for (const [name, value] of Object.entries(clinic.stack.env)) vi.stubEnv(name, value)
  }

  it('C21: phi audit review and exposure print for people, and record the operator', async () => {
    enter()
    const span = ['--from', '2026', '--to', '2027']
    const review = await runCommand(reviewCommand(), span)
    expect(review).toMatchObject({ code: 0, stderr: '' })
    expect(review.stdout).toMatch(/Patient\.ssn#1 +BILLING +READ +LAST4/)
    expect(review.stdout).toMatch(/Observation#4 +PHYSICIAN +CREATE UPDATE DELETE +FULL +0 +0 +10 +1 +1 /)
    const exposure = await runCommand(exposureCommand(), [...span, '--user', 'billing'])
    expect(exposure).toMatchObject({ code: 0, stderr: '' })
    expect(exposure.stdout).toContain('(G) SSN')
    const json = JSON.parse((await runCommand(exposureCommand(), [...span, '--user', 'billing', '--json'])).stdout) as {
      records: number
    }
    expect(json.records).toBeGreaterThan(3)
    const entries = await clinic.services.history.entriesBy(
      'user',
      'riverside' as never,
      `os:${(await import('node:os')).userInfo().username}`,
      {},
    )
    const reviews = entries.filter(({ action }) => action === 'REVIEW').map(({ path }) => path)
    expect(reviews).toEqual(['AuditLog.accessReview', 'AuditLog.exposureReport', 'AuditLog.exposureReport'])
  })

  it('C21: phi policy narrow prints a diff of the schema, and says what it leaves', async () => {
    enter()
    const { code, stdout, stderr } = await runCommand(narrowCommand(), ['--from', '2026', '--to', '2027', '--role', 'PARTNER'])
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/\d+ rights end, 0 lines/) as string })
    expect(stdout).toContain('--- a/schema/clinical/patient.graphql\n+++ b/schema/clinical/patient.graphql\n@@ ')
    expect(stdout).toContain('+    @minimumNecessary(roles: [BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)')
  })

  it('C21: phi policy narrow takes a grant to change that nobody used, and leaves one that somebody did', async () => {
    enter()
    const narrow = async (role: string) => await runCommand(narrowCommand(), ['--from', '2026', '--to', '2027', '--role', role])
    const nurse = await narrow('NURSE')
    expect(nurse.code).toBe(0)
    expect(nurse.stdout).toContain('-  @minimumNecessary(roles: [NURSE], actions: [CREATE, UPDATE]) {')
    const physician = await narrow('PHYSICIAN')
    expect(physician.code).toBe(0)
    const files = physician.stdout.split('--- a/')
    const removed = '-  @minimumNecessary(roles: [PHYSICIAN], actions: [CREATE, UPDATE, DELETE])'
    expect(files.find((file) => file.startsWith('schema/clinical/observation.graphql'))).not.toContain(removed)
    expect(files.find((file) => file.startsWith('schema/clinical/immunization.graphql'))).toContain(removed)
  })

  it.each([
    [['--from', '2027', '--to', '2026'], '--from is later'],
    [['--from', '2026', '--to', '2027', '--role', 'NOBODY'], 'the schema has no such role (--role).'],
  ])('C21: phi audit review %j ends with a reason', async (words, reason) => {
    enter()
    const { code, stderr } = await runCommand(reviewCommand(), words)
    expect(code).toBe(1)
    expect(stderr).toContain(reason)
  })
})
