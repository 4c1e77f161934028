import type { AuditReceipt } from './audit/trail.ts'
import { type ErrorText, MESSAGES } from './model/failure-messages.ts'
import type { FailureDetail } from './model/failure-detail.ts'
import type { Notice } from './disclosure/notices.ts'
import type { FoundLinks } from './disclosure/patient-links.ts'
import type { RequestScope } from './disclosure/request-scope.ts'
import { budgetDetail, type BudgetName } from './model/limit-details.ts'
import { type FailureCode, HTTP_STATUS } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import { answerType, type HttpRequest, type HttpResponse } from './http/messages.ts'
import { isCertainlyLonger, isWithin } from './http/response-size.ts'

/** An entry of `errors` in a response. */
export interface AnswerError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly locations?: readonly { readonly line: number; readonly column: number }[]
  readonly extensions: { readonly code: FailureCode } & Readonly<Record<string, unknown>>
}

/** An answer with its body as text. */
export interface Answer {
  readonly status: number
  readonly body: string
  /** The code of a refusal. */
  readonly code?: FailureCode
}

/** The text of a body. Without links, it has no member for them. */
type WithReceipt = (receipt: string | null, links?: FoundLinks['links']) => string

/** An answer that waits for its receipt, or the failure that takes its place. */
export type Draft =
  | { readonly kind: 'ANSWER'; readonly withReceipt: WithReceipt }
  | { readonly kind: 'FAILURE'; readonly error: AnswerError }

/** Characters of a receipt, for the size of a body. */
const RECEIPT = '-'.repeat(43)

/**
 * The answer to an executed operation, measured before its audit is settled: a body beyond the limit does not leave, and the audit then
 * says so.
 */
export function draftOf(scope: RequestScope, data: unknown, thrown: readonly AnswerError[], text: ErrorText): Draft {
  const { counter, errors: responseErrors, exceeded, size } = scope
  // even if a resolver caught the error: a client cannot distinguish a withheld value from an absent one
  if (exceeded !== undefined) return { kind: 'FAILURE', error: budgetSpent(exceeded, text) }
  if (size.isExceeded) return { kind: 'FAILURE', error: tooLarge(size.max, text) }
  const fatal = thrown.find(({ extensions }) => HTTP_STATUS[extensions.code] !== 200)
  if (fatal !== undefined) return { kind: 'FAILURE', error: withoutPath(fatal) }
  const errors = [...thrown, ...responseErrors.errors(text)]
  const { resolved, denied } = counter
  const phi = { requestId: scope.requestId, resolved, masked: responseErrors.masked(), denied }
  const notices = scope.notices.all()
  // a text many times the limit would exhaust the memory of the process
  if (!isCertainlyLonger([data, errors, phi, notices], size.max)) {
    const withReceipt = bodyOf({ data, ...(errors.length > 0 && { errors }), phi, notices })
    if (isWithin(withReceipt(RECEIPT), size.max)) return { kind: 'ANSWER', withReceipt }
  }
  size.exceed()
  return { kind: 'FAILURE', error: tooLarge(size.max, text) }
}

interface BodyParts {
  readonly data: unknown
  readonly errors?: readonly object[]
  readonly phi: object
  readonly notices: readonly Notice[]
}

/** The text of a body, which is made once: only the receipt and the links are still unknown. */
function bodyOf({ data, errors, phi, notices }: BodyParts): WithReceipt {
  // errors first, for people who read a response (GraphQL specification, section 7.1)
  const before = opened({ errors, data, extensions: {} }).slice(0, -1)
  const extensions = `${before}"phi":${opened(phi)},"receipt":`
  const after = notices.length > 0 ? `,"notices":${JSON.stringify(notices)}` : ''
  return (receipt, links = []) => `${extensions}${JSON.stringify(receipt)}${after}${linksText(links)}}}}\n`
}

function linksText(links: FoundLinks['links']): string {
  if (links === 'UNKNOWN') return ',"links":null'
  return links.length > 0 ? `,"links":${JSON.stringify(links)}` : ''
}

/** Adds the links of patients, which are found while the audit is stored. An answer that is too large with them does not leave. */
export function withLinks(draft: Draft, links: FoundLinks['links'], maxBytes: number, text: ErrorText): Draft {
  if (draft.kind === 'FAILURE' || (links !== 'UNKNOWN' && links.length === 0)) return draft
  const withReceipt: WithReceipt = (receipt) => draft.withReceipt(receipt, links)
  return isWithin(withReceipt(RECEIPT), maxBytes)
    ? { kind: 'ANSWER', withReceipt }
    : { kind: 'FAILURE', error: tooLarge(maxBytes, text) }
}

/** The JSON text of an object without its last bracket. */
const opened = (value: object): string => JSON.stringify(value).slice(0, -1)

/** The answer to an executed operation. It needs the receipt, which proves that every access was recorded (P2). */
export function answer(requestId: RequestId, draft: Draft, receipt: AuditReceipt): Answer {
  return draft.kind === 'FAILURE'
    ? failure(requestId, [draft.error])
    : { status: 200, body: draft.withReceipt(receipt.text ?? null) }
}

/** An entry without a place in the answer. */
export const entryOf = (code: FailureCode, text: ErrorText, detail?: FailureDetail): AnswerError => ({
  message: text(code, detail),
  extensions: { code },
})

/** The entry names the budget that is spent. */
function budgetSpent(budget: BudgetName, text: ErrorText): AnswerError {
  const code = 'PHI_BUDGET_EXCEEDED'
  return { message: text(code, budgetDetail(budget)), extensions: { code, budget } }
}

/** The entry for a response of more than `max` bytes. */
export const tooLarge = (max: number, text: ErrorText): AnswerError =>
  entryOf(
    'OPERATION_TOO_COSTLY',
    text,
    `The response would have more than ${max} bytes. Select fewer fields, or request smaller pages with \`first\`. The setting is \`answer.bytes\` of \`PHI_LIMITS\`.`,
  )

/** The answer as a whole is refused, so the entry has no place in it. */
function withoutPath({ message, extensions: { code, budget, coordinates } }: AnswerError): AnswerError {
  const more = { ...(budget !== undefined && { budget }), ...(coordinates !== undefined && { coordinates }) }
  return { message, extensions: { code, ...more } }
}

/** An answer without data. The first error sets the status. */
export function failure(requestId: RequestId, errors: readonly [AnswerError, ...AnswerError[]]): Answer {
  const { code } = errors[0].extensions
  return { status: HTTP_STATUS[code], body: JSON.stringify({ errors, extensions: { phi: { requestId } } }), code }
}

/** An answer as an HTTP response. */
export function responseOf({ status, body, code }: Answer, type: string, stepUpSeconds?: number): HttpResponse {
  return {
    status,
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-store',
      ...(status === 401 && { 'www-authenticate': challenge(code, stepUpSeconds) }),
      ...(status === 405 && { allow: 'POST' }),
    },
    body: body.endsWith('\n') ? body : `${body}\n`,
  }
}

/** A refusal as an HTTP response, without data. Its media type is JSON if the client accepts no type that the gateway has. */
export function refusal(requestId: RequestId, request: HttpRequest, error: AnswerError, status?: number): HttpResponse {
  const answered = failure(requestId, [error])
  return responseOf({ ...answered, status: status ?? answered.status }, answerType(request.headers) ?? 'application/json')
}

/**
 * The `WWW-Authenticate` header of a 401. It says nothing about the fault of a token.
 *
 * @param maxAge maximum age of the sign-in, in seconds
 * @source RFC 6750 section 3, RFC 9470 section 3
 */
function challenge(code: FailureCode | undefined, maxAge?: number): string {
  const error = code === undefined ? undefined : CHALLENGES[code]
  if (code === undefined || error === undefined) return 'Bearer'
  const age = code === 'STEP_UP_REQUIRED' && maxAge !== undefined ? `, max_age="${maxAge}"` : ''
  return `Bearer error="${error}", error_description="${MESSAGES[code]}"${age}`
}

const CHALLENGES: Partial<Record<FailureCode, string>> = {
  STEP_UP_REQUIRED: 'insufficient_user_authentication',
  MFA_REQUIRED: 'insufficient_user_authentication',
  SESSION_EXPIRED: 'invalid_token',
}

export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === 'string' && Object.hasOwn(HTTP_STATUS, code)
}
