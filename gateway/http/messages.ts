import * as z from 'zod'
import { BadRequest } from '../model/failures.ts'

/** A request as the gateway takes it, whatever brought it. */
export interface HttpRequest {
  readonly method: string
  /** Lower-case names; several values of one name joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: string
  readonly sourceIp?: string
  /** Milliseconds since the epoch after which nobody waits for the answer. */
  readonly deadline?: number
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What an answer may be written as. Of two that a client likes alike, the first. */
const ANSWER_TYPES = ['application/json', 'application/graphql-response+json'] as const
type AnswerType = (typeof ANSWER_TYPES)[number]

/**
 * What to write the answer as, or undefined when the client accepts nothing that there is. Without an `Accept` it is
 * `application/json`, which clients from before GraphQL over HTTP expect.
 *
 * @source https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 and https://graphql.github.io/graphql-over-http/draft/
 */
export function answerType({ accept }: HttpRequest['headers']): AnswerType | undefined {
  if (accept === undefined || accept.trim() === '') return ANSWER_TYPES[0]
  const ranges = accept.split(',').map(parseMediaType)
  // the most specific range decides for a type: `application/json;q=0, */*` is anything but JSON
  const wished = ANSWER_TYPES.flatMap((type) => {
    const matches = [type, 'application/*', '*/*'].flatMap((name, breadth) =>
      ranges.flatMap(({ essence, charset, quality }, place) =>
        essence === name && (charset ?? UTF_8) === UTF_8 ? [{ breadth, place, quality }] : [],
      ),
    )
    const match = matches[0]
    return match !== undefined && match.quality > 0 ? [{ type, ...match }] : []
  })
  return wished.toSorted((a, b) => b.quality - a.quality || a.breadth - b.breadth || a.place - b.place)[0]?.type
}

/**
 * Whether the body is of a type that is read: JSON in UTF-8, not compressed. A form or plain text is what a browser sends for
 * any page that asks it to, without asking us first.
 */
function isBodyTaken({ 'content-type': type, 'content-encoding': encoding }: HttpRequest['headers']): boolean {
  const { essence, charset = UTF_8 } = parseMediaType(type ?? '')
  return essence === 'application/json' && charset === UTF_8 && ['', 'identity'].includes((encoding ?? '').trim().toLowerCase())
}

/** The status by which HTTP itself refuses a request for its types, or undefined. */
export function refusedByType(headers: HttpRequest['headers']): 406 | 415 | undefined {
  if (answerType(headers) === undefined) return 406
  return isBodyTaken(headers) ? undefined : 415
}

const UTF_8 = 'utf-8'

/** `application/json; charset="UTF-8"; q=0.9`, in lower case. A quality that is none counts as 0: unknown means no. */
function parseMediaType(text: string): { essence: string; charset: string | undefined; quality: number } {
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

/** GraphQL over HTTP's POST body, and how much of it is read at all. */
const MAX_BODY = 256 * 1024
const Body = z.object({
  query: z.string(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
})

export type GraphQLBody = z.infer<typeof Body>

/** @throws BadRequest, which says nothing of what was in the body */
export function parseBody(text: string): GraphQLBody {
  if (text.length > MAX_BODY) throw new BadRequest()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // the parser's message quotes the body
    throw new BadRequest()
  }
  const body = Body.safeParse(json)
  if (!body.success) throw new BadRequest()
  return body.data
}
