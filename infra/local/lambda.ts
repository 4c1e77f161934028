import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Context } from 'aws-lambda'
import { refuseProductionIfNamed } from '../../gateway/model/stage.ts'
import { readBody } from './body.ts'
import { close, listen, LOOPBACK } from './ports.ts'

/** A function as Lambda calls it. */
type LambdaHandler = (event: Readonly<Record<string, unknown>>, context: Context) => Promise<unknown>

/**
 * A stand-in for the invocation of functions on one machine. It speaks the REST protocol of Lambda to the standard SDK client, for
 * synchronous invocations only, and runs the handler in this process.
 *
 * @source https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export interface LambdaStandIn {
  readonly endpoint: string
  /** The number of invocations so far. */
  readonly calls: number
  /** Serves a function under a name, in place of an earlier one. */
  serve(name: string, handler: LambdaHandler): void
  stop(): Promise<void>
}

/** The largest event and the largest answer of a synchronous invocation, in bytes. */
const MAX_BYTES = 6 * 1024 * 1024
const TIMEOUT_MS = 10_000

/**
 * Starts the stand-in on the loopback address.
 *
 * @throws StageRefused in a production process
 */
export async function startLambda(): Promise<LambdaStandIn> {
  refuseProductionIfNamed(process.env)
  const handlers = new Map<string, LambdaHandler>()
  let calls = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    calls++
    const name = decodeURIComponent(/^\/2015-03-31\/functions\/([^/?]+)\/invocations$/.exec(request.url ?? '')?.[1] ?? '')
    const handler = request.method === 'POST' ? handlers.get(name) : undefined
    const body = await readBody(request, MAX_BYTES)
    const event = body === undefined ? undefined : parsed(body)
    // a web page can send this header to another site only after a CORS preflight, which this server does not answer
    if (request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 ') !== true)
      send(response, 403, { Message: 'The request is not signed.' }, 'MissingAuthenticationTokenException')
    else if (handler === undefined) send(response, 404, { Message: 'There is no such function.' }, 'ResourceNotFoundException')
    else if (body === undefined) send(response, 413, { Message: 'The event is too large.' }, 'RequestTooLargeException')
    else if (event === undefined) send(response, 400, { Message: 'The event is no JSON object.' }, 'InvalidRequestContentException')
    else await invoke(response, handler, event, name)
  }
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const port = await listen(server, 0)
  return {
    endpoint: `http://${LOOPBACK}:${port}`,
    get calls() {
      return calls
    },
    serve: (name, handler) => void handlers.set(name, handler),
    stop: () => close(server),
  }
}

async function invoke(
  response: ServerResponse,
  handler: LambdaHandler,
  event: Readonly<Record<string, unknown>>,
  name: string,
): Promise<void> {
  try {
    send(response, 200, (await handler(event, contextOf(name))) ?? null)
  } catch {
    response.setHeader('x-amz-function-error', 'Unhandled')
    send(response, 200, { errorType: 'Error', errorMessage: 'The function failed.' })
  }
}

function send(response: ServerResponse, status: number, body: unknown, error?: string): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(error !== undefined && { 'x-amzn-errortype': error }) })
  response.end(JSON.stringify(body))
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const event: unknown = JSON.parse(body.toString('utf8'))
    return typeof event === 'object' && event !== null ? (event as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

function contextOf(functionName: string): Context {
  const end = Date.now() + TIMEOUT_MS
  const members = {
    callbackWaitsForEmptyEventLoop: false,
    functionName,
    functionVersion: '$LATEST',
    invokedFunctionArn: `arn:aws:lambda:us-east-1:000000000000:function:${functionName}`,
    memoryLimitInMB: '512',
    awsRequestId: randomUUID(),
    logGroupName: '',
    logStreamName: '',
    getRemainingTimeInMillis: () => Math.max(0, end - Date.now()),
  }
  // the rest are former ways to end a function, which current runtimes do not have
  return members as Context
}
