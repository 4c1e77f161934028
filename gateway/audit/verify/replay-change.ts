import type { Coordinate, SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { LockTable } from '../../../directives/lock-table.ts'
import type { Action, PhiPolicy } from '../../../directives/policy.ts'
import type { ReplayedCaller } from './replay-caller.ts'
import type { ClaimedAccess, ClaimedBasis, ClaimedContext } from './replay-claim.ts'
import { GrantReplay } from './replay-decision.ts'
import { dependsOn, notAllowed, REPLAYED, type ReplayVerdict } from './replay-verdict.ts'

const CHANGES: ReadonlySet<unknown> = new Set<Action>(['CREATE', 'UPDATE', 'DELETE'])

/**
 * Whether a WRITTEN record is a change that the policy decides: a value of a record, a retraction, or a call of a mutation.
 *
 * Operators have no role. An import, a new key and the like leave records of whole records, tables and keys. They are no changes of
 * clients, but nobody writes a single value without a role.
 */
export function isClientChange(
  lock: LockTable,
  { roles }: ClaimedContext,
  { recordType }: ClaimedBasis,
  { path }: Pick<ClaimedAccess, 'path'>,
): boolean {
  if (isValueOf(lock, recordType, path)) return true
  if (roles.length === 0) return false
  return lock.calls.has(path as string as Coordinate) || isRecord(lock, recordType, path)
}

/** Decides a change again, by the grant that its rule names. Break-glass permits no change. */
export function replayChange(lock: LockTable, caller: ReplayedCaller, claim: ClaimedBasis, access: ClaimedAccess): ReplayVerdict {
  const { path, action } = access
  if (!isChange(action)) return notAllowed('ACTION')
  if (access.view !== undefined) return notAllowed('VIEW')
  const call = lock.calls.get(path as string as Coordinate)
  if (call !== undefined) {
    if (![...call.roles].some((role) => caller.roles.has(role))) return notAllowed('ROLE')
    if (!call.stepUp) return REPLAYED
    return caller.hasAuthTime ? dependsOn('STEP_UP') : notAllowed('STEP_UP')
  }
  if (claim.basis === 'BREAK_GLASS') return notAllowed('BREAK_GLASS')
  if (isRecord(lock, claim.recordType, path)) return replayRetraction(lock, caller, claim, access)
  const policy = lock.phi.get(path)
  return policy === undefined ? notAllowed('PATH') : replayValue(lock, caller, claim, { policy, action, rule: access.rule })
}

function replayValue(
  lock: LockTable,
  caller: ReplayedCaller,
  claim: ClaimedBasis,
  { policy, action, rule }: { readonly policy: PhiPolicy; readonly action: Action; readonly rule: string | undefined },
): ReplayVerdict {
  if (policy.class !== 'VALUE' || lock.computed.has(policy.path)) return notAllowed('PATH')
  const grant = policy.grants.find((one) => one.rule === rule)
  if (grant === undefined) return notAllowed('RULE')
  if (!grant.actions.has(action)) return notAllowed('ACTION')
  return new GrantReplay(lock, caller, claim, { policy, grant, action }).verdict()
}

/** A retraction has one record with the rule of one of its values. It needs the right to each value of the type. */
function replayRetraction(
  lock: LockTable,
  caller: ReplayedCaller,
  claim: ClaimedBasis,
  { path, action, rule }: ClaimedAccess,
): ReplayVerdict {
  // a client creates and changes values, and each has a record of its own
  if (action !== 'DELETE') return notAllowed('PATH')
  const values = [...lock.phi.values()].filter((one) => one.path.startsWith(`${path}.`) && grantsOf(one).length > 0)
  if (!values.some((one) => grantsOf(one).some((grant) => grant.rule === rule))) return notAllowed('RULE')
  let verdict: ReplayVerdict = REPLAYED
  for (const policy of values) {
    const verdicts = grantsOf(policy).map((grant) => new GrantReplay(lock, caller, claim, { policy, grant, action }).verdict())
    const best = verdicts.find(({ kind }) => kind === 'REPLAYED') ?? verdicts.find(({ kind }) => kind === 'DEPENDS') ?? verdicts[0]
    if (best === undefined || best.kind === 'NOT_ALLOWED') return best ?? notAllowed('RULE')
    if (best.kind === 'DEPENDS') verdict = best
  }
  return verdict
}

const grantsOf = ({ grants }: PhiPolicy): PhiPolicy['grants'] => grants.filter(({ actions }) => actions.has('DELETE'))

const isChange = (action: unknown): action is Action => CHANGES.has(action)

const isValueOf = (lock: LockTable, type: TypeName | undefined, path: SchemaPath): boolean =>
  type !== undefined && path.startsWith(`${type}.`) && lock.phi.has(path)

const isRecord = (lock: LockTable, type: TypeName | undefined, path: SchemaPath): boolean =>
  type !== undefined && lock.records.has(type) && (path as string) === (type as string)
