import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { close, listen, LOOPBACK } from '../../infra/local/ports.ts'
import { HANG, PASS, type ServiceCall } from '../hostile/faults.ts'
import { type HostileProxy, startProxy } from '../hostile/proxy.ts'
import { type ClinicAnswer, read, type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { auditOf, first, outcomesOf, patientsOf } from './asking.ts'

// Services that do not answer. Each answer here arrives because the request shares out its own time: the clients would retry for
// longer than the request lasts.

/**
 * Its share for reading is shorter than the 1.5 s after which a client gives up by itself. Its rest is enough for a busy machine.
 */
const BUDGET_MS = 2_000
const CHART = `query ($id: ID!) { patient(id: $id) { familyName birthDate observations(first: 2) { edges { node { code { text } } } } } }`

let clinic: RunningClinic
let engine: HostileProxy
let kms: HostileProxy
/** Reaches the tables and KMS through proxies. Its keys are warm. */
let behind: Awaited<ReturnType<RunningClinic['another']>>
let id: string
let calm: ClinicAnswer
const silent: Server = createServer(() => undefined)

type Process = Pick<RunningClinic, 'gateway'>

async function ask(process: Process, user: string, query: string, budget = BUDGET_MS): Promise<ClinicAnswer> {
  const request = await clinic.requestOf(user, query, { id })
  return read(await process.gateway.handle({ ...request, deadline: Date.now() + budget }))
}

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  id = first(await patientsOf(clinic, 'physician'))
  const { env } = clinic.stack
  engine = await startProxy(env.AWS_ENDPOINT_URL_DYNAMODB)
  kms = await startProxy(env.AWS_ENDPOINT_URL_KMS)
  // the SDK reads the variables itself, at a client's first request
  process.env['AWS_ENDPOINT_URL_DYNAMODB'] = engine.endpoint
  process.env['AWS_ENDPOINT_URL_KMS'] = kms.endpoint
  behind = await clinic.another()
  calm = await ask(behind, 'physician', CHART, 10_000)
  expect(calm.errors).toEqual([])
})
afterAll(async () => {
  await clinic.stop()
  await Promise.all([engine.stop(), kms.stop()])
  silent.closeAllConnections()
  await close(silent)
})
/** Requests of earlier tests: a client may still retry them. */
const earlier = new Set<string>()
beforeEach(() => {
  for (const { invocation } of engine.requests) earlier.add(invocation)
  engine.play(() => PASS)
  kms.play(() => PASS)
})

const reads = ({ operation }: ServiceCall): boolean => operation === 'BatchGetItem' || operation === 'Query'
const chunk = (request: ServiceCall): boolean => reads(request) && request.body.includes('#INDEX#')
const silently = (matches: (request: ServiceCall) => boolean): void => engine.play((request) => (matches(request) ? HANG : PASS))
const asked = (matches: (request: ServiceCall) => boolean): number =>
  engine.requests.filter((request) => matches(request) && !earlier.has(request.invocation)).length

describe('P9: a value that cannot be read in time is unavailable, and the rest is disclosed', () => {
  it('a list with chunks that do not arrive is null with an error, beside the values of the patient', async () => {
    silently(chunk)
    const answer = await ask(behind, 'physician', CHART)
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual({ patient: { ...(calm.data?.['patient'] as object), observations: null } })
    expect(answer.errors).toMatchObject([{ path: ['patient', 'observations'], extensions: { code: 'FIELD_UNAVAILABLE' } }])
    const records = await auditOf(clinic, answer)
    expect(outcomesOf(records)).toEqual([
      'Patient.birthDate DISCLOSED',
      'Patient.familyName DISCLOSED',
      'Patient.observations UNAVAILABLE STORE',
    ])
    // the deadline ended the read, not a retry of the client
    expect(asked(chunk)).toBe(1)
  })

  it.each([
    ['records', 'PHI_TABLE_RECORDS', null],
    ['memberships', 'PHI_TABLE_ACCESS', { familyName: null, birthDate: null, observations: null }],
  ] as const)('a table of %s that does not answer makes every value unavailable, and recorded so', async (_, name, patient) => {
    const table = clinic.stack.env[name]
    silently((request) => reads(request) && request.names(table))
    const answer = await ask(behind, 'physician', CHART)
    // Counted at once, without the requests of earlier tests: a client retries when its own time is over, although no caller waits
    // any more.
    expect(asked((request) => reads(request) && request.names(table) && !chunk(request))).toBe(1)
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual({ patient })
    expect(new Set(answer.errors.map(({ extensions }) => extensions['code']))).toEqual(new Set(['FIELD_UNAVAILABLE']))
    const records = await auditOf(clinic, answer)
    expect(new Set(records.map(({ outcome, reason }) => `${outcome} ${reason ?? ''}`))).toEqual(new Set(['UNAVAILABLE STORE']))
  })

  it('missing keys make their values unavailable, and leave nothing blocked', async () => {
    const cold = await clinic.another()
    kms.play(() => HANG)
    const answer = await ask(cold, 'physician', CHART)
    expect(answer.status).toBe(200)
    expect(answer.data).toEqual({ patient: null })
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['FIELD_UNAVAILABLE'])
    // the client itself would have tried three times
    expect(kms.requests.length).toBeLessThan(3)
    kms.play(() => PASS)
    // the abandoned request for the key ends by its own timeout
    await expect.poll(async () => (await ask(cold, 'physician', CHART, 8_000)).data, { timeout: 15_000 }).toEqual(calm.data)
  })
})

describe('P2: every request ends with an answer, and none is disclosed without its audit', () => {
  it('if every service hangs: no data', async () => {
    silently(() => true)
    const answer = await ask(behind, 'physician', CHART)
    expect([answer.status, answer.data]).toEqual([503, undefined])
    expect(answer.errors.map(({ extensions }) => extensions['code'])).toEqual(['AUDIT_UNAVAILABLE'])
  })

  it('if an issuer does not serve its keys: every token is refused', async () => {
    const port = await listen(silent, 0)
    const stranded = await clinic.another({ env: { PHI_JWKS_URI: `http://${LOOPBACK}:${port}/jwks` } })
    const answer = await ask(stranded, 'physician', CHART)
    expect([answer.status, answer.data]).toEqual([401, undefined])
  })
})
