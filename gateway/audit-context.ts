import type { AuditContext } from './audit/entry.ts'
import type { HttpRequest } from './http/messages.ts'
import type { Caller } from './model/decision.ts'
import type { RequestId } from './model/ids.ts'

/** Maximum lengths of texts that the caller chooses, in characters: an audit record stays small. */
const MAX_NAME = 64
const MAX_USER_AGENT = 256

interface AuditedRequest {
  readonly requestId: RequestId
  readonly request: HttpRequest
  readonly caller: Caller
}

/** The operation of a request, as its audit records name it. */
interface AuditedOperation {
  readonly operation?: string | undefined
  readonly operationHash: string
  readonly persisted: boolean
  /** Digest of the client's contract, hex. */
  readonly contract?: string | undefined
  /** Digest of the policy lock, hex. */
  readonly policy: string
}

/** The circumstances of a request for its audit records. */
export function auditContext(
  { requestId, request: { headers, sourceIp }, caller }: AuditedRequest,
  { operation, operationHash, persisted, contract, policy }: AuditedOperation,
): AuditContext {
  const { tenant, user, purpose, organization, client, session, study, authTime, mfa } = caller
  const userAgent = headers['user-agent']
  const app = headers['apollographql-client-name']
  const appVersion = headers['apollographql-client-version']
  return {
    tenant,
    requestId,
    user,
    roles: [...caller.roles],
    purpose,
    persisted,
    policy,
    operationHash,
    ...(contract !== undefined && { contract }),
    ...(operation !== undefined && { operation: operation.slice(0, MAX_NAME) }),
    ...(organization !== undefined && { organization }),
    ...(client !== undefined && { client }),
    ...(session !== undefined && { session }),
    ...(app !== undefined && { app: app.slice(0, MAX_NAME) }),
    ...(appVersion !== undefined && { appVersion: appVersion.slice(0, MAX_NAME) }),
    ...(authTime !== undefined && { authTime }),
    ...(mfa !== undefined && { mfa }),
    ...(typeof study === 'string' && { study }),
    ...(sourceIp !== undefined && { sourceIp }),
    ...(userAgent !== undefined && { userAgent: userAgent.slice(0, MAX_USER_AGENT) }),
    ...traceOf(headers['traceparent']),
  }
}

/** @source https://www.w3.org/TR/trace-context/#traceparent-header */
function traceOf(header: string | undefined): { traceId?: string } {
  const [, traceId] = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}$/.exec(header ?? '') ?? []
  return traceId === undefined ? {} : { traceId }
}
