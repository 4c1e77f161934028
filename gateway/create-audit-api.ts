import { createHash } from 'node:crypto'
import { execute, getOperationAST, GraphQLError, type GraphQLSchema, OperationTypeNode } from 'graphql'
import type { Coordinate, SchemaPath } from '../directives/coordinates.ts'
import type { SdlSource } from '../directives/parse-sources.ts'
import type { CallPolicy, PolicyTable, Role } from '../directives/policy.ts'
import type { Identity } from './access/identity.ts'
import type { Sessions } from './access/sessions.ts'
import { rootsToStepUp } from './access/step-up.ts'
import { type AnswerError, entryOf, failure, responseOf, tooLarge } from './answer.ts'
import { auditContext } from './audit-context.ts'
import { auditSchema, type ReviewContext } from './audit-schema.ts'
import { Trail } from './audit/trail.ts'
import { admitSession, identify, negotiate, parse } from './caller-stages.ts'
import type { BrowserParts, CallerParts, ProcessParts } from './gateway-parts.ts'
import type { HttpRequest, HttpResponse } from './http/messages.ts'
import { isCertainlyLonger, isWithin } from './http/response-size.ts'
import { REVIEWED_TYPE } from './model/access-record.ts'
import { type ErrorText, errorText } from './model/failure-messages.ts'
import { Failure, type FailureCode, FilterTooBroad } from './model/failures.ts'
import type { Instant, TenantId } from './model/ids.ts'
import { hasInvalidDate } from './operations/date-arguments.ts'
import { Documents } from './operations/documents.ts'
import { operationDetail } from './operations/operation-detail.ts'
import { dateDetail, valueDetail } from './operations/value-detail.ts'
import { isFaultOfValue } from './operations/fault-of-value.ts'
import { rootCalls } from './operations/root-calls.ts'
import type { AnomalySettings } from './oversight/anomalies/anomaly-settings.ts'
import type { AuditReader } from './oversight/audit-reader.ts'
import type { AccessReviewSettings } from './oversight/reviews/review-settings.ts'
import { isRefusal, type Parsed, type Refusal } from './pipeline.ts'
import { type Endpoint, handleRequest } from './request-handler.ts'
import { originName } from './telemetry/events.ts'
import { internalFault } from './telemetry/internal-fault.ts'

/** The auditor's API: `POST /audit/graphql`. */
export interface AuditApi {
  /** Answers any request; never throws. */
  handle(request: HttpRequest): Promise<HttpResponse>
  /** Fetches the issuer's keys before the first request. Never throws. */
  prefetch(): Promise<void>
}

export interface AuditApiParts extends Required<ProcessParts>, BrowserParts, Pick<CallerParts, 'authFailures'> {
  /** The schema of the API. */
  readonly typeDefs: readonly SdlSource[]
  /** The policy of the clinical schema. Its roles are those of the callers. */
  readonly policy: PolicyTable
  /** The clinical schema that the policy is compiled from. */
  readonly clinicalSchema: GraphQLSchema
  readonly identity: Identity
  readonly sessions: Sessions
  /** Opens the audit data of one tenant, and of no other. */
  readonly openReader: (tenant: TenantId) => Promise<AuditReader>
  readonly anomalies: AnomalySettings
  readonly reviewSettings: AccessReviewSettings
  readonly introspection: boolean
  /** The maximum age of the sign-in for mutations that need a recent one, in seconds. */
  readonly stepUpSeconds: number
}

/** The time for a request that comes without a deadline, in milliseconds. API Gateway waits for 30 s. */
const REQUEST_MS = 25_000
/** Share of a request's time for reading. The rest is for the audit of the review. */
const READ_SHARE = 0.8
/** Root fields in one operation: each reads the log. */
const MAX_ROOTS = 4
/** Root fields that ask the tables many questions, or about a whole span: each at most once in an operation. */
const ONCE: ReadonlySet<string> = new Set(['anomalies', 'accessReview', 'exposureReport', 'integrity'])
/** The limit of Lambda is 6 MB. */
const MAX_BODY = 5 * 1024 * 1024
const NEEDS_QUERY = 'The body has no `query`. Send the text of an operation: this endpoint has no registered operations.'
const MANY_MUTATIONS = 'An operation calls one mutation at most. Send the other mutations in requests of their own.'
const onceDetail = (field: string): string =>
  `An operation selects \`${field}\` once at most. Send the other selections in requests of their own.`

/** Mutations in one operation: after a failure, it is clear what was written. */
const MAX_MUTATIONS = 1

/**
 * Creates the auditor's API. It opens no value of a record and holds no key: what it reads is the audit log.
 *
 * @throws SchemaRefused for a root field without roles or without an implementation
 */
export function createAuditApi(parts: AuditApiParts): AuditApi {
  const { identity, sessions, introspection } = parts
  const { schema, calls } = auditSchema(parts.typeDefs, parts.policy)
  const documents = new Documents({ schema, introspection, monotonic: () => performance.now() })
  const stages = [identify(identity), admitSession(sessions), negotiate] as const
  const endpoint: Endpoint = {
    requestMs: REQUEST_MS,
    methods: ['POST'],
    isAnswered: ({ method }) => method === 'POST',
    methodsDetail: 'Send the text of an operation by POST, as JSON. This endpoint has no registered operations.',
    run: async (arrived) => {
      const [identifyCaller, admit, negotiateTypes] = stages
      const identified = await identifyCaller(arrived)
      if (isRefusal(identified)) return identified
      const admitted = await admit(identified)
      if (isRefusal(admitted)) return admitted
      const negotiated = negotiateTypes(admitted)
      if (isRefusal(negotiated)) return negotiated
      return await answerQuery(parts, { schema, calls, documents }, parse(negotiated))
    },
  }
  return {
    handle: (request) => handleRequest(request, endpoint, parts),
    prefetch: async () => await identity.prefetch?.(),
  }
}

interface Served {
  readonly schema: GraphQLSchema
  readonly calls: ReadonlyMap<Coordinate, CallPolicy>
  readonly documents: Documents
}

async function answerQuery(parts: AuditApiParts, served: Served, state: Parsed): Promise<HttpResponse | Refusal> {
  const { requestId, caller, body, responseType, deadline } = state
  const text = errorText(parts.detailedErrors)
  // this endpoint has no registered operations
  if (body.query === undefined) return { refused: 'BAD_REQUEST', detail: NEEDS_QUERY }
  const { query } = body
  const document = served.documents.read(query)
  if ('refused' in document) return { refused: document.refused, detail: () => served.documents.detailOf(query) }
  const operation = getOperationAST(document, body.operationName)
  if (operation === undefined || operation === null || operation.operation === OperationTypeNode.SUBSCRIPTION)
    return { refused: 'OPERATION_RESOLUTION_FAILURE', detail: () => operationDetail(document, body.operationName) }
  const isMutation = operation.operation === OperationTypeNode.MUTATION
  const rootType = served.schema.getRootType(operation.operation)
  const asked = { document, name: body.operationName, variables: body.variables ?? {} }
  const called = Object.keys(rootType?.getFields() ?? {}).flatMap((field) => {
    const count = rootCalls(served.schema, asked, (name) => name === field)
    return count === 0 ? [] : [{ coordinate: `${rootType?.name ?? ''}.${field}` as Coordinate, field, count }]
  })
  const mutations = isMutation ? called.reduce((sum, { count }) => sum + count, 0) : 0
  // before anything is written
  if (mutations > MAX_MUTATIONS) return { refused: 'OPERATION_TOO_COSTLY', detail: MANY_MUTATIONS }
  const repeated = called.find(({ field, count }) => count > 1 && ONCE.has(field))
  if (repeated !== undefined) return { refused: 'OPERATION_TOO_COSTLY', detail: () => onceDetail(repeated.field) }
  const variables = body.variables ?? {}
  if (hasInvalidDate(served.schema, operation, variables))
    return { refused: 'BAD_USER_INPUT', detail: () => dateDetail(served.schema, operation, variables) }
  const context = auditContext(state, {
    operation: operation.name?.value,
    operationHash: createHash('sha256').update(body.query).digest('hex'),
    persisted: false,
    policy: parts.policy.digest,
  })
  const { audit, now, policy, anomalies, reviewSettings, events } = parts
  const trail = new Trail({
    log: audit.log,
    context,
    now,
    deadline,
    roots: [REVIEWED_TYPE as SchemaPath],
    leftOut: 'NEVER',
    origins: new Map(),
  })
  const asOf = now() as Instant
  const stale = rootsToStepUp(served, new Set(called.map(({ coordinate }) => coordinate)), caller, asOf, parts.stepUpSeconds * 1000)
  if (stale.length > 0) {
    for (const { coordinate, field } of called) {
      if (!stale.includes(coordinate)) continue
      const path = `${REVIEWED_TYPE}.${field}` as SchemaPath
      trail.record({ path, action: isMutation ? 'UPDATE' : 'REVIEW', outcome: 'DENIED', reason: 'STEP_UP' })
    }
    await trail.settle()
    return responseOf(failure(requestId, [entryOf('STEP_UP_REQUIRED', text)]), responseType, parts.stepUpSeconds)
  }
  const isPermitted = (field: string): boolean =>
    caller.isPartner !== true &&
    [`Query.${field}`, `Mutation.${field}`].some((root) => permits(served.calls.get(root as Coordinate), caller.roles))
  const reading = deadline.share(READ_SHARE)
  // opened by the first root that the caller may call
  let reader: Promise<AuditReader> | undefined
  const contextValue: ReviewContext = {
    isPermitted,
    user: caller.user,
    requestId,
    left: isMutation ? MAX_MUTATIONS : MAX_ROOTS,
    reading: async () => {
      reader ??= parts.openReader(caller.tenant)
      const { clinicalSchema: schema } = parts
      return { reader: await reader, policy, schema, anomalies, reviewSettings, now: asOf, deadline: reading, isPermitted }
    },
    record: (access) => trail.record(access),
    commit: (writes, access) => trail.commit(writes, access),
  }
  const result = await execute({
    schema: served.schema,
    document,
    contextValue,
    ...(body.operationName !== undefined && { operationName: body.operationName }),
    ...(body.variables && { variableValues: { ...body.variables } }),
  })
  const valueFault = (error: GraphQLError) => valueDetail(served.schema, operation, variables, error)
  const faults = (result.errors ?? []).map((error) => faultOf(error, text, valueFault))
  const internal = faults.find(({ code }) => code === 'INTERNAL')
  if (internal !== undefined) events(internalFault(requestId, internal.cause))
  const unread = faults.find(({ code }) => code === 'AUDIT_LOG_UNAVAILABLE')
  if (unread !== undefined)
    events({ event: 'AUDIT_READ_FAILED', requestId, tenant: caller.tenant, cause: originName(unread.cause) })
  const receipt = await trail.settle()
  const [first] = faults
  if (first !== undefined) return responseOf(failure(requestId, [first.error]), responseType)
  const extensions = { phi: { requestId, receipt: receipt.text ?? null } }
  const answer = { data: result.data, extensions }
  // the text of a much longer answer would exhaust the memory of the process
  const serialized = isCertainlyLonger(answer, MAX_BODY) ? undefined : JSON.stringify(answer)
  if (serialized === undefined || !isWithin(serialized, MAX_BODY))
    return responseOf(failure(requestId, [tooLarge(MAX_BODY, text)]), responseType)
  return responseOf({ status: 200, body: serialized }, responseType)
}

const permits = (call: CallPolicy | undefined, roles: ReadonlySet<Role>): boolean =>
  call !== undefined && [...roles].some((role) => call.roles.has(role))

interface Fault {
  readonly code: FailureCode
  readonly error: AnswerError
  readonly cause: unknown
}

/** A fault of an operation as clients see it: a text by code, and the place in the answer. */
function faultOf(thrown: GraphQLError, text: ErrorText, valueFault: (error: GraphQLError) => string | undefined): Fault {
  const { originalError: cause, path } = thrown
  // graphql refused a variable, which has no place in the answer, or an argument
  const isOfVariable = cause === undefined || (cause instanceof GraphQLError && path === undefined)
  const isOfValue = isOfVariable || isFaultOfValue(cause)
  const code = cause instanceof Failure ? cause.code : isOfValue ? 'BAD_USER_INPUT' : 'INTERNAL'
  const detail = cause instanceof Failure ? cause.detail : isOfValue ? () => valueFault(thrown) : undefined
  const error = {
    message: text(code, detail),
    ...(path && { path }),
    extensions: { code, ...(cause instanceof FilterTooBroad && { add: cause.add }) },
  }
  return { code, error, cause: cause ?? thrown }
}
