import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import * as z from 'zod'
import { type CorsPolicy, corsHeaders } from '../gateway/http/cors.ts'
import { processFault } from '../gateway/telemetry/internal-fault.ts'
import type { EventSink } from '../gateway/telemetry/events.ts'

const WithOrigin = z.object({ headers: z.object({ origin: z.string() }) })

/** Carries no request id: there may be none at this point. */
const FAILED = {
  statusCode: 500,
  headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
  body: '{"errors":[{"message":"An internal error occurred.","extensions":{"code":"INTERNAL"}}]}',
  isBase64Encoded: false,
} as const satisfies APIGatewayProxyStructuredResultV2

/**
 * Returns the answer, or a fixed response if the handler throws. Lambda's runtime would log the message and the stack of the
 * error and return both to the client. The gateway never throws; if code around it does, the message stays here (P8).
 */
export async function orLastResort(
  answer: () => Promise<APIGatewayProxyStructuredResultV2>,
  event: unknown,
  { events, cors }: { readonly events: EventSink; readonly cors: CorsPolicy | undefined },
): Promise<APIGatewayProxyStructuredResultV2> {
  try {
    return await answer()
  } catch (error) {
    events(processFault('HANDLER', error))
    return { ...FAILED, headers: { ...FAILED.headers, ...corsHeaders({ origin: originOf(event) }, cors) } }
  }
}

/** The origin in an event of any form: the event may be the cause of the fault. */
function originOf(event: unknown): string | undefined {
  return WithOrigin.safeParse(event).data?.headers.origin
}
