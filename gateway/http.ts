import * as z from 'zod'
import { BadRequest } from '../vocabulary/failures.ts'

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

/** GraphQL over HTTP's POST body, and how much of it is read at all. */
const LARGEST_BODY = 256 * 1024
const Body = z.object({
  query: z.string(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
})

export type GraphQLBody = z.infer<typeof Body>

/** @throws BadRequest, which says nothing of what was in the body */
export function parseBody(text: string): GraphQLBody {
  if (text.length > LARGEST_BODY) throw new BadRequest()
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
