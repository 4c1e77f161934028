import type { Handler } from '../infra/local/api-gateway.ts'
import type { APIGatewayProxyEventV2, Context } from 'aws-lambda'

// A new process that loads one bundle and answers one request, as a function on Lambda that starts. It imports nothing itself.

/** Milliseconds. */
export interface ColdTimes {
  readonly init: number
  readonly first: number
  readonly status: number
}

const TIMEOUT_MS = 10_000

const started = performance.now()
const { handler } = (await import(process.env['BENCH_BUNDLE'] ?? '')) as { handler: Handler }
const loaded = performance.now()
const event = {
  version: '2.0',
  routeKey: 'POST /graphql',
  rawPath: '/graphql',
  rawQueryString: '',
  headers: {
    authorization: `Bearer ${process.env['BENCH_TOKEN'] ?? ''}`,
    'content-type': 'application/json',
    'user-agent': 'bench/1',
  },
  requestContext: { http: { method: 'POST', path: '/graphql', sourceIp: '127.0.0.1', userAgent: 'bench/1' } },
  body: process.env['BENCH_BODY'],
  isBase64Encoded: false,
} as unknown as APIGatewayProxyEventV2
const context = { getRemainingTimeInMillis: () => TIMEOUT_MS } as Context
const { statusCode = 0 } = await handler(event, context)
const result: ColdTimes = { init: loaded - started, first: performance.now() - loaded, status: statusCode }
process.on('disconnect', () => process.exit(0))
process.send?.({ result })
