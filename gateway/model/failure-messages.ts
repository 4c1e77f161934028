import type { FailureCode } from './failures.ts'

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
