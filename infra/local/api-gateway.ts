import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { toEvent } from './api-gateway-event.ts'
import { readBody } from './body.ts'
import { close, listen, LOOPBACK, namesThisMachine } from './ports.ts'

/** A Lambda function behind an HTTP API, payload format 2.0. */
export type Handler = (event: APIGatewayProxyEventV2, context: Context) => Promise<APIGatewayProxyStructuredResultV2>

/** A method and an exact path, for instance `POST /graphql`. `{file}` as the last part matches any name: `GET /explorer/{file}`. */
type RouteKey = `${'GET' | 'POST' | 'OPTIONS'} /${string}`

export interface HttpApi {
  readonly url: string
  stop(): Promise<void>
}

export interface HttpApiOptions {
  /** 0 selects a free port. */
  readonly port: number
  /** By default the loopback address. */
  readonly address?: string
  readonly routes: Readonly<Partial<Record<RouteKey, Handler>>>
  /** Time limit of a function in milliseconds, as `timeout` in serverless.yml. */
  readonly timeoutMs?: number
  /** Maximum size of a request body, in bytes. */
  readonly bodyLimit?: number
}

/** The quota of HTTP APIs: a payload has at most 10 MB. */
const BODY_LIMIT = 10 * 1024 * 1024
const FUNCTION_TIMEOUT_MS = 10_000
/**
 * The quotas of Lambda for one invocation: JSON text of the event, and of the result with its body as text in it.
 *
 * @source https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, 6 MB; a result may have 100 bytes more
 */
const MAX_EVENT_BYTES = 6 * 1024 * 1024
const MAX_RESULT_BYTES = MAX_EVENT_BYTES + 100

/**
 * Starts an HTTP API on this machine that behaves like API Gateway, so functions run unchanged. It has exact routes, payload
 * format 2.0, the service's own responses to requests that reach no function, and the limits of Lambda for a payload.
 *
 * @throws PortInUse
 * @source https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export async function startHttpApi(options: HttpApiOptions): Promise<HttpApi> {
  const { routes, port, address, timeoutMs = FUNCTION_TIMEOUT_MS, bodyLimit = BODY_LIMIT } = options
  const table = new Map(Object.entries(routes))

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request, bodyLimit)
    const routeKey = `${request.method ?? ''} ${pathOf(request)}`
    const handler = table.get(routeKey) ?? table.get(routeKey.replace(/[^/]+$/, '{file}'))
    if (!namesThisMachine(request.headers.host)) refuse(response, 403, 'Forbidden')
    else if (!body) refuse(response, 413, 'Request Entity Too Large')
    // an HTTP API has no 405: a known path with another method is not a route
    else if (!handler) refuse(response, 404, 'Not Found')
    else {
      const event = toEvent({ request, body, routeKey, now: Date.now(), requestId: randomUUID() })
      if (isLonger(event, MAX_EVENT_BYTES)) {
        refuse(response, 413, 'Request Entity Too Large')
        return
      }
      const result = await invoke(handler, event, timeoutMs)
      // the runtime fails with a result that is too long, after the function ended
      if (result && !isLonger(result, MAX_RESULT_BYTES)) write(response, result)
      else refuse(response, 500, 'Internal Server Error')
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const bound = await listen(server, port, address)
  return { url: `http://${LOOPBACK}:${bound}`, stop: () => close(server) }
}

const isLonger = (payload: object, bytes: number): boolean => Buffer.byteLength(JSON.stringify(payload)) > bytes

const pathOf = (request: IncomingMessage): string => (request.url ?? '/').split('?', 1)[0] ?? '/'

/** Returns the function's result, or undefined if it failed or timed out. The function's own log has the cause (P8). */
async function invoke(
  handler: Handler,
  event: APIGatewayProxyEventV2,
  timeoutMs: number,
): Promise<APIGatewayProxyStructuredResultV2 | undefined> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs)
  })
  try {
    return await Promise.race([handler(event, contextUntil(Date.now() + timeoutMs)), timeout])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

function contextUntil(deadline: number): Context {
  return {
    awsRequestId: randomUUID(),
    callbackWaitsForEmptyEventLoop: false,
    functionName: 'phi-local',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:phi-local',
    logGroupName: '/aws/lambda/phi-local',
    logStreamName: 'local',
    memoryLimitInMB: '1024',
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    // the type requires the old callbacks, which functions on Node 24 do not have
    ...Object.fromEntries(['done', 'fail', 'succeed'].map((name) => [name, () => undefined])),
  } as Context
}

function write(response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void {
  response.statusCode = result.statusCode ?? 200
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  for (const [name, value] of Object.entries(result.headers ?? {})) response.setHeader(name, String(value))
  if (result.cookies && result.cookies.length > 0) response.setHeader('set-cookie', result.cookies)
  response.end(Buffer.from(result.body ?? '', result.isBase64Encoded === true ? 'base64' : 'utf8'))
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ message: text }))
}
