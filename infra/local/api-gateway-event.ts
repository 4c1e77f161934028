import type { IncomingMessage } from 'node:http'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'

export interface Arrival {
  readonly request: IncomingMessage
  readonly body: Buffer
  /** Method and path, for instance `POST /graphql`. */
  readonly routeKey: string
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly requestId: string
}

/**
 * Converts an HTTP request into the event that an HTTP API sends to a function. Header names are in lower case, repeated values
 * are joined by commas, and cookies are separate. The body is base64 unless its content type is text.
 *
 * @source https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export function toEvent({ request, body, routeKey, now, requestId }: Arrival): APIGatewayProxyEventV2 {
  const [path = '/', ...query] = (request.url ?? '/').split('?')
  const rawQueryString = query.join('?')
  const sourceIp = request.socket.remoteAddress ?? ''
  const headers = joinedHeaders(request)
  const cookies = cookiesOf(request)
  const parameters = queryParameters(rawQueryString)
  const text = isText(request)
  const domainName = request.headers.host ?? ''

  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString,
    ...(cookies.length > 0 && { cookies }),
    headers: {
      ...headers,
      'x-forwarded-for': [headers['x-forwarded-for'], sourceIp].filter((ip) => ip !== undefined).join(', '),
      'x-forwarded-port': String(request.socket.localPort ?? ''),
      'x-forwarded-proto': 'http',
    },
    ...(parameters && { queryStringParameters: parameters }),
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName,
      domainPrefix: domainName.split(/[.:]/, 1)[0] ?? '',
      http: {
        method: request.method ?? '',
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp,
        userAgent: request.headers['user-agent'] ?? '',
      },
      requestId,
      routeKey,
      stage: '$default',
      time: commonLogTime(now),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(text ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !text,
  }
}

/** Reads the raw headers, because Node drops a repeated `authorization` or `content-type`. The service joins the values. */
function joinedHeaders({ rawHeaders }: IncomingMessage): Record<string, string> {
  const joined = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i]).toLowerCase()
    const value = String(rawHeaders[i + 1])
    const before = joined.get(name)
    if (name !== 'cookie') joined.set(name, before === undefined ? value : `${before},${value}`)
  }
  return Object.fromEntries(joined)
}

function cookiesOf({ headers }: IncomingMessage): string[] {
  return (headers.cookie ?? '')
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie !== '')
}

function queryParameters(rawQueryString: string): Record<string, string> | undefined {
  const joined = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    const before = joined.get(name)
    joined.set(name, before === undefined ? value : `${before},${value}`)
  }
  return joined.size > 0 ? Object.fromEntries(joined) : undefined
}

/** Content types that the service passes on as text. Any other type, or a missing one, becomes base64. */
const TEXT = /^(?:text\/[^;]+|application\/(?:json|javascript|xml))\s*(?:;|$)/i

function isText({ headers }: IncomingMessage): boolean {
  const compressed = headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity'
  return !compressed && TEXT.test(headers['content-type'] ?? '')
}

/** `12/Mar/2020:19:03:58 +0000` */
function commonLogTime(now: number): string {
  const [, day, month, year, time] = new Date(now).toUTCString().split(' ')
  return `${day ?? ''}/${month ?? ''}/${year ?? ''}:${time ?? ''} +0000`
}
