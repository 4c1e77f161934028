import type { Coordinate, SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { LockTable } from '../../../directives/lock-table.ts'
import type { Action, Grant } from '../../../directives/policy.ts'
import type { ReplayedCaller } from './replay-caller.ts'
import type { ClaimedAccess, ClaimedBasis } from './replay-claim.ts'
import { replayDisclosure } from './replay-decision.ts'
import { dependsOn, notAllowed, REPLAYED, type ReplayVerdict } from './replay-verdict.ts'

/** The texts of break-glass grants. They have no grants: the callers of the review may read them. */
const REVIEW_TEXTS: ReadonlySet<string> = new Set(['BreakGlassGrant.reason', 'BreakGlassGrant.note', 'BreakGlassRenewal.reason'])
const REVIEW_FIELDS: ReadonlySet<string> = new Set(['breakGlassGrants', 'reviewBreakGlass'])
const END_FIELD = 'endBreakGlass'

/**
 * Decides a disclosure again. Records without a rule are those of the existence of a record (`Patient.id`), of a root field, and of the
 * texts of break-glass grants.
 */
export function replayAccess(lock: LockTable, caller: ReplayedCaller, claim: ClaimedBasis, access: ClaimedAccess): ReplayVerdict {
  if (access.rule !== undefined) return replayDisclosure(lock, caller, claim, access)
  const { path } = access
  const { recordType } = claim
  const isExistence = recordType !== undefined && lock.records.has(recordType) && path === `${recordType}.id`
  const isRoot = lock.classes.get(path as string as Coordinate) === 'ROOT'
  if (!isExistence && lock.phi.has(path)) return notAllowed('RULE')
  if (!isExistence && !isRoot && !REVIEW_TEXTS.has(path)) return notAllowed('PATH')
  if (access.action !== 'READ') return notAllowed('ACTION')
  if (access.outcome !== 'DISCLOSED' || access.view !== undefined) return notAllowed('VIEW')
  if (claim.basis !== undefined || claim.hasSince || claim.limits !== 'NONE') return notAllowed('RELATIONSHIP')
  if (isExistence) return replayExistence(lock, caller, recordType, claim.listed)
  return isRoot ? replayRoot(lock, caller, recordType, path) : replayReviewText(lock, caller)
}

/** A relationship that the record does not name, the right to know of patients, or a list shows that a record exists. */
function replayExistence(lock: LockTable, caller: ReplayedCaller, type: TypeName, listed: boolean): ReplayVerdict {
  const isPatient = lock.records.get(type)?.patient === 'id'
  if (isPatient && caller.seesExistence) return REPLAYED
  const { roles, purpose, study } = caller
  const ofType = grantsOf(lock, (path) => path.startsWith(`${type}.`))
  const admits = ({ actions, purposes, roles: named }: Grant, ...among: Action[]): boolean =>
    among.some((action) => actions.has(action)) && purposes.has(purpose) && overlap(named, roles)
  const isAdmitted = ofType.some((grant) => admits(grant, 'READ'))
  // an edge lists records of a type, and a search lists patients by the values of any type
  const leads = isPatient ? grantsOf(lock, () => true) : grantsOf(lock, (path) => lock.phi.get(path)?.class === 'EDGE')
  const isListed = listed && leads.some((grant) => admits(grant, 'READ', ...(isPatient ? (['SEARCH'] as const) : [])))
  // the item does not name a research role that has no effect on the request, except on the knowledge of patients
  const mayKnow =
    isPatient && study === undefined && [...lock.roles.values()].some((role) => role.kind === 'RESEARCH' && role.seesExistence)
  const byBreakGlass = purpose === 'BTG' && study === undefined
  if (isAdmitted || isListed || mayKnow || byBreakGlass) return dependsOn('EXISTENCE')
  return notAllowed(ofType.some((grant) => grant.actions.has('READ') && overlap(grant.roles, roles)) ? 'PURPOSE' : 'ROLE')
}

/** The roles that may call a root, and for the plan of an operation the existence of its patient. */
function replayRoot(lock: LockTable, caller: ReplayedCaller, type: TypeName | undefined, path: SchemaPath): ReplayVerdict {
  const call = lock.calls.get(path as string as Coordinate)
  if (call !== undefined && !overlap(call.roles, caller.roles)) return notAllowed('ROLE')
  if (call?.stepUp === true && !caller.hasAuthTime) return notAllowed('STEP_UP')
  const isOfRecord = type !== undefined && lock.records.has(type)
  if (!isOfRecord && call === undefined) return notAllowed('PATH')
  const verdict = isOfRecord ? replayExistence(lock, caller, type, false) : REPLAYED
  // a deployment decides how long a sign-in counts as recent
  return verdict.kind === 'REPLAYED' && call?.stepUp === true ? dependsOn('STEP_UP') : verdict
}

function replayReviewText(lock: LockTable, { roles }: ReplayedCaller): ReplayVerdict {
  for (const [coordinate, kind] of lock.classes) {
    const field = coordinate.slice(coordinate.indexOf('.') + 1)
    if (kind !== 'ROOT' || (!REVIEW_FIELDS.has(field) && field !== END_FIELD)) continue
    const named = lock.calls.get(coordinate)?.roles ?? new Set(lock.roles.keys())
    // the holder of a grant ends it without reading it
    const readers = [...named].filter((role) => field !== END_FIELD || lock.roles.get(role)?.kind === 'OVERSIGHT')
    if (readers.some((role) => roles.has(role))) return REPLAYED
  }
  return notAllowed('ROLE')
}

const grantsOf = (lock: LockTable, isWanted: (path: SchemaPath) => boolean): Grant[] =>
  [...lock.phi.values()].flatMap(({ path, grants }) => (isWanted(path) ? grants : []))

function overlap<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  for (const item of a) if (b.has(item)) return true
  return false
}
