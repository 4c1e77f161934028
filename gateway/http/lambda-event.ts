import { isUtf8 } from 'node:buffer'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { compress, contentCoding, MIN_COMPRESSED_BYTES } from './content-encoding.ts'
import type { HttpRequest, HttpResponse } from './messages.ts'
import { belongsInBase64, mostCarriedBytes } from './response-size.ts'

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

/**
 * Converts a response into the result of the function. The body is compressed if the client accepts it, because an HTTP API compresses
 * nothing. Otherwise it is text, or base64 if a long text would exceed Lambda's limit.
 *
 * @param request the headers of the request
 */
export async function toResult(
  { status, headers, body }: HttpResponse,
  { headers: asked }: Pick<HttpRequest, 'headers'>,
): Promise<APIGatewayProxyStructuredResultV2> {
  if (body === '') return { statusCode: status, headers: { ...headers }, body, isBase64Encoded: false }
  const varying = { ...headers, vary: [headers['vary'], 'Accept-Encoding'].filter((name) => name !== undefined).join(', ') }
  const coding = contentCoding(asked['accept-encoding'])
  const bytes = Buffer.byteLength(body)
  if (coding !== undefined && bytes >= MIN_COMPRESSED_BYTES) {
    const compressed = await compress(body, coding)
    // in base64, a text that does not compress could exceed Lambda's limit
    if (mostCarriedBytes(compressed.length) < bytes) {
      const encoded = { ...varying, 'content-encoding': coding }
      return { statusCode: status, headers: encoded, body: compressed.toString('base64'), isBase64Encoded: true }
    }
  }
  const isBase64Encoded = belongsInBase64(body)
  const carried = isBase64Encoded ? Buffer.from(body).toString('base64') : body
  return { statusCode: status, headers: varying, body: carried, isBase64Encoded }
}

/**
 * Answers an event of an HTTP API.
 *
 * @param handle answers the request
 * @param now milliseconds since the epoch
 */
export async function answerEvent(
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  event: APIGatewayProxyEventV2,
  context: Context,
  now: number,
): Promise<APIGatewayProxyStructuredResultV2> {
  const request = fromEvent(event, context, now)
  return await toResult(await handle(request), request)
}
