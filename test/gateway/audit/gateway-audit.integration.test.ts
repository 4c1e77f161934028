import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuditEntry } from '../../../gateway/audit/entry.ts'
import { LaneLog } from '../../../gateway/audit/log.ts'
import { newProcessId, type ProcessId } from '../../../gateway/audit/request-id.ts'
import { parseExport } from '../../../gateway/audit/verify/export.ts'
import { isWholeRequest, verifyReceipt } from '../../../gateway/audit/verify/receipt.ts'
import { composeGateway } from '../../../gateway/compose.ts'
import type { Gateway } from '../../../gateway/create-gateway.ts'
import { clinic as shippedClinic } from '../../../resolvers/clinic.ts'
import { clinicLock, clinicTypeDefs } from '../../../schema/clinic.ts'
import type { GatewayEvent } from '../../../gateway/telemetry/events.ts'
import type { TenantId } from '../../../gateway/model/ids.ts'
import { decodeNodeId } from '../../../gateway/model/node-id.ts'
import { CUT, DROP_ANSWER, type Fault, HANG, HOLD_ANSWER, PASS, refuse, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { fillWithPatients } from '../../harness/many-patients.ts'
import { at, nodesAt } from '../asking.ts'
import { type ClinicAnswer, read, runClinic, type RunningClinic } from '../../harness/running-clinic.ts'

const RIVERSIDE = 'riverside' as TenantId
const CHART = `query Chart($id: ID!) { patient(id: $id) { familyName birthDate ssn deceasedDate } }`

let clinic: RunningClinic
let faulty: HostileProxy
let writes: DynamoDBClient
/** The process under test. Only its audit calls go through the proxy. */
let gateway: Gateway
let process: ProcessId
const gateways: Gateway[] = []
const events: GatewayEvent[] = []
let patient = ''
/** The physician's answer for the patient while no fault is played. */
let chart: ClinicAnswer

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  const { env } = clinic.stack
  faulty = await startProxy(env.AWS_ENDPOINT_URL_DYNAMODB)
  writes = new DynamoDBClient({ endpoint: faulty.endpoint, maxAttempts: 1, requestHandler: { requestTimeout: 2_000 } })
  await openProcess()
  const panel = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id } } } }')
  patient = (panel.data as { patients: { edges: { node: { id: string } }[] } }).patients.edges[0]?.node.id ?? ''
  chart = await clinic.ask('physician', CHART, { id: patient })
})
afterAll(async () => {
  for (const opened of gateways) await opened.stop()
  writes.destroy()
  await faulty.stop()
  await clinic.stop()
})
beforeEach(() => faulty.play(() => PASS))

async function openProcess(): Promise<void> {
  const { env } = clinic.stack
  const sink = (event: GatewayEvent): void => void events.push(event)
  process = newProcessId(randomBytes)
  const audit = new LaneLog({ client: writes, table: env.PHI_TABLE_AUDIT, process, now: Date.now, events: sink })
  gateway = await composeGateway({ ...clinic.services, process, audit, events: sink }, env, {
    ...shippedClinic,
    typeDefs: clinicTypeDefs(),
    lock: clinicLock(),
  })
  gateways.push(gateway)
}

/** A lane that retired in another test may still linger. Such a lane belongs to another process. */
const isOurs = ({ operation, body }: ServiceCall): boolean => operation === 'TransactWriteItems' && body.includes(`#${process}.`)

async function ask(user: string, query: string, { variables = {}, withinMs = 5_000 } = {}): Promise<ClinicAnswer> {
  const request = await clinic.requestOf(user, query, variables)
  return read(await gateway.handle({ ...request, deadline: Date.now() + withinMs }))
}

const askChart = async (withinMs?: number): Promise<ClinicAnswer> =>
  await ask('physician', CHART, { variables: { id: patient }, ...(withinMs !== undefined && { withinMs }) })

const recordsOf = async ({ phi }: ClinicAnswer): Promise<AuditEntry[]> =>
  await clinic.services.history.ofRequest(RIVERSIDE, phi.requestId)

const meet = (faults: readonly Fault[], after: Fault = PASS): void => {
  const left = [...faults]
  faulty.play((request) => (isOurs(request) ? (left.shift() ?? after) : PASS))
}

/** The text contains no value that a physician reads of the patient. */
function expectNoPhi(text: string): void {
  const { familyName, birthDate } = (chart.data as { patient: { familyName: string; birthDate: string } }).patient
  expect(familyName.length).toBeGreaterThan(1)
  expect(text).not.toContain(familyName)
  expect(text).not.toContain(birthDate)
}

describe('P2: no answer leaves without its records', () => {
  beforeEach(openProcess)

  it.each<[string, Fault]>([
    ['refuses', refuse('AccessDeniedException')],
    ['is missing', refuse('ResourceNotFoundException')],
    ['is throttled', refuse('ProvisionedThroughputExceededException')],
    ['fails', refuse('InternalServerError', 500)],
    ['cannot be reached', CUT],
    ['does not answer', HANG],
    ['stores the records and does not answer', HOLD_ANSWER],
  ])('P2: if an audit table %s, the answer is AUDIT_UNAVAILABLE without data or values', async (_, fault) => {
    meet([], fault)
    const answer = await askChart(1_500)
    expect(answer.status).toBe(503)
    expect(JSON.parse(answer.text)).toEqual({
      errors: [
        { message: 'The access could not be recorded, so nothing is disclosed.', extensions: { code: 'AUDIT_UNAVAILABLE' } },
      ],
      extensions: { phi: { requestId: answer.phi.requestId } },
    })
    expect(answer.headers['cache-control']).toBe('no-store')
    expectNoPhi(answer.text)
    expectNoPhi(JSON.stringify(events))
  })

  it('P2: what is read without PHI needs no audit, and still works', async () => {
    meet([], refuse('AccessDeniedException'))
    const answer = await ask('physician', '{ viewer { tenant } }')
    expect(answer).toMatchObject({ status: 200, data: { viewer: { tenant: 'riverside' } } })
    expect(verifyReceipt([], answer.phi.requestId, String(answer.phi.receipt))).toBe(true)
    expect(faulty.requests.filter(isOurs)).toEqual([])
  })

  it('P2: the next request is answered', async () => {
    expect((await askChart()).text.length).toBe(chart.text.length)
  })
})

describe('P2: 500 patients in one request', () => {
  const FIELDS = 'edges { node { familyName birthDate } }'
  const PAGES = [1, 2, 3, 4, 5]
  /** Five pages of a hundred patients each. */
  const query = `query Pages(${PAGES.slice(1)
    .map((page) => `$after${page}: String!`)
    .join(' ')}) { ${PAGES.map(
    (page) => `page${page}: patients(first: 100${page === 1 ? '' : `, after: $after${page}`}) { ${FIELDS} }`,
  ).join(' ')} }`
  const variables: Record<string, string> = {}

  beforeAll(async () => {
    await fillWithPatients(clinic.stack.dynamodb, clinic.services, RIVERSIDE, 500)
    let after: unknown = null
    for (const page of PAGES.slice(1)) {
      const ids = 'query ($after: String) { patients(first: 100, after: $after) { pageInfo { endCursor } } }'
      after = at((await clinic.ask('billing', ids, { after })).data, 'patients', 'pageInfo', 'endCursor')
      variables[`after${page}`] = String(after)
    }
  })
  beforeEach(openProcess)

  const askPages = async (): Promise<ClinicAnswer> => await ask('billing', query, { variables, withinMs: 15_000 })
  const itemsOf = (records: readonly AuditEntry[]) => parseExport(records.map((record) => JSON.stringify(record)).join('\n')).items

  /** Refuses one of the transactions, however often it is sent. Returns the number of patients in each transaction. */
  function refuseOne(failing: number): ReadonlyMap<unknown, number> {
    const sent = new Map<unknown, number>()
    faulty.play((call) => {
      if (!isOurs(call)) return PASS
      const token = call.json['ClientRequestToken']
      sent.set(token, call.body.split('"gp":').length - 1)
      return [...sent.keys()].indexOf(token) === failing - 1 ? refuse('AccessDeniedException') : PASS
    })
    return sent
  }

  // up to 99 of the 500 items are in a transaction
  it.each<[string, number]>([
    ['in the middle', 3],
    ['at the end', 6],
  ])(
    'P2: a transaction that fails %s: no data leaves, stored records stay, and a retry has another request id',
    async (_, failing) => {
      const sent = refuseOne(failing)
      const failed = await askPages()
      expect(failed.status).toBe(503)
      expect(failed.text).not.toContain('"data"')
      expect(failed.text).not.toContain('"receipt"')
      expect(failed.text).not.toContain('Nguyen')
      expectNoPhi(failed.text)
      // the answer does not wait for the rest, which is stored all the same
      const stored = await vi.waitFor(async () => {
        const patients = [...sent.values()]
        expect(patients).toHaveLength(6)
        const records = await recordsOf(failed)
        expect(itemsOf(records)).toHaveLength(500 - Number(patients[failing - 1]))
        return records
      }, 10_000)
      expect(isWholeRequest(itemsOf(stored), failed.phi.requestId)).toBe(false)

      meet([])
      const answer = await askPages()
      expect(answer.status).toBe(200)
      expect(answer.phi.requestId).not.toBe(failed.phi.requestId)
      for (const page of PAGES) expect(nodesAt(answer.data, `page${page}`)).toHaveLength(100)
      const records = await recordsOf(answer)
      expect(new Set(records.map(({ patient: about, path }) => `${about} ${path}`)).size).toBe(1_000)
      expect(records).toHaveLength(1_000)
      expect(itemsOf(records)).toHaveLength(500)
      expect(isWholeRequest(itemsOf(records), answer.phi.requestId)).toBe(true)
      expect(verifyReceipt(itemsOf(records), answer.phi.requestId, String(answer.phi.receipt))).toBe(true)
      expect(await recordsOf(failed)).toEqual(stored)
    },
  )
})

describe('P2: with its records the answer is right, and each value has exactly one', () => {
  it.each<[string, Fault[]]>([
    ['nothing goes wrong', []],
    ['the answer is dropped after the commit', [DROP_ANSWER]],
    ['it is dropped twice', [DROP_ANSWER, DROP_ANSWER]],
    ['the first send is lost', [CUT]],
    ['the table is throttled for a moment', [refuse('ThrottlingException')]],
  ])('P2: if %s', async (_, faults) => {
    meet(faults)
    const answer = await askChart()
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual(chart.data)
    const records = await recordsOf(answer)
    expect(records.map(({ path, outcome }) => `${path} ${outcome}`).toSorted()).toEqual([
      'Patient.birthDate DISCLOSED',
      'Patient.deceasedDate ABSENT',
      'Patient.familyName DISCLOSED',
      'Patient.ssn DENIED',
    ])
    const { items } = parseExport(records.map((record) => JSON.stringify(record)).join('\n'))
    expect(items).toHaveLength(1)
    expect(verifyReceipt(items, answer.phi.requestId, String(answer.phi.receipt))).toBe(true)
    expect(isWholeRequest(items, answer.phi.requestId)).toBe(true)
  })

  it('P1: one value under three aliases and on two paths has one record', async () => {
    const twice = `query($id: ID!) { patient(id: $id) { a: familyName b: familyName c: familyName } node(id: $id) { ... on Patient { familyName } } }`
    const answer = await ask('physician', twice, { variables: { id: patient } })
    expect((await recordsOf(answer)).map(({ path }) => path)).toEqual(['Patient.familyName'])
    expect(answer.phi.resolved).toBe(1)
  })

  it('P12: an edge has one record, with the number of records that it returned', async () => {
    const pages = `query($id: ID!) { patient(id: $id) { a: observations(first: 2) { edges { cursor } } b: observations(first: 3) { edges { cursor } } } }`
    const answer = await ask('physician', pages, { variables: { id: patient } })
    expect(answer.status).toBe(200)
    const edges = (await recordsOf(answer)).filter(({ path }) => path === 'Patient.observations')
    expect(edges).toHaveLength(1)
    expect(edges[0]).toMatchObject({ outcome: 'DISCLOSED', view: 'FULL', count: 3, basis: 'CARE_TEAM', recordType: 'Patient' })
  })
})

describe('P9: each outcome is recorded with its reason', () => {
  const ofPath = async (answer: ClinicAnswer, path: string): Promise<AuditEntry | undefined> =>
    (await recordsOf(answer)).find((entry) => entry.path === path)
  const about = (): object => {
    const { patient: id } = decodeNodeId(patient) ?? {}
    return { patient: id, recordType: 'Patient', recordId: id, recordVersion: 1, action: 'READ' }
  }

  it('P9: records disclosed, denied and absent', async () => {
    const answer = await askChart()
    const disclosed = await ofPath(answer, 'Patient.familyName')
    expect(disclosed).toMatchObject({ ...about(), outcome: 'DISCLOSED', view: 'FULL', basis: 'CARE_TEAM' })
    expect(disclosed?.rule).toMatch(/^Patient\.familyName#\d+$/)
    expect(disclosed?.basisId).toMatch(/^[\w-]{22}$/)
    const denied = await ofPath(answer, 'Patient.ssn')
    expect(denied).toMatchObject({ ...about(), outcome: 'DENIED', reason: 'ROLE' })
    for (const name of ['view', 'basis', 'basisId', 'since']) expect(denied).not.toHaveProperty(name)
    const absent = await ofPath(answer, 'Patient.deceasedDate')
    expect(absent).toMatchObject({ ...about(), outcome: 'ABSENT', basis: 'CARE_TEAM' })
    expect(absent).not.toHaveProperty('reason')
  })

  it("P9: records the caller's roles, the purpose, the source and the operation", async () => {
    const answer = await askChart()
    const entry = await ofPath(answer, 'Patient.familyName')
    expect(entry).toMatchObject({
      tenant: 'riverside',
      requestId: answer.phi.requestId,
      roles: ['PHYSICIAN'],
      purpose: 'TREAT',
      sourceIp: '127.0.0.1',
      operation: 'Chart',
      persisted: false,
    })
    expect(entry?.operationHash).toMatch(/^[\da-f]{64}$/)
    expect(entry?.policy).toMatch(/^[\da-f]{64}$/)
    expect(entry?.userAgent).toMatch(/^[\w-]{11}$/)
    expectNoPhi(JSON.stringify(await recordsOf(answer)))
  })

  it('P9: records masked with the view', async () => {
    const answer = await ask('billing', CHART, { variables: { id: patient } })
    expect(await ofPath(answer, 'Patient.ssn')).toMatchObject({
      ...about(),
      outcome: 'MASKED',
      view: 'LAST4',
      basis: 'ORGANIZATION',
      purpose: 'HPAYMT',
    })
    expect((answer.data as { patient: { ssn: string } }).patient.ssn).toMatch(/^\*\*\*-\*\*-\d{4}$/)
  })

  it('P9: records unavailable with the reason, for a sealed value in a foreign place', async () => {
    const id = String(decodeNodeId(patient)?.patient)
    await clinic.stack.dynamodb.send(
      new UpdateItemCommand({
        TableName: clinic.stack.env.PHI_TABLE_RECORDS,
        Key: { pk: { S: `riverside#${id}` }, sk: { S: `Patient#${id}` } },
        UpdateExpression: 'SET #email = :other',
        ExpressionAttributeNames: { '#email': 'f:email' },
        ExpressionAttributeValues: { ':other': { B: randomBytes(60) } },
      }),
    )
    const answer = await ask('physician', 'query($id: ID!) { patient(id: $id) { email gender } }', { variables: { id: patient } })
    expect(answer.data).toMatchObject({ patient: { email: null } })
    expect(await ofPath(answer, 'Patient.email')).toMatchObject({
      ...about(),
      outcome: 'UNAVAILABLE',
      reason: 'INTEGRITY',
      basis: 'CARE_TEAM',
    })
    expect(await ofPath(answer, 'Patient.gender')).toMatchObject({ outcome: 'DISCLOSED' })
  })
})
