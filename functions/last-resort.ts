import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { processFault } from '../gateway/telemetry/internal-fault.ts'
import type { EventSink } from '../gateway/telemetry/events.ts'

/** Without a request id: where this is given, there may be none. */
const FAILED: APIGatewayProxyStructuredResultV2 = {
  statusCode: 500,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body: '{"errors":[{"message":"An internal error occurred.","extensions":{"code":"INTERNAL"}}]}',
  isBase64Encoded: false,
}

/**
 * The answer, or a fixed one. What a handler throws, Lambda's runtime prints with message and stack, and gives both to who
 * invoked the function; the gateway throws nothing, and should anything around it, its message stays here (P8).
 */
export async function orLastResort(
  answer: () => Promise<APIGatewayProxyStructuredResultV2>,
  events: EventSink,
): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    return await answer()
  } catch (error) {
    events(processFault('HANDLER', error))
    return FAILED
  }
}
