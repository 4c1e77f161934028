import { createHash } from 'node:crypto'
import type { IdForm } from '../../http/graphql-request.ts'
import type { FailureCode } from '../../model/failures.ts'

/** The answer to a request without a usable operation. */
export interface SelectionRefusal {
  readonly refused: FailureCode
  /** HTTP status; left out, that of the code. */
  readonly status?: number
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

/** The id itself if it is a SHA-256, else the SHA-256 of the id: a client can put any text into an id (P8). */
export const idHash = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id : createHash('sha256').update(id).digest('hex'))
