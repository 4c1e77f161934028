import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { processFault } from '../gateway/telemetry/internal-fault.ts'
import type { EventSink } from '../gateway/telemetry/events.ts'

/** Carries no request id: there may be none at this point. */
const FAILED: APIGatewayProxyStructuredResultV2 = {
  statusCode: 500,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body: '{"errors":[{"message":"An internal error occurred.","extensions":{"code":"INTERNAL"}}]}',
  isBase64Encoded: false,
}

/**
 * Returns the answer, or a fixed response if the handler throws. Lambda's runtime would log the message and the stack of the
 * error and return both to the client. The gateway never throws; if code around it does, the message stays here (P8).
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
