import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fetchToken } from '../../infra/local/token.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'
import { at, auditOf, first, patientsOf } from './asking.ts'

/** Occurs in every input. If it appears in an answer or an event, input was echoed or logged. */
const CANARY = 'CANARY-999-12-3456'
/** The same, for places that allow only letters. */
const NAME = 'CanarySsn999123456'

let clinic: RunningClinic
let token: string
let id: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  token = await fetchToken(clinic.stack, 'physician')
  id = first(await patientsOf(clinic, 'physician'))
})
afterAll(() => clinic.stop())

interface Raw {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

const MESSAGES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'Authentication is required.',
  BAD_REQUEST: 'The request is not valid.',
  BAD_USER_INPUT: 'An argument or a variable is not valid.',
  GRAPHQL_PARSE_FAILED: 'The operation is not well-formed GraphQL.',
  GRAPHQL_VALIDATION_FAILED: 'The operation does not fit the schema.',
  OPERATION_RESOLUTION_FAILURE: 'The operation to execute could not be determined.',
}

/** Sends a request and compares the answer with the common parts of all refusals. */
async function refused({ method = 'POST', body, headers = {} }: Raw, status: number, code: string): Promise<void> {
  const from = clinic.events.length
  const response = await clinic.gateway.handle({
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const answer = JSON.parse(response.body) as Record<string, unknown>
  expect(response.status).toBe(status)
  expect(answer).not.toHaveProperty('data')
  const errors = answer['errors'] as readonly { message: string; extensions: object }[]
  expect(errors.length).toBeGreaterThan(0)
  for (const { message, extensions } of errors)
    expect({ message, extensions }).toEqual({ message: MESSAGES[code], extensions: { code } })
  expect(at(answer, 'extensions', 'phi', 'requestId')).toMatch(/^[\w-]{24}$/)
  expect(response.headers['cache-control']).toBe('no-store')
  expect(response.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined)
  expect(response.headers['content-type']).toMatch(/^application\/(?:graphql-response\+)?json/)
  // the content-length of another body would truncate the answer
  const length = response.headers['content-length']
  if (length !== undefined) expect(Number(length)).toBe(Buffer.byteLength(response.body))
  const told = JSON.stringify([response, clinic.events.slice(from)])
  expect(told).not.toMatch(/canary/i)
  expect(clinic.events.slice(from)).toContainEqual(expect.objectContaining({ event: 'REQUEST', status }))
}

const part = (json: object): string => Buffer.from(JSON.stringify(json)).toString('base64url')

describe('P8: an invalid token gets one answer without a reason', () => {
  const forged = (header: object, payload: object): string => `${part(header)}.${part(payload)}.${part({ s: CANARY })}`
  it.each([
    ['none', ''],
    ['no scheme', CANARY],
    ['another scheme', `Basic ${Buffer.from(CANARY).toString('base64')}`],
    ['no token', 'Bearer '],
    ['no JWT', `Bearer ${CANARY}`],
    ['no JSON inside', `Bearer ${CANARY}.${CANARY}.${CANARY}`],
    ['no signature algorithm', `Bearer ${forged({ alg: 'none', typ: 'at+jwt' }, { sub: CANARY, tenant: 'riverside' })}`],
    ['an unknown key', `Bearer ${forged({ alg: 'RS256', kid: CANARY, typ: 'at+jwt' }, { sub: CANARY })}`],
    ['a signature of text', `Bearer ${forged({ alg: 'HS256', kid: CANARY }, { sub: CANARY })}`],
  ])('%s', async (_what, authorization) => {
    await refused({ body: { query: '{ viewer { tenant } }' }, headers: { authorization } }, 401, 'UNAUTHENTICATED')
  })

  it('a valid token with another payload, or with its signature cut', async () => {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
    for (const bad of [
      `${header}.${part({ ...claims, roles: ['BILLING'], sub: CANARY })}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -4)}`,
      `${header}.${payload}.`,
    ]) {
      const headers = { authorization: `Bearer ${bad}` }
      await refused({ body: { query: '{ viewer { tenant } }' }, headers }, 401, 'UNAUTHENTICATED')
    }
  })

  it('a purpose that the caller may not claim', async () => {
    for (const purpose of ['HPAYMT', CANARY, '']) {
      const headers = { 'x-purpose-of-use': purpose }
      await refused({ body: { query: '{ viewer { tenant } }' }, headers }, 400, 'BAD_REQUEST')
    }
  })
})

describe('P8: an invalid body', () => {
  it.each([
    ['no JSON', `{"query": ${CANARY}`],
    ['nothing', ''],
    ['a text', JSON.stringify(CANARY)],
    ['null', 'null'],
    ['a batch', JSON.stringify([{ query: `{ a: ${NAME} }` }])],
    ['no query', JSON.stringify({ [NAME]: CANARY })],
    ['a query of another type', JSON.stringify({ query: { [NAME]: CANARY } })],
    ['variables of another type', JSON.stringify({ query: '{ viewer { tenant } }', variables: CANARY })],
    ['variables as a list', JSON.stringify({ query: '{ viewer { tenant } }', variables: [CANARY] })],
    ['an operation name of another type', JSON.stringify({ query: '{ viewer { tenant } }', operationName: [CANARY] })],
    ['a body too large', JSON.stringify({ query: '{ viewer { tenant } }', variables: { a: CANARY.repeat(20_000) } })],
  ])('%s', async (_what, body) => {
    await refused({ body }, 400, 'BAD_REQUEST')
  })

  it('is refused from a form, which a browser sends without a preflight', async () => {
    const headers = { 'content-type': 'text/plain' }
    await refused({ body: { query: `{ viewer { tenant } } # ${CANARY}` }, headers }, 415, 'BAD_REQUEST')
  })

  it('is accepted only by POST', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      await refused({ method, body: { query: `{ viewer { tenant } } # ${CANARY}` } }, 405, 'BAD_REQUEST')
    }
  })
})

describe('P8: an invalid operation', () => {
  const deep = (levels: number): string => `${'{ a '.repeat(levels)}${'}'.repeat(levels)}`
  it.each([
    ['a syntax error', `{ patient(id: "${CANARY}" { familyName }`, 'GRAPHQL_PARSE_FAILED'],
    ['an open string', `{ patient(id: "${CANARY}`, 'GRAPHQL_PARSE_FAILED'],
    ['an empty document', `# ${CANARY}`, 'GRAPHQL_PARSE_FAILED'],
    ['a document of very many tokens', `{ viewer { ${`${NAME}: tenant `.repeat(3_000)} } }`, 'GRAPHQL_PARSE_FAILED'],
    ['a very deep document', deep(5_000), 'GRAPHQL_PARSE_FAILED'],
    ['an unknown root', `{ ${NAME} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown field', `{ viewer { ${NAME} } }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['a field that nearly is one', '{ patients { edges { node { familyNam } } } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown argument', `{ patients(${NAME}: 1) { edges { cursor } } }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['a literal of another type', `{ patients(first: "${CANARY}") { edges { cursor } } }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown type', `{ node(id: "a") { ... on ${NAME} { id } } }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown directive', `{ viewer @${NAME} { tenant } }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['a fragment of itself', `{ viewer { ...${NAME} } } fragment ${NAME} on Viewer { ...${NAME} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['an unknown mutation', `mutation ${NAME} { ${NAME} }`, 'GRAPHQL_VALIDATION_FAILED'],
    ['a subscription', `subscription ${NAME} { ${NAME} }`, 'OPERATION_RESOLUTION_FAILURE'],
  ])('%s', async (_what, query, code) => {
    await refused({ body: { query } }, 400, code)
  })

  it('several operations and no operation name', async () => {
    const query = `query ${NAME}A { viewer { tenant } } query ${NAME}B { viewer { tenant } }`
    await refused({ body: { query } }, 400, 'OPERATION_RESOLUTION_FAILURE')
    await refused({ body: { query, operationName: CANARY } }, 400, 'OPERATION_RESOLUTION_FAILURE')
  })

  it.each([
    ['a variable of another type', { id: { [NAME]: CANARY } }],
    ['a variable that is missing', { [NAME]: CANARY }],
    ['a null for what is not null', { id: null }],
    ['a list for one', { id: [CANARY, CANARY] }],
  ])('%s', async (_what, variables) => {
    await refused({ body: { query: 'query ($id: ID!) { patient(id: $id) { familyName } }', variables } }, 400, 'BAD_USER_INPUT')
  })

  it('a number out of range', async () => {
    const query = 'query ($first: Int) { patients(first: $first) { edges { cursor } } }'
    for (const first of [2 ** 40, 1.5, CANARY, true, -1]) {
      await refused({ body: { query, variables: { first } } }, 400, 'BAD_USER_INPUT')
    }
  })
})

describe('P8: an operation with names and texts of the client', () => {
  it('has response keys in paths and nothing else of the input in the answer, and no argument in the audit', async () => {
    const from = clinic.events.length
    const query = `query Operation($id: ID!, $canary: String = "${CANARY}") {
      aliased: patient(id: $id) { renamed: ssn observations(first: 1, code: $canary) { edges { cursor } } }
    }`
    const headers = { 'user-agent': 'agent', traceparent: `00-${CANARY}-x-01`, cookie: CANARY, 'x-forwarded-for': CANARY }
    const answer = await clinic.ask('physician', query, { id }, headers)
    expect(answer.status).toBe(200)
    expect(answer.errors).toMatchObject([{ path: ['aliased', 'renamed'] }])
    expect(answer.text).not.toContain(CANARY)
    expect(JSON.stringify(clinic.events.slice(from))).not.toContain(CANARY)
    const entries = await auditOf(clinic, answer)
    expect(entries.map(({ operation }) => operation)).toContain('Operation')
    expect(JSON.stringify(entries)).not.toContain(CANARY)
  })

  it('an invalid id of any form is NOT_FOUND', async () => {
    const long = 'A'.repeat(10_000)
    for (const wanted of [CANARY, '', ' ', '\u0000', '../../etc', `${id}=`, ` ${id}`, long, '__proto__', id.toLowerCase()]) {
      const answer = await clinic.ask('physician', 'query ($id: ID!) { patient(id: $id) { familyName } }', { id: wanted })
      expect(answer.status).toBe(200)
      expect(answer.data).toEqual({ patient: null })
      expect(answer.errors).toEqual([{ message: 'Not found.', path: ['patient'], extensions: { code: 'NOT_FOUND' } }])
      expect(answer.text).not.toContain(CANARY)
    }
  })

  it('no input caused an internal error', () => {
    expect(clinic.events.filter(({ event }) => event === 'INTERNAL')).toEqual([])
  })
})
