import type { PolicyTable } from '../../directives/policy.ts'
import { readRequestId } from '../audit/request-id.ts'
import type { Outcome } from '../model/access-record.ts'
import { BadUserInput } from '../model/failures.ts'
import { decodeNodeId } from '../model/node-id.ts'
import type { RecordedAccess } from './recorded-access.ts'

/** The question of an auditor. Every member narrows. Times are milliseconds since the epoch, both inclusive. */
export interface AccessFilter {
  /** A patient id, or the keyed hash of a requested id. */
  readonly patient?: string
  readonly user?: string
  readonly client?: string
  readonly session?: string
  readonly sourceIp?: string
  readonly path?: string
  /** The paths of a category of the schema. */
  readonly categoryPaths?: ReadonlySet<string>
  readonly outcomes?: ReadonlySet<Outcome>
  readonly reason?: string
  /** Left out: every action except REVIEW. */
  readonly action?: string
  readonly purpose?: string
  readonly basis?: string
  readonly requestId?: string
  readonly listed?: boolean
  readonly persisted?: boolean
  readonly from?: number
  readonly to?: number
}

/** The argument `filter` as the schema types it. Times are milliseconds since the epoch. */
export interface FilterArguments {
  readonly patientId?: string | null
  readonly userId?: string | null
  readonly clientId?: string | null
  readonly sessionId?: string | null
  readonly sourceIp?: string | null
  readonly path?: string | null
  readonly category?: string | null
  readonly outcome?: readonly Outcome[] | null
  readonly reason?: string | null
  readonly action?: string | null
  readonly purpose?: string | null
  readonly basis?: string | null
  readonly requestId?: string | null
  readonly listed?: boolean | null
  readonly persisted?: boolean | null
  readonly from?: string | null
  readonly to?: string | null
}

/** Texts of a filter are ids and names. The log has none that is longer. */
const MAX_TEXT = 256

/**
 * The filter of an argument. The id of a patient is accepted as the log has it, and as the clinical endpoint has it.
 *
 * @param times the arguments `from` and `to`, which the caller has parsed
 * @throws BadUserInput for a text that no id or name can be, for a malformed request id, and for an end before the begin
 */
export function accessFilter(
  policy: PolicyTable,
  given: FilterArguments,
  { from, to }: { readonly from: number | undefined; readonly to: number | undefined },
): AccessFilter {
  const ids = [given.patientId, given.userId, given.clientId, given.sessionId, given.requestId]
  const texts = [...ids, given.sourceIp, given.path, given.reason, given.basis]
  if (texts.some((text) => typeof text === 'string' && !isText(text)))
    throw new BadUserInput({ detail: `A text of the filter is empty, or has more than ${MAX_TEXT} characters.` })
  // an empty list would say that the request accessed nothing
  if (typeof given.requestId === 'string' && readRequestId(given.requestId) === undefined)
    throw new BadUserInput({ detail: '`requestId` is no id of a request. Take it from `extensions.phi.requestId` of an answer.' })
  if (from !== undefined && to !== undefined && from > to)
    throw new BadUserInput({ detail: '`from` is after `to`. Exchange them.' })
  const { patientId, userId, clientId, path, category, outcome, reason, action, purpose, basis, requestId } = given
  const { sessionId, sourceIp, listed, persisted } = given
  return {
    ...(typeof patientId === 'string' && { patient: decodeNodeId(patientId)?.patient ?? patientId }),
    ...(typeof userId === 'string' && { user: userId }),
    ...(typeof clientId === 'string' && { client: clientId }),
    ...(typeof sessionId === 'string' && { session: sessionId }),
    ...(typeof sourceIp === 'string' && { sourceIp }),
    ...(typeof path === 'string' && { path }),
    ...(typeof category === 'string' && { categoryPaths: pathsOf(policy, category) }),
    ...(outcome !== null && outcome !== undefined && { outcomes: new Set(outcome) }),
    ...(typeof reason === 'string' && { reason }),
    ...(typeof action === 'string' && { action }),
    ...(typeof purpose === 'string' && { purpose }),
    ...(typeof basis === 'string' && { basis }),
    ...(typeof requestId === 'string' && { requestId }),
    ...(typeof listed === 'boolean' && { listed }),
    ...(typeof persisted === 'boolean' && { persisted }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  }
}

/** The log has no half of a surrogate pair. */
const isText = (text: string): boolean => text !== '' && text.length <= MAX_TEXT && text.isWellFormed()

const pathsOf = (policy: PolicyTable, category: string): ReadonlySet<string> =>
  new Set([...policy.phi.values()].flatMap((phi) => (phi.category === category ? [phi.path] : [])))

/** Whether a record is one that the filter asks for. The reader in SQL has the same rules. */
export function isSelected(filter: AccessFilter, access: RecordedAccess): boolean {
  const { patient, user, client, path, categoryPaths, outcomes, reason, action, purpose, basis, requestId } = filter
  const at = Date.parse(access.time)
  const paths = [access.path, ...(access.paths ?? [])]
  return (
    isEqual(patient, access.patient) &&
    isEqual(user, access.user) &&
    isEqual(client, access.client) &&
    isEqual(filter.session, access.session) &&
    isEqual(filter.sourceIp, access.sourceIp) &&
    (path === undefined || paths.includes(path)) &&
    (categoryPaths === undefined || paths.some((one) => categoryPaths.has(one))) &&
    (outcomes === undefined || outcomes.has(access.outcome as Outcome)) &&
    isEqual(reason, access.reason) &&
    (action === undefined ? access.action !== 'REVIEW' : access.action === action) &&
    isEqual(purpose, access.purpose) &&
    isEqual(basis, access.basis) &&
    isEqual(requestId, access.requestId) &&
    isEqual(filter.listed, access.listed) &&
    isEqual(filter.persisted, access.persisted) &&
    at >= (filter.from ?? 0) &&
    at <= (filter.to ?? Number.MAX_SAFE_INTEGER)
  )
}

const isEqual = <Value>(wanted: Value | undefined, given: Value | undefined): boolean => wanted === undefined || wanted === given
