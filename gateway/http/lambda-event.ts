import { isUtf8 } from 'node:buffer'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import type { HttpRequest, HttpResponse } from './messages.ts'
import { belongsInBase64 } from './response-size.ts'

/** Part of the function's time that is reserved for sending the response. */
const MARGIN_MS = 500

/**
 * Converts an event of an HTTP API into a request. The deadline of the request leaves time to send the response.
 *
 * @param now milliseconds since the epoch
 * @source https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html payload format 2.0
 */
export function fromEvent(
  { requestContext, headers, body, isBase64Encoded, rawQueryString }: APIGatewayProxyEventV2,
  context: Context,
  now: number,
): HttpRequest {
  return {
    method: requestContext.http.method,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: isBase64Encoded ? decoded(body ?? '') : (body ?? ''),
    queryString: rawQueryString,
    sourceIp: requestContext.http.sourceIp,
    deadline: now + Math.max(0, context.getRemainingTimeInMillis() - MARGIN_MS),
  }
}

/** Bytes that are not UTF-8 are no JSON, so they become an empty body. A decoder would replace them by other text. */
function decoded(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  return isUtf8(bytes) ? bytes.toString('utf8') : ''
}

/** Converts a response into the result of the function. Its body is text, or base64 if a long text would exceed Lambda's limit. */
export function toResult({ status, headers, body }: HttpResponse): APIGatewayProxyStructuredResultV2 {
  const isBase64Encoded = belongsInBase64(body)
  const carried = isBase64Encoded ? Buffer.from(body).toString('base64') : body
  return { statusCode: status, headers: { ...headers }, body: carried, isBase64Encoded }
}
