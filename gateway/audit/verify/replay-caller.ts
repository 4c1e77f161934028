import type { LockTable } from '../../../directives/lock-table.ts'
import { PURPOSES_OF_USE, type PurposeOfUse, type Role } from '../../../directives/policy.ts'
import type { ClaimedContext } from './replay-claim.ts'
import type { ReplayFault } from './replay-verdict.ts'

/** The caller of an item as the decision takes it. */
export interface ReplayedCaller {
  /** Without roles that the lock does not have: they grant nothing. */
  readonly roles: ReadonlySet<Role>
  readonly purpose: PurposeOfUse
  /** The protocol of a request for research. */
  readonly study?: string
  /** Whether a role may learn that patients exist. */
  readonly seesExistence: boolean
  readonly hasAuthTime: boolean
}

/**
 * The caller that an item claims, or the reason that the gateway answers no such caller: a role that needs a second factor without
 * one, a purpose that no role may claim, research without a study or beside other roles.
 *
 * @source docs/identity.md, docs/research.md
 */
export function replayedCaller(
  lock: Pick<LockTable, 'roles'>,
  { roles, purpose: claimed, mfa, study, hasAuthTime }: ClaimedContext,
): ReplayedCaller | ReplayFault {
  const known = roles.flatMap((name) => lock.roles.get(name as Role) ?? [])
  const purpose = PURPOSES_OF_USE.find((name) => name === claimed)
  if (known.length === 0) return 'ROLE'
  if (!mfa && known.some((role) => role.mfa)) return 'MFA'
  if (purpose === undefined || !known.some(({ mayClaim }) => mayClaim.includes(purpose))) return 'PURPOSE'
  const isResearch = known.some(({ kind }) => kind === 'RESEARCH')
  if (isResearch !== (study !== undefined)) return 'STUDY'
  // a researcher has no other role, and a research role that may not claim the purpose has no effect
  if (isResearch && !known.every(({ kind, mayClaim }) => kind === 'RESEARCH' && mayClaim.includes(purpose))) return 'STUDY'
  return {
    roles: new Set(known.map(({ role }) => role)),
    purpose,
    ...(study !== undefined && { study }),
    seesExistence: known.some((role) => role.seesExistence),
    hasAuthTime,
  }
}
