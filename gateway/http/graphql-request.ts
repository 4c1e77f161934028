import * as z from 'zod'
import { BadRequest, BadUserInput } from '../model/failures.ts'
import { HALF_OF_A_PAIR, jsonDetail, lengthDetail, membersOf, NO_OPERATION, shapeDetail } from './body-detail.ts'
import { operationId } from '../model/operation-id.ts'

/** The member of a request that holds the id of an operation. Each is the form of some clients. */
export type IdForm = 'persistedQuery' | 'documentId' | 'doc_id' | 'id'

/** The id of an operation, as one form of request has it. */
export interface OperationId {
  readonly form: IdForm
  /** See `operationId`. */
  readonly id: string
}

/** A request of GraphQL over HTTP. It has a text, an id, or both. */
export interface GraphQLRequest {
  readonly query: string | undefined
  readonly id: OperationId | undefined
  readonly operationName: string | undefined
  readonly variables: Readonly<Record<string, unknown>> | undefined
}

/** Maximum length of a POST body, in characters. */
const MAX_BODY = 256 * 1024
/** Maximum length of a query string, in characters. API Gateway allows 10,240 bytes for the request line and the headers. */
const MAX_QUERY_STRING = 10_240

const Id = z.string().transform((text, context) => {
  const id = operationId(text)
  if (id !== undefined) return id
  context.addIssue('not an id')
  return z.NEVER
})
const Body = z.object({
  query: z.string().nullish(),
  documentId: Id.nullish(),
  doc_id: Id.nullish(),
  id: Id.nullish(),
  operationName: z.string().nullish(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  extensions: z.looseObject({ persistedQuery: z.looseObject({ version: z.literal(1), sha256Hash: Id }).nullish() }).nullish(),
})
type Body = z.infer<typeof Body>

/**
 * Parses and validates the body of a POST request.
 *
 * @throws BadRequest, also for ids in more than one form; BadUserInput for a variable with half of a surrogate pair. Neither repeats
 *   anything of the body (P8)
 */
export function parseBody(text: string): GraphQLRequest {
  if (text.length > MAX_BODY) throw new BadRequest({ detail: () => lengthDetail('body', text.length, MAX_BODY) })
  if (!text.isWellFormed()) throw new BadRequest({ detail: HALF_OF_A_PAIR })
  const json = parseJson(text, 'The body')
  const body = Body.safeParse(json)
  if (!body.success) throw new BadRequest({ detail: () => shapeDetail(json, body.error) })
  const { operationName, variables, extensions } = body.data
  // only an escape can give half of a pair to a well-formed text; the query is checked where it is parsed
  if (SURROGATE_ESCAPE.test(text)) {
    if (!isWellFormed([operationName, extensions])) throw new BadRequest({ detail: HALF_OF_A_PAIR })
    if (!isWellFormed(variables)) throw new BadUserInput({ detail: HALF_OF_A_PAIR })
  }
  return requestOf(body.data)
}

/**
 * Parses the query string of a GET request: the members of a body as parameters, `variables` and `extensions` as JSON text.
 *
 * @throws BadRequest, also for a parameter that is given twice; BadUserInput as `parseBody`. Neither repeats anything of the URL (P8)
 */
export function parseQueryString(text: string): GraphQLRequest {
  if (text.length > MAX_QUERY_STRING)
    throw new BadRequest({ detail: () => lengthDetail('query string', text.length, MAX_QUERY_STRING) })
  const members = new Map<string, unknown>()
  for (const parameter of text.split('&').filter((part) => part !== '')) {
    const [name = '', ...rest] = parameter.split('=')
    const [key, value] = [decoded(name), decoded(rest.join('='))]
    if (members.has(key)) throw new BadRequest({ detail: 'A parameter of the URL is given twice. Send each once.' })
    members.set(key, key === 'variables' || key === 'extensions' ? parseJson(value, `The parameter \`${key}\``) : value)
  }
  const body = Body.safeParse(Object.fromEntries(members))
  if (!body.success) throw new BadRequest({ detail: () => shapeDetail({}, body.error) })
  const { variables, extensions } = body.data
  if (!isWellFormed(extensions)) throw new BadRequest({ detail: HALF_OF_A_PAIR })
  if (!isWellFormed(variables)) throw new BadUserInput({ detail: HALF_OF_A_PAIR })
  return requestOf(body.data)
}

/**
 * Whether a query string names an operation by an id, and has no text. No other GET is answered, and this is known before the caller is.
 */
export function namesOperation(queryString: string): boolean {
  const names = new Set(queryString.split('&').map((part) => part.split('=', 1)[0]))
  return !names.has('query') && ID_PARAMETERS.some((name) => names.has(name))
}

const ID_PARAMETERS = ['documentId', 'doc_id', 'id', 'extensions']

/** @throws BadRequest without text and id, and with ids in more than one form: two ids could name two operations */
function requestOf({ query, operationName, variables, extensions, ...body }: Body): GraphQLRequest {
  const forms: Readonly<Record<IdForm, string | null | undefined>> = {
    persistedQuery: extensions?.persistedQuery?.sha256Hash,
    documentId: body.documentId,
    doc_id: body.doc_id,
    id: body.id,
  }
  const ids = Object.entries(forms).flatMap(([form, id]) => (typeof id === 'string' ? [{ form: form as IdForm, id }] : []))
  const text = query === null || query === '' ? undefined : query
  if (ids.length > 1) throw new BadRequest({ detail: () => `The request has several ids: ${membersOf(ids)}. Send one.` })
  if (ids.length === 0 && text === undefined) throw new BadRequest({ detail: NO_OPERATION })
  return { query: text, id: ids[0], operationName: operationName ?? undefined, variables: variables ?? undefined }
}

/** @param holder the part of the request that holds the text */
function parseJson(text: string, holder: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // the parser's message quotes the text
    throw new BadRequest({ detail: () => jsonDetail(holder, text, error) })
  }
}

/** Decodes a part of a query string. Bytes that are not UTF-8 are refused: `URLSearchParams` replaces them by other text. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part.replaceAll('+', ' '))
  } catch {
    throw new BadRequest({ detail: 'The URL has an escape that is not UTF-8. Encode its parameters with `encodeURIComponent`.' })
  }
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/

/** Whether every text and every name within a JSON value is well-formed. Without recursion, because a body can be deep. */
function isWellFormed(json: unknown): boolean {
  const left = [json]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string' && !value.isWellFormed()) return false
    if (typeof value !== 'object' || value === null) continue
    for (const [name, inner] of Object.entries(value)) {
      if (!name.isWellFormed()) return false
      left.push(inner)
    }
  }
  return true
}
