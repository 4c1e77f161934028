import type { PolicyTable } from '../../../directives/policy.ts'
import { withinContract } from '../../decide/contract.ts'
import type { Contract } from '../../model/contract.ts'
import type { Caller } from '../../model/decision.ts'
import type { Instant } from '../../model/ids.ts'
import { isWithinNetworks } from './source-networks.ts'

/**
 * Whether the token of the caller has a role of the kind PARTNER. Such a caller acts under a contract, whatever other roles it has, and
 * also if its scopes exclude the role.
 */
export function isPartner(caller: Pick<Caller, 'roles' | 'isPartner'>, policy: Pick<PolicyTable, 'roles'>): boolean {
  return caller.isPartner === true || [...caller.roles].some((role) => policy.roles.get(role)?.kind === 'PARTNER')
}

/**
 * Admits a caller under the contract of its client: narrowed as `withinContract` says. Undefined if the contract leaves no role, or does
 * not have the source network.
 */
export function admit(
  caller: Caller,
  contract: Contract,
  policy: Pick<PolicyTable, 'roles' | 'phi' | 'records'>,
  { sourceIp, now }: { readonly sourceIp: string | undefined; readonly now: Instant },
): Caller | undefined {
  if (!isWithinNetworks(sourceIp, contract.networks)) return undefined
  const admitted = withinContract({ ...caller, contract }, policy, now)
  return admitted.roles.size > 0 ? admitted : undefined
}
