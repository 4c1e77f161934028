import { randomBytes } from 'node:crypto'
import type { Identity } from './access/identity.ts'
import type { ConsentSource, BreakGlassSource } from './access/attribute-loader.ts'
import type { AuthFailurePort } from './access/auth-failure-counter.ts'
import type { RelationshipRegistry } from './access/relationships.ts'
import type { Sessions } from './access/sessions.ts'
import type { StudySource } from './access/studies.ts'
import type { AuditLog } from './audit/log.ts'
import { newRequestId, type ProcessId } from './audit/request-id.ts'
import type { Keyring } from './crypto/keyring.ts'
import { compilePolicy } from '../directives/compile.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import { computedFault, type ComputedFields } from './disclosure/computed-fields.ts'
import type { DisclosureCounter } from './disclosure/disclosure-counter.ts'
import type { BudgetSource } from './disclosure/phi-budget.ts'
import type { Resolvers } from './mutations/gateway-context.ts'
import { SERVED_VIEWS } from './disclosure/views.ts'
import type { RecordSource } from './store/record-source.ts'
import type { SearchSource } from './store/search.ts'
import type { EventSink } from './telemetry/events.ts'
import { Deadline } from './model/deadline.ts'
import type { CredentialFault } from './model/credential-fault.ts'
import { AuditUnavailable, Failure, MfaRequired, SessionExpired, Unauthenticated } from './model/failures.ts'
import type { RequestId } from './model/ids.ts'
import type { PolicyTable } from '../directives/policy.ts'
import type { Clock } from './model/record.ts'
import { resolveEffectiveSubject } from './access/effective-subject.ts'
import { refusal } from './answer.ts'
import { executableSchema } from './executable-schema.ts'
import { OperationEngine } from './execution.ts'
import { type HttpRequest, type HttpResponse, parseBody, refusedByType } from './http/messages.ts'
import { internalFault } from './telemetry/internal-fault.ts'
import { DEFAULT_LIMITS, type Limits } from './operations/value-limits.ts'
import { openScope } from './open-scope.ts'
import { operatorEvents } from './telemetry/operator-events.ts'

/** How long a request may take when whoever brought it says nothing of it, in milliseconds. */
const REQUEST_MS = 8_000
/** The part of a request's time in which it must be known who asks. */
const IDENTITY_SHARE = 0.25

/** The part of what is left then, in which it must be known whether they are still signed in. */
const SESSION_SHARE = 0.2
/** And then, in which it must be known under which study they act. */
const STUDY_SHARE = 0.3
/** How recent a sign-in must be where one is asked for, in seconds. */
const STEP_UP_SECONDS = 300

/** What the operators' log calls a deployment that brings no sink, and so no name, of its own. */
const UNNAMED_STAGE = 'unnamed'

export interface GatewayParts {
  readonly typeDefs: readonly SdlSource[]
  /** Roots and edges only; every leaf is generated from the policy table. */
  readonly resolvers: Resolvers
  /** The committed policy lock; the gateway does not start with a schema that disagrees with it. */
  readonly lock: string
  /** How it is found out who stands in which relationship: a source for each that a grant names. */
  readonly relationships: RelationshipRegistry
  /** Who broke the glass for whom. Left out: nobody can. */
  readonly breakGlass?: BreakGlassSource
  /** What patients permit and deny. Left out: nobody said anything, so that what needs a consent is closed. */
  readonly consents?: ConsentSource
  /** Under which studies research is done, and on whom. Left out: researchers are given nothing. */
  readonly studies?: StudySource
  /** Counts what each user is given within an hour. Left out: nobody counts. */
  readonly budgets?: BudgetSource
  /** Where records are found by a value. Left out: they are not, and a root that searches is unavailable. */
  readonly search?: SearchSource
  /** How much a caller may have at once and within an hour; `DEFAULT_LIMITS` when left out. */
  readonly limits?: Limits
  /** By the name that `@record(source:)` has. */
  readonly sources: ReadonlyMap<string, RecordSource>
  /** A function for each `@computed` field, by its path: `{ 'Client.age': ([birthDate], now) => ... }`. */
  readonly computed?: ComputedFields
  /** Made when the policy is compiled: which roles there are, the schema says. */
  readonly identity: (policy: PolicyTable) => Identity
  /** Whether those with a token are still signed in. Left out: a token is good until it ends, and nothing ends it before. */
  readonly sessions?: (policy: PolicyTable) => Sessions
  /** Counts who was not let in, and why. Left out: nobody counts. */
  readonly authFailures?: AuthFailurePort
  /** How recent a sign-in must be for a root that asks for one, in seconds; 300 when left out. */
  readonly stepUpSeconds?: number
  /** Opens what is sealed, and hides what an answer must carry and nobody may read: cursors, ids that lead nowhere. */
  readonly keys: Keyring
  readonly audit: GatewayAudit
  /** What operators are told; the console, as one JSON object a line, when left out. */
  readonly events?: EventSink
  /** The machine's clock when left out. */
  readonly now?: Clock
  /** Whether clients may ask for the schema: not when left out. */
  readonly introspection?: boolean
}

/** Where access records go. The log's lanes and the ids of requests bear the name of one process, or no record is found again. */
export interface GatewayAudit {
  readonly log: AuditLog
  readonly process: ProcessId
}

/** What became of the values of one request, of which an answer that was withheld gave none; and what was opened besides. */
type ValueCounts = Omit<DisclosureCounter, 'fields'>
const NO_VALUES: ValueCounts = { resolved: 0, denied: 0, unavailable: 0, metadata: 0, searched: 0 }

/** One request on its way through. */
interface Passage {
  readonly requestId: RequestId
  readonly deadline: Deadline
  /** None until its operation has a scope, which goes on counting them. */
  values: ValueCounts
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
  const { relationships, breakGlass, consents, sources, computed = {}, keys: keyring, audit, now = Date.now } = parts
  const { budgets, search, limits = DEFAULT_LIMITS } = parts
  const { events = operatorEvents({ stage: UNNAMED_STAGE, now }) } = parts
  const { schema, policy, lock } = compilePolicy(parts.typeDefs, { relationships: new Set(relationships.keys()) })
  if (lock !== parts.lock)
    throw new SchemaRefused('the schema and its policy lock disagree: run `phi policy lock` and review the difference')
  for (const { path, grants } of policy.phi.values()) {
    if (grants.some(({ view }) => !SERVED_VIEWS.has(view))) throw new SchemaRefused(`${path}: a view that is not served`)
  }
  for (const { type, source } of policy.records.values()) {
    if (!sources.has(source)) throw new SchemaRefused(`${type}: no source is registered as ${source}`)
  }
  const unserved = computedFault(policy, computed)
  if (unserved !== undefined) throw new SchemaRefused(unserved)
  const facts = { relationships, ...(breakGlass && { breakGlass }), ...(consents && { consents }) }
  const { stepUpSeconds = STEP_UP_SECONDS } = parts
  const sessions = parts.sessions?.(policy)
  const stepUpWithin = stepUpSeconds * 1000
  const { studies } = parts
  const services = {
    ...(sessions && { sessions }),
    ...(budgets && { budgets }),
    ...(search && { search }),
    limits,
    stepUpWithin,
    sources,
    computed,
    keyring,
    audit: audit.log,
    events,
    now,
  }
  const identity = parts.identity(policy)
  const engine = new OperationEngine({
    schema: executableSchema(schema, policy, parts.resolvers),
    introspection: parts.introspection ?? false,
    events,
    stepUpSeconds,
  })
  await engine.start()

  const answered = async (request: HttpRequest, passage: Passage): Promise<HttpResponse> => {
    const { requestId, deadline } = passage
    const caller = await deadline.share(IDENTITY_SHARE).wait(
      () => identity.callerOf(request.headers),
      () => new Unauthenticated({ fault: 'KEYS_UNAVAILABLE' }),
    )
    await sessions?.admit(caller, requestId, deadline.share(SESSION_SHARE))
    // before anything is executed: what nobody can read is neither opened nor recorded as disclosed
    const refused = refusedByType(request.headers)
    if (refused !== undefined) return refusal(requestId, request, 'BAD_REQUEST', refused)
    const body = parseBody(request.body)
    const named = request.headers['x-research-study']
    const acting = await resolveEffectiveSubject(
      caller,
      named,
      { policy, facts, keyring, now, ...(studies && { studies }) },
      deadline.share(STUDY_SHARE),
    )
    return await engine.execute(request, body, {
      requestId,
      open: (operation) => {
        const opened = openScope(services, { schema, policy }, { requestId, request, body, acting, deadline }, operation)
        passage.values = opened.scope.counter
        return opened
      },
    })
  }

  const answeredInTime = async (request: HttpRequest, passage: Passage): Promise<HttpResponse> => {
    const { requestId, deadline } = passage
    if (request.method !== 'POST') return refusal(requestId, request, 'BAD_REQUEST', 405)
    try {
      // all that a request waits for has a share of its time. What hangs all the same ends here: nobody knows then whether
      // its accesses are recorded, so that nothing of it may leave
      return await deadline.wait(
        () => answered(request, passage),
        () => new AuditUnavailable(),
      )
    } catch (error) {
      const fault = credentialFault(error)
      if (fault !== undefined) parts.authFailures?.count(request.sourceIp, fault)
      if (error instanceof Failure) return refusal(requestId, request, error.code)
      events(internalFault(requestId, error))
      return refusal(requestId, request, 'INTERNAL')
    }
  }

  return {
    async handle(request) {
      const started = now()
      const requestId = newRequestId(audit.process, started, randomBytes)
      const deadline = new Deadline(request.deadline ?? started + REQUEST_MS, { now, monotonic: () => performance.now() })
      const passage: Passage = { requestId, deadline, values: NO_VALUES }
      // what came before is written while this one is answered, and only who is not let in waits for it
      parts.authFailures?.startFlush(deadline)
      const response = await answeredInTime(request, passage)
      const { status } = response
      if (status === 401) await parts.authFailures?.flush(deadline)
      const { resolved, denied, unavailable } = status === 200 ? passage.values : NO_VALUES
      // what was opened stays opened, whether or not an answer left
      const { metadata, searched } = passage.values
      const milliseconds = now() - started
      events({ event: 'REQUEST', requestId, status, milliseconds, resolved, denied, unavailable, metadata, searched })
      return response
    },
    stop: () => engine.stop(),
  }
}

/** Why a request was refused before it was known who asks, or whether they are still signed in; undefined for every other reason. */
function credentialFault(error: unknown): CredentialFault | undefined {
  if (error instanceof Unauthenticated) return error.fault
  if (error instanceof MfaRequired) return 'MFA_MISSING'
  return error instanceof SessionExpired ? 'SESSION_EXPIRED' : undefined
}
