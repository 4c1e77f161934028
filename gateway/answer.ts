import type { AuditReceipt } from './audit/trail.ts'
import { MESSAGES } from './model/failure-messages.ts'
import type { RequestScope } from './disclosure/request-scope.ts'
import { type BudgetName, type FailureCode, HTTP_STATUS } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import { answerType, type HttpRequest, type HttpResponse } from './http/messages.ts'

/** An entry of `errors` in a response. */
export interface AnswerError {
  readonly message: string
  readonly path?: readonly (string | number)[]
  readonly locations?: readonly { readonly line: number; readonly column: number }[]
  readonly extensions: { readonly code: FailureCode } & Readonly<Record<string, unknown>>
}

export interface Answer {
  readonly status: number
  readonly body: {
    readonly data?: unknown
    readonly errors?: readonly AnswerError[]
    readonly extensions: { readonly phi: { readonly requestId: RequestId } & Readonly<Record<string, unknown>> }
  }
}

/** The answer to an executed operation. It needs the receipt, which proves that every access was recorded (P2). */
export function answer(scope: RequestScope, receipt: AuditReceipt, data: unknown, thrown: readonly AnswerError[]): Answer {
  const { requestId, counter, errors: responseErrors, notices, exceeded } = scope
  // even if a resolver caught the error: a client cannot distinguish a withheld value from an absent one
  if (exceeded !== undefined) return budgetExceeded(requestId, exceeded)
  const fatal = thrown.find(({ extensions }) => HTTP_STATUS[extensions.code] !== 200)
  if (fatal !== undefined) return failure(requestId, fatal.extensions.code)
  const errors = [...thrown, ...responseErrors.errors()]
  const phi = {
    requestId,
    resolved: counter.resolved,
    masked: responseErrors.masked(),
    denied: counter.denied,
    receipt: receipt.text ?? null,
    ...(notices.size > 0 && { notices: [...notices] }),
  }
  return { status: 200, body: { data, ...(errors.length > 0 && { errors }), extensions: { phi } } }
}

/** An answer without data: fixed text by code, and the request id. */
export function failure(requestId: RequestId, code: FailureCode, errors?: readonly AnswerError[]): Answer {
  return {
    status: HTTP_STATUS[code],
    body: { errors: errors ?? [{ message: MESSAGES[code], extensions: { code } }], extensions: { phi: { requestId } } },
  }
}

/** A refusal that says which budget of the hour is spent. */
export function budgetExceeded(requestId: RequestId, budget: BudgetName): Answer {
  const code = 'PHI_BUDGET_EXCEEDED'
  return failure(requestId, code, [{ message: MESSAGES[code], extensions: { code, budget } }])
}

/** An answer as an HTTP response. */
export function responseOf({ status, body }: Answer, type: string, stepUpSeconds: number): HttpResponse {
  const { errors, data, extensions } = body
  return {
    status,
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-store',
      ...(status === 401 && { 'www-authenticate': challenge(errors?.[0]?.extensions.code, stepUpSeconds) }),
    },
    // errors first, for people who read a response (GraphQL specification, section 7.1)
    body: `${JSON.stringify({ errors, data, extensions })}\n`,
  }
}

/** A refusal as an HTTP response, without data. Its media type is JSON if the client accepts no type that the gateway has. */
export function refusal(
  requestId: RequestId,
  request: HttpRequest,
  code: FailureCode,
  status: number = HTTP_STATUS[code],
): HttpResponse {
  const type = answerType(request.headers) ?? 'application/json'
  return {
    status,
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'cache-control': 'no-store',
      ...(status === 401 && { 'www-authenticate': challenge(code) }),
      ...(status === 405 && { allow: 'POST' }),
    },
    body: JSON.stringify(failure(requestId, code).body),
  }
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
