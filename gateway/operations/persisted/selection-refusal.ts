import { createHash } from 'node:crypto'
import type { IdForm } from '../../http/graphql-request.ts'
import type { FailureDetail } from '../../model/failure-detail.ts'
import type { FailureCode } from '../../model/failures.ts'

/** The answer to a request without a usable operation. */
export interface SelectionRefusal {
  readonly refused: FailureCode
  /** HTTP status; left out, that of the code. */
  readonly status?: number
  readonly detail?: FailureDetail
  /** The facts for the audit record. Left out: the answer is the next step of a protocol, or the request is malformed. */
  readonly recorded?: RecordedRefusal
}

export interface RecordedRefusal {
  /** SHA-256 of a text, or the id of the request: see `idHash`. */
  readonly operationHash: string
  /** Digest of the client's contract, hex. */
  readonly contract?: string
}

/**
 * The code for an id that gives the client no operation. It has one value for each form of request, whatever the reason is.
 *
 * Clients of Apollo and urql act on two of the codes: after NOT_FOUND they send text and hash, after NOT_SUPPORTED the text, and no
 * hash again. A client that may send no text therefore gets another code.
 */
export function codeOfUnknown(
  form: IdForm,
  { mode, mayRegister }: { readonly mode: string; readonly mayRegister: boolean },
): FailureCode {
  if (form !== 'persistedQuery') return 'PERSISTED_DOCUMENT_NOT_FOUND'
  if (mode === 'only') return 'PERSISTED_QUERY_NOT_IN_LIST'
  return mayRegister ? 'PERSISTED_QUERY_NOT_FOUND' : 'PERSISTED_QUERY_NOT_SUPPORTED'
}

/** The detail of a refusal, by its code. It has one text for every cause, as the code has. */
export const SELECTION_DETAILS = {
  PERSISTED_DOCUMENT_NOT_FOUND:
    'No operation with this id or text is registered for the client of the token, or the contract of the client does not admit it. List the operations with `npm run --silent phi -- operations list --tenant TENANT --client CLIENT`.',
  PERSISTED_QUERY_NOT_IN_LIST:
    'No operation with this hash is registered for the client of the token, or the contract of the client does not admit it. List the operations with `npm run --silent phi -- operations list --tenant TENANT --client CLIENT`.',
  PERSISTED_DOCUMENT_ID_REQUIRED:
    'The client of the token runs registered operations only. Leave `query` out, and send the id of an operation as `documentId`. Register operations with `npm run phi -- operations publish`.',
  TEXT_BY_GET: 'A GET has no text. Send the text of an operation by POST.',
  NOT_SAFE: 'This operation does not run by GET: it is a mutation, or a URL must not hold its variables. Send its id by POST.',
  HASH_DIFFERS:
    '`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query` in hex. Hash the text that you send, byte for byte.',
} as const

/** The id itself if it is a SHA-256, else the SHA-256 of the id: a client can put any text into an id (P8). */
export const idHash = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id : createHash('sha256').update(id).digest('hex'))
