import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../running-clinic.ts'
import { at, auditOf, first, nodesAt, outcomesOf, patientsOf, workOf } from './asking.ts'
import { type Fate, startStoreProxy, type StoreProxy, type StoreRequest } from './store-proxy.ts'

const CANARY = 'canary-of-the-store'
const ON_PANEL = 12

let clinic: RunningClinic
let proxy: StoreProxy
/** A process whose way to the tables leads through the proxy. */
let behind: Awaited<ReturnType<RunningClinic['another']>>
let id: string
let whole: ClinicAnswer

const PANEL = '{ patients(first: 100) { edges { node { id familyName } } } }'
const OBSERVATIONS = 'query ($id: ID!) { patient(id: $id) { familyName observations { edges { node { category } } } } }'

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
  whole = await clinic.ask('physician', PANEL)
  proxy = await startStoreProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // the SDK reads the variable itself, at a client's first request
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.url
  behind = await clinic.another()
  await behind.ask('physician', PANEL)
  await behind.ask('frontdesk', PANEL)
})
afterAll(async () => {
  await clinic.stop()
  await proxy.stop()
})
afterEach(() => {
  proxy.script = () => ({ kind: 'PASS' })
})

const PASS: Fate = { kind: 'PASS' }
const tableOf = ({ operation, body }: StoreRequest): string =>
  operation === 'BatchGetItem' ? first(Object.keys(body['RequestItems'] as object)) : String(body['TableName'])
const isRead = (request: StoreRequest, table: string): boolean =>
  ['BatchGetItem', 'Query'].includes(request.operation) && tableOf(request) === table
const asksForIndex = ({ body }: StoreRequest): boolean => JSON.stringify(body).includes('#INDEX')
const fails = (name: string): Fate => ({
  kind: 'ANSWER',
  status: name === 'InternalServerError' ? 500 : 400,
  body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: CANARY },
})

describe('P12: a list is complete or it is an error', () => {
  it('what DynamoDB leaves out of a batch is asked for again', async () => {
    const table = clinic.stack.env.PHI_TABLE_RECORDS
    const sizes: number[] = []
    proxy.script = (request) => {
      if (request.operation !== 'BatchGetItem' || tableOf(request) !== table) return PASS
      const asked = at(request.body, 'RequestItems', table) as { Keys: object[] }
      sizes.push(asked.Keys.length)
      // five at a time, and the rest is left out
      const [now, later] = [asked.Keys.slice(0, 5), asked.Keys.slice(5)]
      return {
        kind: 'PASS',
        body: { ...request.body, RequestItems: { [table]: { ...asked, Keys: now } } },
        change: (answer) => (later.length === 0 ? answer : { ...answer, UnprocessedKeys: { [table]: { ...asked, Keys: later } } }),
      }
    }
    const { result, requests } = await workOf(behind, () => behind.ask('physician', PANEL))
    expect(sizes).toEqual([12, 7, 2])
    expect(requests.records).toBe(3)
    expect(result.data).toEqual(whole.data)
    expect(result.errors).toEqual([])
    expect(result.phi.resolved).toBe(ON_PANEL)
  })

  it('a batch that is never finished is an error for every place, and recorded for every value', async () => {
    const table = clinic.stack.env.PHI_TABLE_RECORDS
    const asked: unknown[] = []
    proxy.script = (request) => {
      if (request.operation !== 'BatchGetItem' || tableOf(request) !== table) return PASS
      asked.push(request)
      const answer = { Responses: { [table]: [] }, UnprocessedKeys: request.body['RequestItems'] }
      return { kind: 'ANSWER', status: 200, body: answer }
    }
    const answer = await behind.ask('physician', PANEL)
    expect(asked).toHaveLength(8)
    expect(answer.status).toBe(200)
    expect(nodesAt(answer.data, 'patients')).toEqual(Array.from({ length: ON_PANEL }, () => null))
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'PatientEdge.node', count: ON_PANEL } },
    ])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(
      Array.from({ length: ON_PANEL }, () => 'Patient.familyName UNAVAILABLE STORE'),
    )
  })

  it('short pages of a query are followed to the end, of observations, of a tenant and of a panel', async () => {
    const limits: unknown[] = []
    proxy.script = ({ operation, body }) => {
      if (operation !== 'Query') return PASS
      limits.push(body['Limit'])
      return { kind: 'PASS', body: { ...body, Limit: 2 } }
    }
    expect(await patientsOf(behind, 'physician')).toEqual(nodesAt(whole.data, 'patients').map((node) => at(node, 'id')))
    expect(limits.length).toBeGreaterThan(ON_PANEL / 2 - 1)
    expect(await patientsOf(behind, 'frontdesk')).toHaveLength(ON_PANEL)
    const answer = await behind.ask('physician', OBSERVATIONS, { id })
    expect(nodesAt(answer.data, 'patient', 'observations')).toHaveLength(12)
    // a full page is not asked for more than it needs
    const page = await behind.ask('physician', '{ patients(first: 3) { edges { node { id } } pageInfo { hasNextPage } } }')
    expect(nodesAt(page.data, 'patients')).toHaveLength(3)
    expect(at(page.data, 'patients', 'pageInfo', 'hasNextPage')).toBe(true)
  })
})

describe('P8, P9: a table that fails is unavailable, and nothing else', () => {
  it.each(['ProvisionedThroughputExceededException', 'InternalServerError'])('one %s is passed over', async (name) => {
    let failures = 1
    proxy.script = (request) => (isRead(request, clinic.stack.env.PHI_TABLE_RECORDS) && failures-- > 0 ? fails(name) : PASS)
    const answer = await behind.ask('physician', PANEL)
    expect(failures).toBeLessThan(0)
    expect(answer.data).toEqual(whole.data)
  })

  const tables = [
    ['records', 'PHI_TABLE_RECORDS'],
    ['access', 'PHI_TABLE_ACCESS'],
  ] as const
  it.each(tables)('the %s table that fails for good: no value, no reason, an event and a record', async (_name, variable) => {
    proxy.script = (request) => (isRead(request, clinic.stack.env[variable]) ? fails('AccessDeniedException') : PASS)
    const from = behind.events.length
    const answer = await behind.ask('physician', OBSERVATIONS, { id })
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual({ patient: null })
    expect(answer.errors).toEqual([
      {
        message: 'This cannot be given at the moment.',
        path: ['patient'],
        extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Query.patient', count: 1, paths: [['patient']] },
      },
    ])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
      'Patient.familyName UNAVAILABLE STORE',
      'Patient.observations UNAVAILABLE STORE',
    ])
    const events = behind.events.slice(from)
    expect(events).toContainEqual(expect.objectContaining({ event: 'STORE_UNAVAILABLE', cause: 'AccessDeniedException' }))
    expect(JSON.stringify([answer, events])).not.toContain(CANARY)
  })

  it('a list that cannot be read is null with an error, beside what could be read', async () => {
    proxy.script = (request) => (request.operation === 'Query' || asksForIndex(request) ? fails('AccessDeniedException') : PASS)
    const answer = await behind.ask('physician', OBSERVATIONS, { id })
    expect(at(answer.data, 'patient', 'familyName')).toEqual(expect.any(String))
    expect(at(answer.data, 'patient', 'observations')).toBeNull()
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Patient.observations' } }])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
      'Patient.familyName DISCLOSED',
      'Patient.observations UNAVAILABLE STORE',
    ])
    const panel = await behind.ask('physician', PANEL)
    expect(panel.data).toEqual({ patients: null })
    expect(panel.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'Query.patients' } }])
  })

  it('a keys table that fails stops cold processes alone', async () => {
    proxy.script = (request) => (isRead(request, clinic.stack.env.PHI_TABLE_KEYS) ? fails('AccessDeniedException') : PASS)
    expect((await behind.ask('physician', PANEL)).data).toEqual(whole.data)
    const cold = await clinic.another()
    const answer = await cold.ask('physician', PANEL)
    expect(answer.data).toEqual({ patients: null })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(JSON.stringify(cold.events)).not.toContain(CANARY)
  })

  it('a dropped connection is tried again', async () => {
    let drops = 1
    proxy.script = (request) => (isRead(request, clinic.stack.env.PHI_TABLE_RECORDS) && drops-- > 0 ? { kind: 'DROP' } : PASS)
    expect((await behind.ask('physician', PANEL)).data).toEqual(whole.data)
  })
})
