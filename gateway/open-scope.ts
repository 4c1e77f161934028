import { getNamedType, type GraphQLSchema } from 'graphql'
import { rootsToStepUp } from './access/step-up.ts'
import { Trail } from './audit/trail.ts'
import { auditContext } from './audit-context.ts'
import { withinContract } from './decide/contract.ts'
import { refuseBeforeRecord } from './decide/decide.ts'
import type { CompiledPolicy } from '../directives/compile.ts'
import type { Coordinate, SchemaPath, TypeName } from '../directives/coordinates.ts'
import type { PolicyTable, PurposeOfUse } from '../directives/policy.ts'
import { withInputs } from './disclosure/computed-fields.ts'
import type { RequestLimits } from './disclosure/request-parts.ts'
import { RequestScope } from './disclosure/request-scope.ts'
import type { OpenedScope, ResolvedOperation } from './execution.ts'
import type { AccessHistoryParts, CallerParts, ProcessParts, RecordParts, SchemaParts, WithDefaults } from './gateway-parts.ts'
import type { Refusals } from './model/budget.ts'
import type { Caller } from './model/decision.ts'
import { OperationTooCostly, PhiBudgetExceeded } from './model/failures.ts'
import type { Instant, TenantId } from './model/ids.ts'
import type { ChangeTurns } from './mutations/change-turns.ts'
import { ACCESS_FIELDS, BREAK_GLASS_FIELD, SIGNING_FIELD } from './mutations/mutation-resolvers.ts'
import { type MutationPorts, MutationScope } from './mutations/mutation-scope.ts'
import { exceeds } from './operations/cost.ts'
import { costDetail, pageDetail } from './operations/cost-detail.ts'
import { exceedsPage } from './operations/page-sizes.ts'
import { rootCalls } from './operations/root-calls.ts'
import { limitOf } from './operations/value-limits.ts'
import type { Resolved } from './pipeline.ts'
import { OWN_SOURCE } from './store/record-source.ts'

/** The parts of a gateway that each request uses. */
export type ScopeServices = Required<
  Omit<ProcessParts, 'detailedErrors'> & Pick<CallerParts, 'stepUpSeconds'> & Pick<SchemaParts, 'computed'>
> &
  Omit<WithDefaults<RecordParts, 'limits'>, 'budgets'> &
  AccessHistoryParts &
  Pick<RequestLimits, 'budgets'> & {
    /** Break-glass comes from the effective subject. */
    readonly mutations: Omit<MutationPorts, 'breakGlass'>
    readonly turns: ChangeTurns
    /** The tenants in which this process read a linked patient. */
    readonly linkedTenants: Set<TenantId>
  }

const TWO_GRANTS = 'An operation opens one patient by break-glass at most. Send the other patients in requests of their own.'

/** The changes of records that one operation can request. Each is a transaction of its own. */
const MAX_CHANGES = 20
const MANY_CHANGES = `An operation changes at most ${MAX_CHANGES} records. Send the other changes in requests of their own.`

/** Share of the request's time for reading. The rest is for the audit of the values that were read or unavailable. */
const READ_SHARE = 0.7

/**
 * Opens the scope of an operation: its audit trail, and the paths of its footprint that contract, role and purpose allow. Paths that no
 * record could grant are never loaded or opened. A root that requires a more recent sign-in is recorded as denied, and the
 * returned code refuses the whole operation.
 *
 * @throws OperationTooCostly, before anything is loaded
 */
export function openScope(
  services: ScopeServices,
  { schema, policy }: Pick<CompiledPolicy, 'schema' | 'policy'>,
  resolved: Resolved,
  { prepared, name, variables }: ResolvedOperation,
): OpenedScope {
  const {
    sources,
    computed,
    search,
    budgets,
    limits,
    keys: keyring,
    signer,
    events,
    audit,
    mutations: ports,
    turns,
    linkedTenants,
    patientAccesses,
    recordVersions,
    workforce,
  } = services
  const asked = { document: prepared.document, name, variables }
  const now = services.now() as Instant
  // The limits are those of the token. A contract that leaves no role is then refused as such, and recorded
  const asking = resolved.subject.caller
  // here at the latest: nothing below sees a role that the contract excludes
  const caller = withinContract(asking, policy, now)
  const request = { ...resolved, subject: { ...resolved.subject, caller } }
  const { requestId, deadline } = request
  const { sources: attributes, ids } = request.subject
  const maxInOperation = limitOf(limits.operation, policy, asking)
  const maxCost = { values: maxInOperation, places: limits.answer.places }
  if (exceeds(schema, policy, asked, maxCost))
    throw new OperationTooCostly({ detail: () => costDetail(schema, policy, asked, maxCost) })
  if (rootCalls(schema, asked, (field) => field === BREAK_GLASS_FIELD) > 1) throw new OperationTooCostly({ detail: TWO_GRANTS })
  const { contract } = caller
  if (contract !== undefined && exceedsPage(schema, asked, contract.maxPage))
    throw new OperationTooCostly({ detail: () => pageDetail(schema, asked, contract.maxPage) })
  const { paths, roots, coordinates } = prepared.footprint(name, variables)
  const mutation = schema.getMutationType()?.name ?? ''
  if (
    [...roots].some((root) => isChange(policy, root)) &&
    rootCalls(schema, asked, (field) => isChange(policy, `${mutation}.${field}` as Coordinate)) > MAX_CHANGES
  )
    throw new OperationTooCostly({ detail: MANY_CHANGES })
  const wanted = [...withInputs(policy, paths, caller), ...signedPaths(schema, policy, roots)]
  const grantable = new Set(wanted.filter((path) => refuseBeforeRecord(policy.phi.get(path), caller) === undefined))
  const trail = new Trail({
    log: audit.log,
    context: auditContext(
      { ...request, caller },
      {
        operation: name,
        operationHash: prepared.textHash,
        persisted: request.operation.isPersisted,
        contract: contract?.digest,
        policy: policy.digest,
      },
    ),
    now: services.now,
    deadline,
    roots: [...roots] as string[] as SchemaPath[],
    leftOut: leadsToRecords(policy, coordinates, paths) ? 'POSSIBLE' : 'NEVER',
    origins: new Map([...policy.records].flatMap(([type, { source }]) => (source === OWN_SOURCE ? [] : [[type, source]]))),
  })
  const refusals = refusalsOf(services, policy, {
    caller: asking,
    roots,
    emergency: `${schema.getMutationType()?.name ?? ''}.${BREAK_GLASS_FIELD}`,
  })
  if (refusals.stopped !== undefined) {
    const [root = schema.getQueryType()?.name ?? ''] = roots
    trail.record({
      path: root as SchemaPath,
      action: 'READ',
      outcome: 'DENIED',
      reason: 'BUDGET',
      count: refusals.stopped,
    })
  }
  const stale = rootsToStepUp(policy, roots, caller, now, services.stepUpSeconds * 1000)
  for (const root of stale) {
    const action = root.startsWith(`${schema.getMutationType()?.name ?? ''}.`) ? 'UPDATE' : 'READ'
    trail.record({ path: root as string as SchemaPath, action, outcome: 'DENIED', reason: 'STEP_UP' })
  }
  const shared = { requestId, caller, now, policy, ids, keyring, trail, events, deadline: deadline.share(READ_SHARE) }
  const scope = new RequestScope({
    ...shared,
    ...attributes,
    grantable,
    sources,
    computed,
    ...(budgets && { budgets }),
    ...(search && { search }),
    ...(signer && { signer }),
    ...(patientAccesses && { patientAccesses }),
    ...(recordVersions && { recordVersions }),
    ...(workforce && { workforce }),
    maxInHour: limitOf(limits.hour, policy, asking),
    maxSearches: limitOf(limits.searches, policy, asking),
    maxRefusals: refusals.most,
    refusalsSpent: refusals.stopped !== undefined,
    maxCost,
    maxBytes: limits.answer.bytes,
    operationText: prepared.text,
    linkedTenants,
  })
  const { breakGlass } = attributes
  const maxPatients = limitOf(limits.breakGlass, policy, asking)
  const mutations = new MutationScope(
    { ...shared, schema, turns, maxPatients, ports: { ...ports, ...(breakGlass && { breakGlass }) } },
    scope,
  )
  if (refusals.stopped !== undefined) return { scope, mutations, refused: 'PHI_BUDGET_EXCEEDED' }
  return { scope, mutations, ...(stale.length > 0 && { refused: 'STEP_UP_REQUIRED' }) }
}

/** An emergency is never stopped: it leaves a trail of its own. */
const EMERGENCY: ReadonlySet<PurposeOfUse> = new Set(['ETREAT', 'BTG'])

/**
 * Stops a caller that was shown too many refusals within the hour, before anything is loaded.
 *
 * @returns the limits of the caller, and the number of stopped requests if one is to be recorded now
 * @throws PhiBudgetExceeded for a stopped request that is only counted
 */
function refusalsOf(
  { budgets, limits, events }: Pick<ScopeServices, 'budgets' | 'limits' | 'events'>,
  policy: PolicyTable,
  { caller, roots, emergency }: { caller: Caller; roots: ReadonlySet<Coordinate>; emergency: string },
): { readonly most: Refusals; readonly stopped?: number } {
  const { tenant, user, purpose } = caller
  const most = { values: limitOf(limits.refusedValues, policy, caller), ids: limitOf(limits.unknownIds, policy, caller) }
  const isEmergency = EMERGENCY.has(purpose) || [...roots].every((root) => root === emergency)
  if (budgets === undefined || isEmergency || !budgets.refusals.isSpent({ tenant, user, most })) return { most }
  const stopped = budgets.refusals.stopped({ tenant, user, most })
  if (stopped === undefined) throw new PhiBudgetExceeded('REFUSALS')
  events({ event: 'BUDGET_EXCEEDED', tenant, budget: 'REFUSALS', count: stopped })
  return { most, stopped }
}

/** Whether a root field changes a record, a care team or a consent. */
function isChange({ writes }: PolicyTable, root: Coordinate): boolean {
  const field = root.slice(root.indexOf('.') + 1)
  if (field === SIGNING_FIELD || ACCESS_FIELDS.some((name) => name === field)) return true
  return [...writes.values()].some(({ create, update, retract }) => [create, update, retract].includes(root))
}

/** The values that a signature covers: all of the type that a signing root returns. The signer reads them. */
function signedPaths(schema: GraphQLSchema, { writes }: PolicyTable, roots: ReadonlySet<Coordinate>): readonly SchemaPath[] {
  const mutation = schema.getMutationType()
  const field = mutation?.getFields()[SIGNING_FIELD]
  if (mutation == null || field === undefined || !roots.has(`${mutation.name}.${SIGNING_FIELD}` as Coordinate)) return []
  return writes.get(getNamedType(field.type).name as TypeName)?.paths ?? []
}

/** Whether an operation selects an edge, or a record besides those of patients. */
function leadsToRecords(policy: PolicyTable, coordinates: ReadonlySet<Coordinate>, paths: ReadonlySet<SchemaPath>): boolean {
  const isRecord = (coordinate: Coordinate): boolean => {
    const record = policy.records.get(coordinate.slice(0, coordinate.indexOf('.')) as TypeName)
    return record !== undefined && record.patient !== 'id'
  }
  return [...coordinates].some(isRecord) || [...paths].some((path) => policy.phi.get(path)?.class === 'EDGE')
}
