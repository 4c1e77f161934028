import { publicSchema } from '../directives/public-schema.ts'
import { type CompiledPolicy, compilePolicy } from '../directives/compile.ts'
import type { TypeName } from '../directives/coordinates.ts'
import type { PolicyTable } from '../directives/policy.ts'
import { admitSession, identify, negotiate, parse } from './caller-stages.ts'
import { BudgetLeases } from './disclosure/budget-leases.ts'
import { RefusalCounts } from './disclosure/refusal-counts.ts'
import { viewFault } from './decide/view-inputs.ts'
import { computedFault } from './disclosure/computed-fields.ts'
import { SERVED_VIEWS } from './disclosure/views.ts'
import { executableSchema } from './executable-schema.ts'
import { OperationEngine } from './execution.ts'
import {
  type CallerParts,
  type GatewayParts,
  type RecordParts,
  type SchemaParts,
  type SubjectParts,
  withDefaults,
} from './gateway-parts.ts'
import { namesOperation } from './http/graphql-request.ts'
import type { HttpRequest, HttpResponse } from './http/messages.ts'
import type { TenantId } from './model/ids.ts'
import { ChangeTurns } from './mutations/change-turns.ts'
import type { MutationPorts } from './mutations/mutation-scope.ts'
import type { OperationAdministration } from './mutations/operation-administration.ts'
import { historyResolvers } from './disclosure/history-resolvers.ts'
import { joinedResolvers, recordResolvers } from './mutations/record-resolvers.ts'
import { signingFault } from './mutations/signing-fault.ts'
import { openScope } from './open-scope.ts'
import { OperationSelector } from './operations/persisted/operation-selector.ts'
import type { PreparationCounter } from './operations/persisted/preparation-counter.ts'
import { PreparedDocuments } from './operations/persisted/prepared-documents.ts'
import { Prover } from './operations/contracts/prove.ts'
import { RegistryAdmin } from './operations/persisted/registry-admin.ts'
import { runStages, type Stages } from './pipeline.ts'
import { type Endpoint, handleRequest } from './request-handler.ts'
import { selectOperation } from './select-operation.ts'
import { SchemaRefused } from './schema-refused.ts'
import { execute, resolveSubject, settle } from './stages.ts'

/** The time for a request that comes without a deadline, in milliseconds. */
const REQUEST_MS = 8_000

export interface Gateway {
  /** Answers any request; never throws. */
  handle(request: HttpRequest): Promise<HttpResponse>
  /** Fetches the issuer's keys before the first request. Optional: a request fetches what is missing. Never throws. */
  prefetch(): Promise<void>
  stop(): Promise<void>
  /** The work for the texts of operations so far. */
  readonly preparations: Readonly<PreparationCounter>
}

/**
 * Creates a gateway over a schema.
 *
 * @throws PolicyFaults, SchemaRefused, UnprotectedField: the gateway does not start over a schema with a fault
 */
export async function createGateway(given: GatewayParts): Promise<Gateway> {
  const parts = withDefaults(given)
  const { schema, policy } = compileServed(parts)
  const { events, introspection, stepUpSeconds, detailedErrors } = parts
  const sessions = parts.sessions?.(policy)
  const identity = parts.identity(policy)
  const { budgets: source, ...counted } = parts
  const clocks = { now: parts.now, monotonic: () => performance.now() }
  const budgets = source && { source, leases: new BudgetLeases(source, clocks), refusals: new RefusalCounts(source, clocks) }
  const administration = administrationOf(parts, { schema, policy })
  const mutations = {
    ...(sessions && { sessions }),
    ...(administration && { operations: administration }),
    ...recordWriting(parts, policy),
    ...(parts.erasures && { erasures: parts.erasures }),
    ...parts.mutations,
  }
  const services = {
    ...counted,
    ...(budgets && { budgets }),
    mutations,
    turns: new ChangeTurns(),
    linkedTenants: new Set<TenantId>(),
  }
  const resolvers = joinedResolvers(joinedResolvers(parts.resolvers, recordResolvers(policy)), historyResolvers(policy))
  const executable = executableSchema(publicSchema(schema), policy, resolvers)
  const engine = new OperationEngine({ schema: executable, introspection, events, detailedErrors })
  await engine.start()
  const { operations, audit, now } = parts
  const documents = new PreparedDocuments({ executable, schema, policy, introspection, monotonic: () => performance.now() })
  const selector = new OperationSelector({ policy, documents, now, events, ...(operations && { operations }) })

  const stages: Stages = [
    identify(identity),
    admitSession(sessions),
    negotiate,
    parse,
    selectOperation({ selector, audit, now, policy: policy.digest }),
    resolveSubject(policy, parts),
    execute(engine, (request, operation) => openScope(services, { schema, policy }, request, operation)),
    settle({ events, stepUpSeconds, detailedErrors }),
  ]
  const endpoint: Endpoint = {
    requestMs: REQUEST_MS,
    methods: operations === undefined ? ['POST'] : ['GET', 'POST'],
    isAnswered: (request) => isAnswered(request, operations),
    methodsDetail: METHODS,
    run: (arrived) => runStages(stages, arrived),
  }
  return {
    handle: (request) => handleRequest(request, endpoint, parts),
    prefetch: async () => await identity.prefetch?.(),
    stop: () => engine.stop(),
    preparations: documents.counter,
  }
}

/** The services that changes of records are written through. */
function recordWriting(
  {
    sources,
    idempotency,
    accessTable: access,
    recordRules: rules = new Map(),
  }: Pick<GatewayParts, 'sources' | 'idempotency' | 'accessTable' | 'recordRules'>,
  policy: PolicyTable,
): Pick<MutationPorts, 'records'> {
  if (idempotency === undefined) return {}
  const portOf = (type: TypeName) => sources.get(policy.records.get(type)?.source ?? '')?.changes
  return { records: { portOf, idempotency, rules, ...(access && { access }) } }
}

/** The administration of the registry: operations are proved against the schema, the policy and the limits that requests meet. */
function administrationOf(
  { operationRegistry, limits, now }: Pick<ReturnType<typeof withDefaults>, 'operationRegistry' | 'limits' | 'now'>,
  { schema, policy }: Pick<CompiledPolicy, 'schema' | 'policy'>,
): OperationAdministration | undefined {
  if (operationRegistry === undefined) return undefined
  const { registrar, cache } = operationRegistry
  return { admin: new RegistryAdmin({ registrar, prover: new Prover({ schema, policy, limits }), now }), cache }
}

/** @throws PolicyFaults, SchemaRefused */
function compileServed({
  typeDefs,
  lock,
  computed,
  relationships,
  sources,
  resolvers,
}: Required<Pick<SchemaParts, 'typeDefs' | 'lock' | 'computed' | 'resolvers'>> &
  Pick<SubjectParts, 'relationships'> &
  Pick<RecordParts, 'sources'>): CompiledPolicy {
  const compiled = compilePolicy(typeDefs, { relationships: new Set(relationships.keys()) })
  const { policy } = compiled
  if (compiled.lock !== lock)
    throw new SchemaRefused('the schema and its policy lock disagree: run `phi policy lock` and review the difference')
  for (const { path, grants } of policy.phi.values()) {
    if (grants.some(({ view }) => !SERVED_VIEWS.has(view))) throw new SchemaRefused(`${path}: a view that is not served`)
  }
  for (const { type, source } of policy.records.values()) {
    if (!sources.has(source)) throw new SchemaRefused(`${type}: no source is registered as ${source}`)
  }
  const unserved = computedFault(policy, computed) ?? viewFault(policy) ?? signingFault(compiled.schema, policy, resolvers)
  if (unserved !== undefined) throw new SchemaRefused(unserved)
  return compiled
}

const METHODS =
  'Send the text of an operation by POST, as JSON. GET runs a registered operation only: its URL has the parameter `documentId` and no `query`.'

/** Only registered operations run by GET. */
function isAnswered({ method, queryString = '' }: HttpRequest, operations: CallerParts['operations']): boolean {
  return method === 'POST' || (method === 'GET' && operations !== undefined && namesOperation(queryString))
}
