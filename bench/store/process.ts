import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen, LOOPBACK } from '../../infra/local/ports.ts'
import { type Interval, longestChain, type StoreCounts } from './counts.ts'
import { Operations, ServiceError } from './operations.ts'

// The stand-in for DynamoDB as a process of its own. It speaks the JSON 1.0 protocol and answers each request after a fixed delay.

/** A message from the bench. */
export type StoreCommand =
  | { readonly command: 'delay'; readonly milliseconds: number }
  | { readonly command: 'clear'; readonly table: string }
  | { readonly command: 'reset' }
  | { readonly command: 'counts' }

/** The reply to each command. `counts` holds the work since the last `reset`. */
export interface StoreReply {
  readonly endpoint: string
  readonly counts: StoreCounts
}

const operations = new Operations()
let delay = 0
/** Since the last reset. Without a delay, requests are answered before the next one is read. */
let intervals: Interval[] = []

function answer(request: IncomingMessage, body: string): { readonly status: number; readonly body: string } {
  const target = String(request.headers['x-amz-target'])
  try {
    const result = operations.run(target.slice(target.indexOf('.') + 1), JSON.parse(body))
    return { status: 200, body: JSON.stringify(result) }
  } catch (error) {
    if (error instanceof ServiceError) return { status: 400, body: JSON.stringify({ __type: error.type, ...error.body }) }
    // an operation or expression that the stand-in lacks is a fault of the bench
    console.error(error)
    return { status: 500, body: JSON.stringify({ __type: 'InternalServerError' }) }
  }
}

function send(response: ServerResponse, { status, body }: { readonly status: number; readonly body: string }): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0', 'content-length': Buffer.byteLength(body) })
  response.end(body, () => operations.settle())
}

const server = createServer((request, response) => {
  // the gateway opens its connections in advance, as to DynamoDB
  if (request.method === 'GET') {
    response.end('healthy')
    return
  }
  text(request).then(
    (body) => {
      const arrived = performance.now()
      const result = answer(request, body)
      if (delay === 0) {
        send(response, result)
        return
      }
      setTimeout(() => {
        intervals.push({ arrived, answered: performance.now() })
        send(response, result)
      }, delay)
    },
    () => response.destroy(),
  )
})
// contestants keep their connections while other contestants are measured
server.keepAliveTimeout = 0
const port = await listen(server, 0)

process.on('message', (command: StoreCommand) => {
  if (command.command === 'delay') delay = command.milliseconds
  if (command.command === 'clear') operations.clear(command.table)
  if (command.command === 'reset') {
    operations.reset()
    intervals = []
  }
  reply()
})
process.on('disconnect', () => process.exit(0))
reply()

function reply(): void {
  const counts = { ...operations.counts, roundTrips: longestChain(intervals) }
  const result: StoreReply = { endpoint: `http://${LOOPBACK}:${port}`, counts }
  process.send?.({ result })
}
