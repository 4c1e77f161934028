import { randomBytes } from 'node:crypto'
import type { Identity } from '../access/identity.ts'
import type { RelationshipRegistry } from '../access/relationships.ts'
import type { AuditLog } from '../audit/log.ts'
import { newRequestId, type ProcessId } from '../audit/request-id.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { compilePolicy } from '../directives/compile.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import type { Resolvers } from '../disclosure/leaf-resolvers.ts'
import { SERVED_VIEWS } from '../disclosure/views.ts'
import type { RecordSource } from '../store/records.ts'
import type { EventSink } from '../vocabulary/events.ts'
import { Failure, type FailureCode } from '../vocabulary/failures.ts'
import type { RequestId } from '../vocabulary/ids.ts'
import type { PolicyTable } from '../vocabulary/policy.ts'
import type { Clock } from '../vocabulary/record.ts'
import { failure } from './answer.ts'
import { executableSchema } from './executable-schema.ts'
import { OperationEngine } from './execution.ts'
import { type HttpRequest, type HttpResponse, parseBody } from './http.ts'
import { internalFault } from './internal-fault.ts'
import { openScope } from './open-scope.ts'

export interface GatewayParts {
  readonly typeDefs: readonly SdlSource[]
  /** Roots and edges only; every leaf is generated from the policy table. */
  readonly resolvers: Resolvers
  /** The committed policy lock; the gateway does not start with a schema that disagrees with it. */
  readonly lock: string
  readonly relationships: RelationshipRegistry
  readonly source: RecordSource
  /** Made when the policy is compiled: which roles there are, the schema says. */
  readonly identity: (policy: PolicyTable) => Identity
  readonly keyring: Keyring
  readonly audit: AuditLog
  readonly events: EventSink
  readonly process: ProcessId
  readonly now: Clock
  readonly introspection: boolean
}

export interface Gateway {
  /** Answers any request; never throws. */
  handle(request: HttpRequest): Promise<HttpResponse>
  stop(): Promise<void>
}

/** Schema and lock disagree, or the schema asks for what this build cannot serve. */
export class SchemaRefused extends Error {
  override readonly name = 'SchemaRefused'
}

/**
 * A gateway over anybody's schema.
 *
 * @throws PolicyFaults, SchemaRefused, UnheldField: a schema with any fault does not start
 */
export async function createGateway(parts: GatewayParts): Promise<Gateway> {
  const { relationships, events } = parts
  const { schema, policy, lock } = compilePolicy(parts.typeDefs, { relationships: new Set(relationships.keys()) })
  if (lock !== parts.lock)
    throw new SchemaRefused('the schema and its policy lock disagree: run `phi policy lock` and review the difference')
  for (const { path, grants } of policy.phi.values()) {
    if (grants.some(({ view }) => !SERVED_VIEWS.has(view))) throw new SchemaRefused(`${path}: a view that is not served`)
  }
  const identity = parts.identity(policy)
  const engine = new OperationEngine({
    schema: executableSchema(schema, policy, parts.resolvers),
    introspection: parts.introspection,
    events,
  })
  await engine.start()

  const handle = async (request: HttpRequest, requestId: RequestId): Promise<HttpResponse> => {
    if (request.method !== 'POST')
      return { ...refuse(requestId, 'BAD_REQUEST'), status: 405, headers: { ...HEADERS, allow: 'POST' } }
    try {
      const caller = await identity.callerOf(request.headers)
      const body = parseBody(request.body)
      return await engine.execute(request, body, {
        requestId,
        open: (operation) => openScope(parts, { schema, policy }, { requestId, request, body, caller }, operation),
      })
    } catch (error) {
      if (error instanceof Failure) return refuse(requestId, error.code)
      events(internalFault(requestId, error))
      return refuse(requestId, 'INTERNAL')
    }
  }

  return {
    async handle(request) {
      const started = parts.now()
      const requestId = newRequestId(parts.process, started, randomBytes)
      const response = await handle(request, requestId)
      events({ event: 'REQUEST', requestId, status: response.status, milliseconds: parts.now() - started })
      return { ...response, headers: { ...response.headers, ...NO_STORE } }
    },
    stop: () => engine.stop(),
  }
}

const NO_STORE = { 'cache-control': 'no-store' }
const HEADERS = { 'content-type': 'application/json; charset=utf-8' }

function refuse(requestId: RequestId, code: FailureCode): HttpResponse {
  const { status, body } = failure(requestId, code)
  return { status, headers: { ...HEADERS, ...(status === 401 && { 'www-authenticate': 'Bearer' }) }, body: JSON.stringify(body) }
}
