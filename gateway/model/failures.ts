// One named error for each failure that a caller can act on. Messages are fixed text: an error never carries a value,
// an id or an input (P8). The underlying error is in `cause`, which is for engineers and never leaves the process. Only the local
// stage shows the `detail` of a failure.

import type { SchemaPath } from '../../directives/coordinates.ts'
import type { CredentialFault } from './credential-fault.ts'
import { credentialDetail } from './credential-detail.ts'
import { budgetDetail, type BudgetName } from './limit-details.ts'
import type { FailureDetail } from './failure-detail.ts'

/** Every code that a client can receive, with its HTTP status. */
export const HTTP_STATUS = {
  UNAUTHENTICATED: 401,
  SESSION_EXPIRED: 401,
  MFA_REQUIRED: 401,
  STEP_UP_REQUIRED: 401,
  AUDIT_UNAVAILABLE: 503,
  SESSIONS_UNAVAILABLE: 503,
  OPERATIONS_UNAVAILABLE: 503,
  GRAPHQL_PARSE_FAILED: 400,
  GRAPHQL_VALIDATION_FAILED: 400,
  OPERATION_RESOLUTION_FAILURE: 400,
  BAD_REQUEST: 400,
  BAD_USER_INPUT: 400,
  FILTER_TOO_BROAD: 400,
  AUDIT_LOG_UNAVAILABLE: 503,
  OPERATION_TOO_COSTLY: 400,
  PERSISTED_DOCUMENT_NOT_FOUND: 400,
  PERSISTED_DOCUMENT_ID_REQUIRED: 400,
  PHI_BUDGET_EXCEEDED: 429,
  // clients that send a hash first expect this status, and then send the text
  PERSISTED_QUERY_NOT_FOUND: 200,
  PERSISTED_QUERY_NOT_SUPPORTED: 200,
  // at 400 and 500, earlier clients of Apollo send the text, and send no hash again
  PERSISTED_QUERY_NOT_IN_LIST: 200,
  UNAUTHORIZED_FIELD_OR_TYPE: 200,
  NOT_FOUND: 200,
  FIELD_UNAVAILABLE: 200,
  FIELD_ERASED: 200,
  VERSION_CONFLICT: 200,
  INTERNAL: 500,
} as const

export type FailureCode = keyof typeof HTTP_STATUS

export interface FailureOptions extends ErrorOptions {
  readonly detail?: FailureDetail | undefined
}

export abstract class Failure extends Error {
  abstract readonly code: FailureCode
  readonly #detail: FailureDetail | undefined
  constructor(message?: string, options?: FailureOptions) {
    super(message, options)
    this.#detail = options?.detail
  }

  /** See `ErrorText`. A getter, because a log that prints an error prints its properties. */
  get detail(): FailureDetail | undefined {
    return this.#detail
  }
}

/** Refuses a request by a code that needs no class of its own. */
export class RequestRefused extends Failure {
  override readonly name = 'RequestRefused'
  readonly code: FailureCode
  constructor(code: FailureCode, options?: FailureOptions) {
    super('The request is refused.', options)
    this.code = code
  }
}

/** Sealed data does not match its record binding: it was moved, altered, removed or rolled back (P6). */
export class IntegrityFailure extends Failure {
  override readonly name = 'IntegrityFailure'
  readonly code = 'FIELD_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('Sealed data does not match its record binding.', options)
  }
}

/** The patient's keys were destroyed, and the proof is authentic. Data sealed with them can never be opened again (P9). */
export class Erased extends Failure {
  override readonly name = 'Erased'
  readonly code = 'FIELD_ERASED'
  constructor(options?: ErrorOptions) {
    super('The sealed data was erased.', options)
  }
}

/** A key is not available at the moment: KMS refuses or cannot be reached, or the key item is missing. */
export class KeyUnavailable extends Failure {
  override readonly name = 'KeyUnavailable'
  readonly code = 'FIELD_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('A key is not available.', options)
  }
}

/** A table cannot be read or written at the moment. */
export class StoreUnavailable extends Failure {
  override readonly name = 'StoreUnavailable'
  readonly code = 'FIELD_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('The store is not available.', options)
  }
}

/** A service did not answer before the deadline. It is the `cause` of another failure. */
class OutOfTime extends Failure {
  override readonly name = 'OutOfTime'
  readonly code = 'FIELD_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('The deadline passed.', options)
  }
}

/** For `Deadline.wait`: the store did not answer before the deadline. */
export const storeOverdue = (): StoreUnavailable => new StoreUnavailable({ cause: new OutOfTime() })
/** For `Deadline.wait`: a key was not available before the deadline. */
export const keyOverdue = (): KeyUnavailable => new KeyUnavailable({ cause: new OutOfTime() })

/** Audit records could not be made durable in time, so the response must not leave (P2). */
export class AuditUnavailable extends Failure {
  override readonly name = 'AuditUnavailable'
  readonly code = 'AUDIT_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('The access could not be recorded.', options)
  }
}

/** A question to the audit log would read too much of it. `add` names the arguments, one of which narrows it enough. */
export class FilterTooBroad extends Failure {
  override readonly name = 'FilterTooBroad'
  readonly code = 'FILTER_TOO_BROAD'
  readonly add: readonly string[]
  constructor(add: readonly string[], options?: FailureOptions) {
    super('The filter covers too much of the audit log.', options)
    this.add = add
  }
}

/** The audit log, or its tables, cannot be read at the moment. */
export class AuditLogUnavailable extends Failure {
  override readonly name = 'AuditLogUnavailable'
  readonly code = 'AUDIT_LOG_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('The audit log cannot be read.', options)
  }
}

/** Another writer changed the record after it was read. */
export class VersionConflict extends Failure {
  override readonly name = 'VersionConflict'
  readonly code = 'VERSION_CONFLICT'
  /** The version that the record has now, for the client that expected another one. */
  readonly currentVersion: number | undefined
  constructor({ currentVersion, ...options }: ErrorOptions & { readonly currentVersion?: number } = {}) {
    super('The record changed after it was read.', options)
    this.currentVersion = currentVersion
  }
}

/** The request cannot be authenticated. All faults of a token give this one error, so that clients cannot distinguish them. */
export class Unauthenticated extends Failure {
  override readonly name = 'Unauthenticated'
  readonly code = 'UNAUTHENTICATED'
  /** For counting only. It never leaves the process. */
  readonly fault: CredentialFault
  constructor({ fault = 'OTHER', detail, ...options }: FailureOptions & { readonly fault?: CredentialFault } = {}) {
    super('Authentication is required.', { ...options, detail: detail ?? credentialDetail(fault) })
    this.fault = fault
  }
}

/** An argument is outside its range. */
export class BadUserInput extends Failure {
  override readonly name = 'BadUserInput'
  readonly code = 'BAD_USER_INPUT'
  /** The fields of the schema with a value that is not valid. Never a value. */
  readonly coordinates: readonly SchemaPath[]
  constructor({ coordinates = [], ...options }: FailureOptions & { readonly coordinates?: readonly SchemaPath[] } = {}) {
    super('An argument is not valid.', options)
    this.coordinates = coordinates
  }
}

/** The gateway does not accept the request itself. */
export class BadRequest extends Failure {
  override readonly name = 'BadRequest'
  readonly code = 'BAD_REQUEST'
  constructor(options?: FailureOptions) {
    super('The request is not valid.', options)
  }
}

/** The session is over: it was idle for too long, expired, or was ended or revoked. */
export class SessionExpired extends Failure {
  override readonly name = 'SessionExpired'
  readonly code = 'SESSION_EXPIRED'
  constructor(options?: FailureOptions) {
    super('The session has ended.', options)
  }
}

/** The gateway cannot check at the moment whether the session is still valid. */
export class SessionsUnavailable extends Failure {
  override readonly name = 'SessionsUnavailable'
  readonly code = 'SESSIONS_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('Sessions cannot be checked.', options)
  }
}

/** The gateway cannot read the registry of operations at the moment. */
export class OperationsUnavailable extends Failure {
  override readonly name = 'OperationsUnavailable'
  readonly code = 'OPERATIONS_UNAVAILABLE'
  constructor(options?: ErrorOptions) {
    super('Registered operations cannot be read.', options)
  }
}

/** The caller's roles need a second factor, and the sign-in had none. */
export class MfaRequired extends Failure {
  override readonly name = 'MfaRequired'
  readonly code = 'MFA_REQUIRED'
  constructor(options?: FailureOptions) {
    super('A second factor is required.', options)
  }
}

/**
 * The operation could open more values than its caller may request at once, or its answer would be too large. Thrown before any of these
 * values is opened.
 */
export class OperationTooCostly extends Failure {
  override readonly name = 'OperationTooCostly'
  readonly code = 'OPERATION_TOO_COSTLY'
  constructor(options?: FailureOptions) {
    super('The operation asks for too much at once.', options)
  }
}

/** The user has used up a budget of this hour, or the client its budget of this day. */
export class PhiBudgetExceeded extends Failure {
  override readonly name = 'PhiBudgetExceeded'
  readonly code = 'PHI_BUDGET_EXCEEDED'
  readonly budget: BudgetName
  constructor(budget: BudgetName, options?: FailureOptions) {
    super('A budget is spent.', { ...options, detail: options?.detail ?? budgetDetail(budget) })
    this.budget = budget
  }
}
