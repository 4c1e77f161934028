import * as z from 'zod'
import { isLocal } from '../model/stage.ts'
import type { HttpRequest, HttpResponse } from './messages.ts'

// Cross-origin resource sharing (CORS): which pages of other origins a browser lets call the gateway and read its responses.
// It is no access control. A token decides about each request, and no response permits cookies. Source:
// https://fetch.spec.whatwg.org/#http-cors-protocol

/** The request headers that the gateway reads and that a page may only set if they are listed. */
const REQUEST_HEADERS = [
  'authorization',
  'content-type',
  'x-purpose-of-use',
  'x-research-study',
  'apollographql-client-name',
  'apollographql-client-version',
  'traceparent',
]

/** The response headers that clients need and that a page could not read otherwise. API Gateway adds the last one. */
const RESPONSE_HEADERS = ['www-authenticate', 'retry-after', 'allow', 'apigw-requestid']

/** The names of this machine in an origin. */
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

const ORIGIN_FORM =
  'Write each origin as scheme, host and, unless it is the default, port, in lower case and without a path or a slash at the end, such as https://app.example. Use https, or http for localhost, 127.0.0.1 and [::1]. The values * and null are not accepted.'

/** The setting `PHI_CORS`. */
export const CorsSettings = z.strictObject({
  /** The origins whose pages may call. Default: none; in the stage `local`, each port of this machine. */
  origins: z.array(z.string().refine(isOrigin, ORIGIN_FORM)).max(100).optional(),
  /** Further request headers that pages may set, for example one that a proxy reads. */
  headers: z
    .array(z.string().regex(/^[a-z0-9-]{1,64}$/i, 'Write the name of one header. The value * is not accepted.'))
    .max(50)
    .default([]),
  /** The time in seconds for which a browser keeps the answer to a preflight. Chromium keeps it for two hours at most. */
  maxAgeSeconds: z.int().min(0).max(86_400).default(600),
})

/** The rules for pages of other origins. Create one with `corsPolicy`, which refuses wildcards. */
export interface CorsPolicy {
  readonly allowsOrigin: (origin: string) => boolean
  /** The request headers that a page may set. */
  readonly requestHeaders: readonly string[]
  readonly maxAgeSeconds: number
}

/**
 * The rules for pages of other origins, or undefined if no such page may call.
 *
 * @param stage name of the stage. In `local`, pages of this machine may call unless `origins` is given
 *
 * @throws ZodError that says how to write an origin
 */
export function corsPolicy(given: z.input<typeof CorsSettings>, stage?: string): CorsPolicy | undefined {
  const { origins, headers, maxAgeSeconds } = CorsSettings.parse(given)
  const requestHeaders = [...new Set([...REQUEST_HEADERS, ...headers.map((header) => header.toLowerCase())])]
  if (origins === undefined) return isLocal(stage) ? { allowsOrigin: isOfThisMachine, requestHeaders, maxAgeSeconds } : undefined
  const listed: ReadonlySet<string> = new Set(origins)
  return listed.size === 0 ? undefined : { allowsOrigin: (origin) => listed.has(origin), requestHeaders, maxAgeSeconds }
}

/**
 * The answer to `OPTIONS`. It reads no token and depends on the origin alone. Each origin that may not call gets the same bytes, and so
 * does each origin if the deployment has no rules: without the headers of CORS, the browser does not send the request.
 *
 * @param methods the methods of the route
 */
export function answerPreflight(
  { headers }: Pick<HttpRequest, 'headers'>,
  methods: readonly string[],
  policy: CorsPolicy | undefined,
): HttpResponse {
  const allow = [...methods, 'OPTIONS'].join(', ')
  const granted = policy !== undefined &&
    isGranted(policy, headers) && {
      'access-control-allow-methods': allow,
      'access-control-allow-headers': policy.requestHeaders.join(', '),
      'access-control-max-age': String(policy.maxAgeSeconds),
    }
  const response = { status: 204, headers: { allow, 'cache-control': 'no-store', ...granted }, body: '' }
  return withCors(response, headers, policy)
}

/** Adds the headers of CORS to a response of any status. A page can read a refusal only with them. */
export function withCors(response: HttpResponse, headers: HttpRequest['headers'], policy: CorsPolicy | undefined): HttpResponse {
  return { ...response, headers: { ...response.headers, ...corsHeaders(headers, policy) } }
}

/** The headers of CORS for a response, from the headers of its request. */
export function corsHeaders(headers: HttpRequest['headers'], policy: CorsPolicy | undefined): Readonly<Record<string, string>> {
  if (policy === undefined) return {}
  // also without a grant: a shared cache must not give the response for one origin to another
  const vary = { vary: 'Origin' }
  const { origin } = headers
  if (origin === undefined || !isGranted(policy, headers)) return vary
  return { ...vary, 'access-control-allow-origin': origin, 'access-control-expose-headers': RESPONSE_HEADERS.join(', ') }
}

const isGranted = ({ allowsOrigin }: CorsPolicy, { origin }: HttpRequest['headers']): boolean =>
  origin !== undefined && allowsOrigin(origin)

/** Whether a text is an origin in the form in which browsers send it. `*` is a valid character of a host, so it is refused by itself. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text) || text.includes('*')) return false
  const { origin, protocol } = new URL(text)
  return origin === text && (protocol === 'https:' || isOfThisMachine(text))
}

/** Whether an origin is `http` on this machine, with any port. */
function isOfThisMachine(origin: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, hostname, origin: serialized } = new URL(origin)
  return serialized === origin && protocol === 'http:' && LOOPBACK_HOSTS.has(hostname)
}
