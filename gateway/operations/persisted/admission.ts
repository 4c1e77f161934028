import type { PolicyTable } from '../../../directives/policy.ts'
import type { Contract } from '../../model/contract.ts'
import type { Caller } from '../../model/decision.ts'
import { isWithinNetworks } from './source-networks.ts'

/**
 * Whether the token of the caller has a role of the kind PARTNER. Such a caller acts under a contract, whatever other roles it has, and
 * also if its scopes exclude the role.
 */
export function isPartner(caller: Pick<Caller, 'roles' | 'isPartner'>, policy: Pick<PolicyTable, 'roles'>): boolean {
  return caller.isPartner === true || [...caller.roles].some((role) => policy.roles.get(role)?.kind === 'PARTNER')
}

/**
 * Admits a caller under the contract of its client. The caller keeps the roles that the contract has. Undefined if the contract has
 * expired or does not have the source network, the purpose, or a role of the caller that may claim the purpose.
 *
 * @param now milliseconds since the epoch
 */
export function admit(
  caller: Caller,
  contract: Contract,
  policy: Pick<PolicyTable, 'roles'>,
  { sourceIp, now }: { readonly sourceIp: string | undefined; readonly now: number },
): Caller | undefined {
  if (contract.expiresAt <= now || !contract.purposes.has(caller.purpose)) return undefined
  if (!isWithinNetworks(sourceIp, contract.networks)) return undefined
  const roles = [...caller.roles].filter((role) => contract.roles.has(role)).flatMap((role) => policy.roles.get(role) ?? [])
  const claimable = new Set(roles.flatMap(({ mayClaim }) => mayClaim))
  if (!claimable.has(caller.purpose)) return undefined
  return {
    ...caller,
    roles: new Set(roles.map(({ role }) => role)),
    mayClaim: caller.mayClaim.filter((purpose) => claimable.has(purpose) && contract.purposes.has(purpose)),
    seesExistence: roles.some(({ seesExistence }) => seesExistence),
    contract,
  }
}
