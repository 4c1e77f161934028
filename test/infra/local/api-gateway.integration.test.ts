import { request } from 'node:http'
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Handler, type HttpApi, startHttpApi } from '../../../infra/local/api-gateway.ts'

let api: HttpApi
let seen: { event: APIGatewayProxyEventV2; context: Context } | undefined
let answer: Handler

beforeAll(async () => {
  const handler: Handler = (event, context) => {
    seen = { event, context }
    return answer(event, context)
  }
  api = await startHttpApi({
    port: 0,
    routes: { 'POST /graphql': handler, 'GET /graphql': handler },
    timeoutMs: 200,
    bodyLimit: 1_000,
  })
})
afterAll(() => api.stop())
beforeEach(() => {
  seen = undefined
  answer = () => Promise.resolve({ statusCode: 200, body: 'ok' })
})

/** Sends the request by node:http, which leaves the headers unchanged. */
function send(method: string, path: string, headers: Record<string, string | string[]> = {}, body: string | Buffer = '') {
  return new Promise<{ status: number | undefined; headers: Record<string, unknown>; body: string }>((resolve, reject) => {
    const outgoing = request(`${api.url}${path}`, { method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

describe('an HTTP request becomes an event of payload format 2.0', () => {
  it('with unchanged text', async () => {
    await send(
      'POST',
      '/graphql',
      { 'Content-Type': 'application/json; charset=utf-8', 'X-Mixed-Case': 'Kept' },
      '{"query":"{ ü }"}',
    )
    expect(seen?.event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /graphql',
      rawPath: '/graphql',
      rawQueryString: '',
      body: '{"query":"{ ü }"}',
      isBase64Encoded: false,
      headers: { 'content-type': 'application/json; charset=utf-8', 'x-mixed-case': 'Kept' },
      requestContext: {
        stage: '$default',
        http: { method: 'POST', path: '/graphql', sourceIp: '127.0.0.1', protocol: 'HTTP/1.1' },
      },
    })
    expect(seen?.event.cookies).toBeUndefined()
    expect(seen?.event.queryStringParameters).toBeUndefined()
    expect(seen?.event.requestContext.time).toMatch(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/)
  })

  it.each([
    ['bytes', { 'content-type': 'application/octet-stream' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['a type that only ends in json', { 'content-type': 'application/graphql-response+json' }],
    ['no type', {}],
    ['something compressed', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('with %s in base64', async (_, headers) => {
    const bytes = Buffer.from([0, 255, 128, 10])
    await send('POST', '/graphql', headers, bytes)
    expect(seen?.event).toMatchObject({ isBase64Encoded: true, body: bytes.toString('base64') })
  })

  it('with repeated query parameters and headers joined by commas', async () => {
    await send('GET', '/graphql?a=1&a=2&b=x%20y&c', { authorization: ['Bearer one', 'Bearer two'], 'x-many': ['1', '2'] })
    expect(seen?.event.rawQueryString).toBe('a=1&a=2&b=x%20y&c')
    expect(seen?.event.queryStringParameters).toEqual({ a: '1,2', b: 'x y', c: '' })
    expect(seen?.event.headers).toMatchObject({ authorization: 'Bearer one,Bearer two', 'x-many': '1,2' })
    expect(seen?.event.body).toBeUndefined()
  })

  it('with cookies apart from the headers', async () => {
    await send('GET', '/graphql', { cookie: 'a=1; b=2' })
    expect(seen?.event.cookies).toEqual(['a=1', 'b=2'])
    expect(seen?.event.headers['cookie']).toBeUndefined()
  })

  it('with its own id and deadline', async () => {
    await send('GET', '/graphql')
    const first = seen
    await send('GET', '/graphql')
    expect(seen?.event.requestContext.requestId).not.toBe(first?.event.requestContext.requestId)
    expect(seen?.context.getRemainingTimeInMillis()).toBeLessThanOrEqual(200)
  })
})

describe('a result becomes an HTTP response', () => {
  it('with status, headers, cookies and decoded bytes', async () => {
    answer = () =>
      Promise.resolve({
        statusCode: 503,
        headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
        cookies: ['a=1', 'b=2'],
        body: Buffer.from('{"x":1}').toString('base64'),
        isBase64Encoded: true,
      })
    const response = await send('GET', '/graphql')
    expect(response).toMatchObject({ status: 503, body: '{"x":1}' })
    expect(response.headers).toMatchObject({
      'cache-control': 'no-store',
      'set-cookie': ['a=1', 'b=2'],
      'content-type': 'application/json',
    })
  })

  it('up to the 6 MB of Lambda, in which a quote of the body takes two bytes', async () => {
    const failed = { status: 500, body: '{"message":"Internal Server Error"}' }
    const spent = JSON.stringify({ statusCode: 200, body: '' }).length
    const longest = 6_291_556 - spent
    for (const [body, expected] of [
      ['x'.repeat(longest), { status: 200 }],
      ['x'.repeat(longest + 1), failed],
      ['"'.repeat(longest / 2), { status: 200 }],
      ['"'.repeat(longest / 2 + 1), failed],
    ] as const) {
      answer = () => Promise.resolve({ statusCode: 200, body })
      expect(await send('GET', '/graphql')).toMatchObject(expected)
    }
  })

  it('and a function that throws or times out reveals nothing', async () => {
    const failed = { status: 500, body: '{"message":"Internal Server Error"}' }
    answer = () => Promise.reject(new Error('123-45-6789'))
    expect(await send('GET', '/graphql')).toMatchObject(failed)
    answer = () => {
      throw new Error('123-45-6789')
    }
    expect(await send('GET', '/graphql')).toMatchObject(failed)
    answer = () => new Promise(() => undefined)
    expect(await send('GET', '/graphql')).toMatchObject(failed)
  })
})

describe('a request without a matching route', () => {
  it.each([
    ['an unknown path', 'GET', '/other', {}, '', 404, 'Not Found'],
    ['a path that begins like a route', 'GET', '/graphql/', {}, '', 404, 'Not Found'],
    ['a known path with another method', 'DELETE', '/graphql', {}, '', 404, 'Not Found'],
    [
      'a body over the limit',
      'POST',
      '/graphql',
      { 'content-type': 'application/json' },
      'x'.repeat(1_001),
      413,
      'Request Entity Too Large',
    ],
    ['a host that is not this machine', 'GET', '/graphql', { host: 'rebound.example' }, '', 403, 'Forbidden'],
  ])('%s', async (_, method, path, headers, body, status, message) => {
    expect(await send(method, path, headers, body)).toMatchObject({ status, body: JSON.stringify({ message }) })
    expect(seen).toBeUndefined()
  })

  it('an event over the 6 MB of Lambda', async () => {
    const wide = await startHttpApi({ port: 0, routes: { 'POST /graphql': (event, context) => answer(event, context) } })
    const post = async (body: string) =>
      (await fetch(`${wide.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })).status
    expect([await post('x'.repeat(6_200_000)), await post('x'.repeat(6_291_456)), await post('"'.repeat(3_200_000))]).toEqual([
      200, 413, 413,
    ])
    await wide.stop()
  })

  it('a port in use is reported', async () => {
    await expect(startHttpApi({ port: Number(new URL(api.url).port), routes: {} })).rejects.toMatchObject({ name: 'PortInUse' })
  })
})
