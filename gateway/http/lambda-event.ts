import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { HttpRequest, HttpResponse } from './messages.ts'

/** Part of the function's time that is reserved for sending the response. */
const MARGIN_MS = 500

/**
 * Converts an event of an HTTP API into a request. The deadline of the request leaves time to send the response.
 *
 * @param now milliseconds since the epoch
 * @source https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html payload format 2.0
 */
export function fromEvent(
  { requestContext, headers, body, isBase64Encoded }: APIGatewayProxyEventV2,
  context: Context,
  now: number,
): HttpRequest {
  return {
    method: requestContext.http.method,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: isBase64Encoded ? Buffer.from(body ?? '', 'base64').toString('utf8') : (body ?? ''),
    sourceIp: requestContext.http.sourceIp,
    deadline: now + Math.max(0, context.getRemainingTimeInMillis() - MARGIN_MS),
  }
}

/** Converts a response into the result of the function. Its body is text, never base64. */
export function toResult({ status, headers, body }: HttpResponse): APIGatewayProxyStructuredResultV2 {
  return { statusCode: status, headers: { ...headers }, body, isBase64Encoded: false }
}
