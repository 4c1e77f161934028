import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { Handler } from '../../infra/local/api-gateway.ts'

// A process with only one function, as on Lambda. `FUNCTION` names the file. Messages invoke it.

/** One request for the function. */
export interface Invocation {
  readonly place: number
  readonly event: Partial<APIGatewayProxyEventV2>
}

/** The result, and the memory of the process after it, in bytes. */
export interface Invoked {
  readonly place: number
  readonly result: APIGatewayProxyStructuredResultV2
  readonly memory: { readonly peak: number; readonly now: number; readonly heap: number }
}

const TIMEOUT_MS = 10_000

const { handler } = (await import(process.env['FUNCTION'] ?? '')) as { handler: Handler }

async function invoke({ place, event }: Invocation): Promise<Invoked> {
  const ends = performance.now() + TIMEOUT_MS
  const context = { getRemainingTimeInMillis: () => ends - performance.now() } as Context
  const result = await handler(event as APIGatewayProxyEventV2, context)
  const { rss: now, heapUsed: heap } = process.memoryUsage()
  return { place, result, memory: { peak: process.resourceUsage().maxRSS * 1024, now, heap } }
}

process.on('message', (invocation: Invocation) => {
  invoke(invocation).then(
    (invoked) => process.send?.(invoked),
    () => process.exit(1),
  )
})
process.send?.('ready')
