/** An HTTP request, independent of the service that delivers it. */
export interface HttpRequest {
  readonly method: string
  /** Names are in lower case. Several values of one name are joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** The raw query string, without the question mark. It may hold whatever a client puts there: no log holds it (P8). */
  readonly queryString?: string
  readonly sourceIp?: string
  /** Milliseconds since the epoch. A response after this time no longer reaches the client. */
  readonly deadline?: number
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Media types of responses. If the client prefers both equally, the first one is used. */
const ANSWER_TYPES = ['application/json', 'application/graphql-response+json'] as const
type AnswerType = (typeof ANSWER_TYPES)[number]

/**
 * Negotiates the media type of the response. Returns undefined if the client accepts none of them. Without an `Accept` header
 * the type is `application/json`, because clients older than GraphQL over HTTP expect it.
 *
 * @source https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 and https://graphql.github.io/graphql-over-http/draft/
 */
export function answerType({ accept }: HttpRequest['headers']): AnswerType | undefined {
  if (accept === undefined || accept.trim() === '') return ANSWER_TYPES[0]
  const ranges = accept.split(',').map(parseWeighted)
  // the most specific range wins: `application/json;q=0, */*` accepts everything except JSON
  const accepted = ANSWER_TYPES.flatMap((type) => {
    const matches = [type, 'application/*', '*/*'].flatMap((name, breadth) =>
      ranges.flatMap(({ essence, charset, quality }, place) =>
        essence === name && (charset ?? UTF_8) === UTF_8 ? [{ breadth, place, quality }] : [],
      ),
    )
    const match = matches[0]
    return match !== undefined && match.quality > 0 ? [{ type, ...match }] : []
  })
  return accepted.toSorted((a, b) => b.quality - a.quality || a.breadth - b.breadth || a.place - b.place)[0]?.type
}

/**
 * Whether the gateway reads a body of this type: uncompressed JSON in UTF-8. It refuses forms and plain text, because any web
 * page can make a browser send them without a CORS preflight.
 */
function isBodyTypeSupported({ 'content-type': type, 'content-encoding': encoding }: HttpRequest['headers']): boolean {
  const { essence, charset = UTF_8 } = parseWeighted(type ?? '')
  return essence === 'application/json' && charset === UTF_8 && ['', 'identity'].includes((encoding ?? '').trim().toLowerCase())
}

/**
 * The HTTP status for an unsupported media type, or undefined if the types of the request are supported. A GET has no body. It needs
 * the type of GraphQL over HTTP, so that the link of a page and an address in a browser run no operation.
 */
export function refusedByType(headers: HttpRequest['headers'], method = 'POST'): 406 | 415 | undefined {
  const type = answerType(headers)
  if (method === 'GET') return type === ANSWER_TYPES[1] ? undefined : 406
  if (type === undefined) return 406
  return isBodyTypeSupported(headers) ? undefined : 415
}

/** The detail of a request that `refusedByType` refuses. */
export function typeDetail(
  { 'content-type': type, 'content-encoding': encoding }: HttpRequest['headers'],
  status: 406 | 415,
  method?: string,
): string {
  if (status === 406 && method === 'GET')
    return `A GET needs the header \`accept: ${ANSWER_TYPES[1]}\`. Without it, a link could run an operation.`
  if (status === 406) return `The header \`accept\` excludes every type of the answer. Send one of: ${ANSWER_TYPES.join(', ')}.`
  if (type === undefined || type === '') return 'The header `content-type` is missing. Send `content-type: application/json`.'
  return encoding !== undefined && parseWeighted(type).essence === 'application/json'
    ? 'The header `content-encoding` is not supported for this body. Send JSON in UTF-8, uncompressed, without this header.'
    : 'The header `content-type` is not JSON in UTF-8. Send `content-type: application/json`. Forms and plain text are refused, because a page of another site can send them.'
}

const UTF_8 = 'utf-8'

/**
 * Parses an element of `Accept`, `Accept-Encoding` or `Content-Type`, such as `application/json; charset="UTF-8"; q=0.9`, into lower
 * case. An invalid quality counts as 0: unknown means no.
 */
export function parseWeighted(text: string): { essence: string; charset: string | undefined; quality: number } {
  const [essence = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase())
  const parameters = new Map(
    rest.map((part) => {
      const [name = '', ...value] = part.split('=')
      return [
        name.trim(),
        value
          .join('=')
          .trim()
          .replace(/^"(.*)"$/, '$1'),
      ] as const
    }),
  )
  const weight = parameters.get('q') ?? '1'
  const quality = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0
  return { essence, charset: parameters.get('charset'), quality }
}
