import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerEvent } from '../../gateway/http/lambda-event.ts'
import { type HttpApi, startHttpApi } from '../../infra/local/api-gateway.ts'
import { fetchToken } from '../../infra/local/token.ts'
import { at } from '../gateway/asking.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

// The checks of graphql-cop, a public scanner of GraphQL servers, against a function of a production stage. Each row has a
// request and the condition under which the scanner reports a finding. The last rows are variants that it does not send.

let clinic: RunningClinic
let api: HttpApi
let token: string

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
  const { gateway, services } = await clinic.another({ env: { PHI_STAGE: 'production' } })
  const handler: Parameters<typeof startHttpApi>[0]['routes']['POST /graphql'] = async (event, context) =>
    await answerEvent((request) => gateway.handle(request), event, context, services.now())
  api = await startHttpApi({ port: 0, routes: { 'POST /graphql': handler, 'GET /graphql': handler } })
  token = await fetchToken(clinic.stack, 'physician')
})
afterAll(async () => {
  await api.stop()
  await clinic.stop()
})

interface Probe {
  readonly method?: 'GET' | 'POST'
  readonly path?: string
  readonly body?: unknown
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Answered {
  readonly status: number
  readonly text: string
  /** Undefined if the text is no JSON. */
  readonly json: unknown
}

async function send({
  method = 'POST',
  path = '/graphql',
  body,
  type = 'application/json',
  headers = {},
}: Probe): Promise<Answered> {
  const content = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(method === 'POST' && { 'content-type': type }), ...headers },
    ...content,
  })
  const text = await response.text()
  return { status: response.status, text, json: parsed(text) }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const times = (count: number, one: (number: number) => string): string => Array.from({ length: count }, (_, n) => one(n)).join(' ')
const errorsOf = ({ json }: Answered): unknown[] => (at(json, 'errors') ?? []) as unknown[]
const hasData = (answered: Answered): boolean => (at(answered.json, 'data') ?? undefined) !== undefined
const withQuery = (query: string): string => `/graphql?${new URLSearchParams({ query }).toString()}`
const IDES = /graphiql|graphql playground|graphql-playground|apollo sandbox|altair|voyager/i
const DETAILS = /did you mean|stacktrace|"exception"|"tracing"|"debug"|node_modules|\bat \w+ \(/i

const CIRCULAR = 'query { __schema { ...A } } fragment A on __Schema { __typename ...B } fragment B on __Schema { ...A }'
const NESTED = `query { __schema { types { ${times(4, () => 'fields { type {')} name ${times(4, () => '} }')} } } }`
const DIRECTIVES = `query { __typename ${times(10, () => '@aa')} }`

describe('a scanner finds nothing at a production stage', () => {
  it.each<[string, Probe, (answered: Answered) => boolean]>([
    ['alias overloading', { body: { query: `query { ${times(101, (n) => `alias${n}:__typename`)} }` } }, hasData],
    [
      'batching',
      { body: Array.from({ length: 11 }, () => ({ query: 'query { __typename }' })) },
      ({ json }) => Array.isArray(json),
    ],
    ['circular fragments', { body: { query: CIRCULAR } }, (answered) => errorsOf(answered).length === 0],
    ['circular introspection', { body: { query: NESTED } }, hasData],
    ['directive overloading', { body: { query: DIRECTIVES } }, (answered) => errorsOf(answered).length !== 1],
    ['field duplication', { body: { query: `query { ${times(500, () => '__typename')} }` } }, hasData],
    ['field suggestions', { body: { query: 'query { __schema { directive } }' } }, ({ text }) => /did you mean/i.test(text)],
    ['queries by GET', { method: 'GET', path: withQuery('{__typename}') }, hasData],
    ['mutations by GET', { method: 'GET', path: withQuery('mutation {__typename}') }, hasData],
    ['queries in the URL of a POST', { path: withQuery('query {__typename}') }, hasData],
    ['queries in a form', { type: 'application/x-www-form-urlencoded', body: 'query=query+%7B__typename%7D' }, hasData],
    ...['/graphiql', '/playground', '/console', '/graphql'].map((path): [string, Probe, (answered: Answered) => boolean] => [
      `an editor at ${path}`,
      { method: 'GET', path, headers: { accept: 'text/html' } },
      ({ text }) => IDES.test(text),
    ]),
    ['introspection', { body: { query: 'query { __schema { types { name fields { name } } } }' } }, hasData],
    [
      'tracing',
      { body: { query: 'query { __typename }' }, headers: { 'apollo-federation-include-trace': 'ftv1', 'x-apollo-tracing': '1' } },
      ({ text, json }) => DETAILS.test(text) || Object.keys(at(json, 'extensions') as object).join() !== 'phi',
    ],
    ['unhandled errors', { body: { query: 'qwerty cop { abc }' } }, ({ text, status }) => DETAILS.test(text) || status >= 500],
    // beyond the scanner
    ['one type by introspection', { body: { query: '{ __type(name: "Patient") { name } }' } }, hasData],
    ['suggestions for a type', { body: { query: '{ node(id: "a") { ... on Patien { id } } }' } }, ({ text }) => DETAILS.test(text)],
    [
      'suggestions for an argument',
      { body: { query: '{ patients(frst: 1) { edges { cursor } } }' } },
      ({ text }) => DETAILS.test(text),
    ],
    ['field duplication below', { body: { query: `{ viewer { ${times(500, () => 'tenant')} } }` } }, hasData],
    ['fragment duplication', { body: { query: `{ ${times(500, () => '...F')} } fragment F on Query { __typename }` } }, hasData],
    ['queries in plain text', { type: 'text/plain', body: { query: '{ __typename }' } }, hasData],
    ['queries of several parts', { type: 'multipart/form-data; boundary=a', body: '--a\r\n\r\n{}\r\n--a--' }, hasData],
    ['a list of one query', { body: [{ query: '{ __typename }' }] }, hasData],
    [
      'many faults',
      { body: { query: `{ viewer { ${times(90, (n) => `a${n}`)} } }` } },
      (answered) => errorsOf(answered).length !== 1,
    ],
    [
      'an answer in parts',
      { body: { query: '{ viewer { ... @defer { tenant } } }' }, headers: { accept: 'multipart/mixed' } },
      hasData,
    ],
    ['a subscription', { body: { query: 'subscription { a }' } }, hasData],
  ])('%s', async (_what, probe, isFinding) => {
    const answered = await send(probe)
    expect([isFinding(answered), answered.text]).toEqual([false, answered.text])
    expect(answered.status).toBeLessThan(500)
  })

  it('and the requests that it compares with are answered', async () => {
    expect((await send({ body: { query: 'query { __typename }' } })).json).toMatchObject({ data: { __typename: 'Query' } })
    expect((await send({ body: { query: `{ ${times(20, (n) => `a${n}: viewer { tenant }`)} }` } })).status).toBe(200)
  })
})
