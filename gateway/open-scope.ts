import { createHash } from 'node:crypto'
import { refuseBeforeRecord } from './decide/decide.ts'
import type { Sessions } from './access/sessions.ts'
import { rootsToStepUp } from './access/step-up.ts'
import type { AuditContext } from './audit/entry.ts'
import type { AuditLog } from './audit/log.ts'
import { Trail } from './audit/trail.ts'
import type { Keyring } from './crypto/keyring.ts'
import type { CompiledPolicy } from '../directives/compile.ts'
import { mostValues } from './operations/cost.ts'
import { footprint } from './operations/footprint.ts'
import { type ComputedFields, withInputs } from './disclosure/computed-fields.ts'
import type { BudgetSource } from './disclosure/phi-budget.ts'
import { RequestScope } from './disclosure/request-scope.ts'
import { MutationScope } from './mutations/mutation-scope.ts'
import type { RecordSource } from './store/record-source.ts'
import type { SearchSource } from './store/search.ts'
import type { Deadline } from './model/deadline.ts'
import type { Caller } from './model/decision.ts'
import type { EventSink } from './telemetry/events.ts'
import { OperationTooCostly } from './model/failures.ts'
import type { SchemaPath } from '../directives/coordinates.ts'
import type { Instant, RequestId } from './model/ids.ts'
import type { Clock } from './model/record.ts'
import type { EffectiveSubject } from './access/effective-subject.ts'
import type { OpenedScope, ResolvedOperation } from './execution.ts'
import type { GraphQLBody, HttpRequest } from './http/messages.ts'
import { limitOf, type Limits } from './operations/value-limits.ts'

/** What outlives a request and every request needs. */
export interface ScopeServices {
  readonly sessions?: Sessions
  /** How recent a sign-in must be where one is asked for, in milliseconds. */
  readonly stepUpWithin: number
  /** By the name that `@record(source:)` has. */
  readonly sources: ReadonlyMap<string, RecordSource>
  /** By path: a function for each `@computed` field. */
  readonly computed: ComputedFields
  readonly budgets?: BudgetSource
  readonly search?: SearchSource
  readonly limits: Limits
  readonly keyring: Keyring
  readonly audit: AuditLog
  readonly events: EventSink
  readonly now: Clock
}

/** A request whose caller is known and whose body was read. The caller acts as `acting` says. */
export interface Arrival {
  readonly requestId: RequestId
  readonly request: HttpRequest
  readonly body: GraphQLBody
  readonly acting: EffectiveSubject
  readonly deadline: Deadline
}

/** The part of a request's time that is for reading; what is left is for the audit of what was read, or could not be. */
const READ_SHARE = 0.7
/** Texts that are the caller's own are bounded, so that an audit record stays small. */
const MAX_NAME = 64
const MAX_USER_AGENT = 256

/**
 * The scope of an operation that is about to be executed: its audit trail, and what role and purpose allow of its footprint.
 * What no record could grant is neither loaded nor opened later. What asks for a recent sign-in that there is not is recorded as
 * denied, and with it nothing of the operation is to be executed.
 *
 * @throws OperationTooCostly, before anything is loaded
 */
export function openScope(
  parts: ScopeServices,
  { schema, policy }: Pick<CompiledPolicy, 'schema' | 'policy'>,
  { requestId, request, body, acting: { caller, sources: facts, ids }, deadline }: Arrival,
  { document, name, variables }: ResolvedOperation,
): OpenedScope {
  const now = parts.now() as Instant
  const { limits, budgets, search } = parts
  const most = limitOf(limits.operation, policy, caller)
  if (mostValues(schema, policy, { document, name, variables }, most) > most) throw new OperationTooCostly()
  const { paths, roots } = footprint(schema, policy, document, name, variables)
  const wanted = [...withInputs(policy, paths)]
  const grantable = new Set(wanted.filter((path) => refuseBeforeRecord(policy.phi.get(path), caller) === undefined))
  const context = auditContext(requestId, request, body, caller, name, policy.digest)
  const trail = new Trail(parts.audit, context, parts.now, deadline)
  const stale = rootsToStepUp(policy, roots, caller, now, parts.stepUpWithin)
  for (const root of stale) {
    const action = root.startsWith(`${schema.getMutationType()?.name ?? ''}.`) ? 'UPDATE' : 'READ'
    trail.record({ path: root as string as SchemaPath, action, outcome: 'DENIED', reason: 'STEP_UP' })
  }
  const { sessions, sources, computed, keyring, events } = parts
  const reading = deadline.share(READ_SHARE)
  const scope = new RequestScope({
    requestId,
    caller,
    now,
    policy,
    grantable,
    sources,
    ids,
    ...facts,
    computed,
    ...(budgets && { budgets }),
    ...(search && { search }),
    mostInHour: limitOf(limits.hour, policy, caller),
    mostInOperation: most,
    keyring,
    trail,
    events,
    deadline: reading,
  })
  const mutations = new MutationScope(
    {
      requestId,
      caller,
      now,
      policy,
      ids,
      keyring,
      trail,
      events,
      deadline: reading,
      ...(facts.breakGlass && { breakGlass: facts.breakGlass }),
      ...(sessions && { sessions }),
    },
    scope,
  )
  return { scope, mutations, ...(stale.length > 0 && { refused: 'STEP_UP_REQUIRED' }) }
}

function auditContext(
  requestId: RequestId,
  { headers, sourceIp }: HttpRequest,
  { query }: GraphQLBody,
  caller: Caller,
  operation: string | undefined,
  policy: string,
): AuditContext {
  const { tenant, user, purpose, organization, client, session, study } = caller
  const userAgent = headers['user-agent']
  return {
    tenant,
    requestId,
    user,
    roles: [...caller.roles],
    purpose,
    persisted: false,
    policy,
    operationHash: createHash('sha256').update(query).digest('hex'),
    ...(operation !== undefined && { operation: operation.slice(0, MAX_NAME) }),
    ...(organization !== undefined && { organization }),
    ...(client !== undefined && { client }),
    ...(session !== undefined && { session }),
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
