import type { FailureCode } from './failures.ts'
import { builtDetail, type FailureDetail, NEW_TOKEN } from './failure-detail.ts'

/** Fixed text by code: no input and no value is ever part of a message (P8). */
export const MESSAGES: Readonly<Record<FailureCode, string>> = {
  UNAUTHENTICATED: 'Authentication is required.',
  SESSION_EXPIRED: 'The session has ended.',
  MFA_REQUIRED: 'A second factor is required.',
  STEP_UP_REQUIRED: 'A recent sign-in is required.',
  AUDIT_UNAVAILABLE: 'The access could not be recorded, so nothing is disclosed.',
  SESSIONS_UNAVAILABLE: 'Sessions cannot be checked at the moment. Try again later.',
  OPERATIONS_UNAVAILABLE: 'Registered operations cannot be read at the moment. Try again later.',
  GRAPHQL_PARSE_FAILED: 'The operation is not well-formed GraphQL.',
  GRAPHQL_VALIDATION_FAILED: 'The operation does not fit the schema.',
  OPERATION_RESOLUTION_FAILURE: 'The operation to execute could not be determined.',
  BAD_REQUEST: 'The request is not valid.',
  BAD_USER_INPUT: 'An argument or a variable is not valid.',
  FILTER_TOO_BROAD: 'The filter covers too much of the audit log. Narrow it by one of the arguments in `extensions.add`.',
  AUDIT_LOG_UNAVAILABLE: 'The audit log cannot be read at the moment. Try again later.',
  OPERATION_TOO_COSTLY:
    'The operation asks for too much at once. Select less, or request smaller pages with `first` and continue with `after`.',
  PHI_BUDGET_EXCEEDED: 'You reached a limit of this hour or day. Try again later.',
  PERSISTED_DOCUMENT_NOT_FOUND: 'The operation is not registered.',
  PERSISTED_DOCUMENT_ID_REQUIRED: 'Send the id of a registered operation, and no text.',
  PERSISTED_QUERY_NOT_IN_LIST: 'The operation is not in the list of this client.',
  // some clients recognize these two errors by their message, and not by the code
  PERSISTED_QUERY_NOT_FOUND: 'PersistedQueryNotFound',
  PERSISTED_QUERY_NOT_SUPPORTED: 'PersistedQueryNotSupported',
  UNAUTHORIZED_FIELD_OR_TYPE: 'This may not be disclosed to you.',
  NOT_FOUND: 'Not found.',
  FIELD_UNAVAILABLE: 'This is not available at the moment.',
  FIELD_ERASED: 'This data was erased.',
  VERSION_CONFLICT: 'The record changed after it was read. Read it again.',
  INTERNAL: 'An internal error occurred.',
}

/**
 * The details of codes with one meaning. NOT_FOUND has the same sentence for every cause: a caller must not learn whether a record
 * exists (P5).
 */
const NEXT_STEPS: Readonly<Partial<Record<FailureCode, string>>> = {
  SESSION_EXPIRED: `The session has ended: it was idle too long, expired, or was revoked. ${NEW_TOKEN}`,
  MFA_REQUIRED:
    'A role of the token requires a second factor, and the token states none. Sign in with a second factor, or add a method of `mfaMethods` in `PHI_CLAIMS` to the claim `amr`.',
  STEP_UP_REQUIRED: `A root field of the operation requires a recent sign-in. ${NEW_TOKEN}`,
  NOT_FOUND:
    'Not found. Either the id is malformed, or no record has this id, or the caller may not know of the record. Take an id from the field `id` of an earlier answer to the same caller.',
  AUDIT_UNAVAILABLE:
    "The access could not be recorded, so nothing is disclosed. The operators' log of the stack has the cause, under the request id.",
  INTERNAL: "An internal error occurred. The operators' log of the stack has the cause, under the request id.",
}

/** The message of an error entry. */
export type ErrorText = (code: FailureCode, detail?: FailureDetail) => string

/** The message of every stage except the local one: the detail is neither built nor shown. */
export const fixedText: ErrorText = (code) => MESSAGES[code]

/** Clients recognize these errors by their message. */
const OF_PROTOCOLS: ReadonlySet<FailureCode> = new Set(['PERSISTED_QUERY_NOT_FOUND', 'PERSISTED_QUERY_NOT_SUPPORTED'])

/** The message of the local stage: the detail, or else the next step for the code, or else the fixed text. */
const detailedText: ErrorText = (code, detail = NEXT_STEPS[code]) =>
  (OF_PROTOCOLS.has(code) ? undefined : builtDetail(detail)) ?? MESSAGES[code]

/** The only switch between fixed and detailed messages. */
export const errorText = (detailedErrors: boolean): ErrorText => (detailedErrors ? detailedText : fixedText)
