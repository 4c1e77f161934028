import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { CUT, type Fault, PASS, type ServiceCall } from '../../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../../hostile/proxy.ts'
import { type ClinicAnswer, type RunningClinic, runClinic } from '../../harness/running-clinic.ts'
import { at, auditOf, first, nodesAt, outcomesOf, patientsOf, workOf } from '../asking.ts'

const CANARY = 'canary-of-the-store'
const ON_PANEL = 12

let clinic: RunningClinic
let proxy: HostileProxy
/** A process that reaches the tables through the proxy. */
let behind: Awaited<ReturnType<RunningClinic['another']>>
let id: string
let whole: ClinicAnswer

const PANEL = '{ patients(first: 100) { edges { node { id familyName } } } }'
const OBSERVATIONS = 'query ($id: ID!) { patient(id: $id) { familyName observations { edges { node { category } } } } }'

beforeAll(async () => {
  clinic = await runClinic({ riverside: ON_PANEL, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
  whole = await clinic.ask('physician', PANEL)
  proxy = await startProxy(clinic.stack.env.AWS_ENDPOINT_URL_DYNAMODB)
  // the SDK reads the variable itself, at a client's first request
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = proxy.endpoint
  behind = await clinic.another()
  await behind.ask('physician', PANEL)
  await behind.ask('frontdesk', PANEL)
})
afterAll(async () => {
  await clinic.stop()
  await proxy.stop()
})
afterEach(() => {
  proxy.play(() => PASS)
})

const tableOf = ({ operation, json }: ServiceCall): string =>
  operation === 'BatchGetItem' ? first(Object.keys(json['RequestItems'] as object)) : String(json['TableName'])
const isRead = (request: ServiceCall, table: string): boolean =>
  ['BatchGetItem', 'Query'].includes(request.operation) && tableOf(request) === table
/** A read of the index only. The roots also come with records. */
const asksForIndex = ({ json }: ServiceCall): boolean =>
  Object.values((json['RequestItems'] ?? {}) as Record<string, { Keys: { sk: { S: string } }[] }>).some(({ Keys }) =>
    Keys.every(({ sk }) => sk.S.startsWith('#INDEX')),
  )
const fails = (name: string): Fault => ({
  kind: 'ANSWER',
  reply: {
    status: name === 'InternalServerError' ? 500 : 400,
    body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: CANARY },
  },
})

describe('P12: a list is complete or an error', () => {
  it('asks again for the keys that DynamoDB leaves out of a batch', async () => {
    const table = clinic.stack.env.PHI_TABLE_RECORDS
    const sizes: number[] = []
    proxy.play((request) => {
      if (request.operation !== 'BatchGetItem' || tableOf(request) !== table) return PASS
      const asked = at(request.json, 'RequestItems', table) as { Keys: object[] }
      // the SDK may repeat a request that a busy engine refused
      if (sizes.at(-1) !== asked.Keys.length) sizes.push(asked.Keys.length)
      // answer five keys at a time, and leave out the rest
      const [now, later] = [asked.Keys.slice(0, 5), asked.Keys.slice(5)]
      return {
        kind: 'REWRITE',
        body: JSON.stringify({ ...request.json, RequestItems: { [table]: { ...asked, Keys: now } } }),
        change: ({ status, body }) => ({
          status,
          body: later.length === 0 ? body : { ...body, UnprocessedKeys: { [table]: { ...asked, Keys: later } } },
        }),
      }
    })
    const { result, requests } = await workOf(behind, () => behind.ask('physician', PANEL))
    // a page reads no index roots: the access manifests name the versions of its twelve records
    expect(sizes).toEqual([12, 7, 2])
    expect(requests.records).toBe(3)
    expect(result.data).toEqual(whole.data)
    expect(result.errors).toEqual([])
    expect(result.phi.resolved).toBe(ON_PANEL)
  })

  it('a batch that never completes is an error at every place, with a record for every value', async () => {
    const table = clinic.stack.env.PHI_TABLE_RECORDS
    const asked: unknown[] = []
    proxy.play((request) => {
      if (request.operation !== 'BatchGetItem' || tableOf(request) !== table) return PASS
      asked.push(request)
      const body = { Responses: { [table]: [] }, UnprocessedKeys: request.json['RequestItems'] }
      return { kind: 'ANSWER', reply: { status: 200, body } }
    })
    const answer = await behind.ask('physician', PANEL)
    expect(asked).toHaveLength(7)
    expect(answer.status).toBe(200)
    expect(nodesAt(answer.data, 'patients')).toEqual(Array.from({ length: ON_PANEL }, () => null))
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'FIELD_UNAVAILABLE', coordinate: 'PatientEdge.node', count: ON_PANEL } },
    ])
    expect(outcomesOf(await auditOf(clinic, answer))).toEqual(
      Array.from({ length: ON_PANEL }, () => 'Patient.familyName UNAVAILABLE STORE'),
    )
  })

  it('short pages of a query are read to the end, for observations, a tenant and a panel', async () => {
    const limits: unknown[] = []
    proxy.play(({ operation, json }) => {
      if (operation !== 'Query') return PASS
      limits.push(json['Limit'])
      return { kind: 'REWRITE', body: JSON.stringify({ ...json, Limit: 2 }) }
    })
    expect(await patientsOf(behind, 'physician')).toEqual(nodesAt(whole.data, 'patients').map((node) => at(node, 'id')))
    expect(limits.length).toBeGreaterThan(ON_PANEL / 2 - 1)
    expect(await patientsOf(behind, 'frontdesk')).toHaveLength(ON_PANEL)
    const answer = await behind.ask('physician', OBSERVATIONS, { id })
    expect(nodesAt(answer.data, 'patient', 'observations')).toHaveLength(12)
    // a full page costs no further query
    const page = await behind.ask('physician', '{ patients(first: 3) { edges { node { id } } pageInfo { hasNextPage } } }')
    expect(nodesAt(page.data, 'patients')).toHaveLength(3)
    expect(at(page.data, 'patients', 'pageInfo', 'hasNextPage')).toBe(true)
  })
})

describe('P8, P9: a table that fails yields UNAVAILABLE and no other outcome', () => {
  it.each(['ProvisionedThroughputExceededException', 'InternalServerError'])('one %s is retried', async (name) => {
    let failures = 1
    proxy.play((request) => (isRead(request, clinic.stack.env.PHI_TABLE_RECORDS) && failures-- > 0 ? fails(name) : PASS))
    const answer = await behind.ask('physician', PANEL)
    expect(failures).toBeLessThan(0)
    expect(answer.data).toEqual(whole.data)
  })

  const tables = [
    ['records', 'PHI_TABLE_RECORDS', null, 'Query.patient', ['patient']],
    // a clinician may know that the patient exists in the tenant; the visible fields are undecided
    ['access', 'PHI_TABLE_ACCESS', { familyName: null, observations: null }, 'Patient.familyName', ['patient', 'familyName']],
  ] as const
  it.each(tables)(
    'if the %s table always fails: no value, no reason, an event and a record',
    async (_name, variable, patient, coordinate, path) => {
      proxy.play((request) => (isRead(request, clinic.stack.env[variable]) ? fails('AccessDeniedException') : PASS))
      const from = behind.events.length
      const answer = await behind.ask('physician', OBSERVATIONS, { id })
      expect(answer.status).toBe(200)
      expect(answer.data).toEqual({ patient })
      expect(answer.errors).toContainEqual({
        message: 'This is not available at the moment.',
        path,
        extensions: { code: 'FIELD_UNAVAILABLE', coordinate, count: 1, paths: [path] },
      })
      expect(new Set(answer.errors.map(({ extensions }) => extensions['code']))).toEqual(new Set(['FIELD_UNAVAILABLE']))
      expect(outcomesOf(await auditOf(clinic, answer))).toEqual([
        'Patient.familyName UNAVAILABLE STORE',
        'Patient.observations UNAVAILABLE STORE',
      ])
      const events = behind.events.slice(from)
      expect(events).toContainEqual(expect.objectContaining({ event: 'STORE_UNAVAILABLE', cause: 'AccessDeniedException' }))
      expect(JSON.stringify([answer, events])).not.toContain(CANARY)
    },
  )

  it('an unreadable list is null with an error, beside the readable values', async () => {
    proxy.play((request) => (request.operation === 'Query' || asksForIndex(request) ? fails('AccessDeniedException') : PASS))
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

  it('a failing keys table stops only cold processes', async () => {
    proxy.play((request) => (isRead(request, clinic.stack.env.PHI_TABLE_KEYS) ? fails('AccessDeniedException') : PASS))
    expect((await behind.ask('physician', PANEL)).data).toEqual(whole.data)
    const cold = await clinic.another()
    const answer = await cold.ask('physician', PANEL)
    expect(answer.data).toEqual({ patients: null })
    expect(answer.errors).toMatchObject([{ extensions: { code: 'FIELD_UNAVAILABLE' } }])
    expect(JSON.stringify(cold.events)).not.toContain(CANARY)
  })

  it('a dropped connection is retried', async () => {
    let drops = 1
    proxy.play((request) => (isRead(request, clinic.stack.env.PHI_TABLE_RECORDS) && drops-- > 0 ? CUT : PASS))
    expect((await behind.ask('physician', PANEL)).data).toEqual(whole.data)
  })
})
