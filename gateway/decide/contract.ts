import type { Caller, Denial } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { PhiPolicy, PolicyTable, Role } from '../../directives/policy.ts'

// A contract narrows what a client may receive. Nothing here grants anything: a value also needs a grant of the policy.

type Narrowed = Pick<Caller, 'roles' | 'purpose' | 'contract'>

/** No emergency extends a contract. */
const BEYOND: Denial = { outcome: 'DENIED', reason: 'CONTRACT', breakGlass: false }

/** The roles of the caller that its contract admits. Without a contract, all of them. */
export function actingRoles({ roles, contract }: Pick<Caller, 'roles' | 'contract'>): ReadonlySet<Role> {
  return contract === undefined ? roles : new Set([...roles].filter((role) => contract.roles.has(role)))
}

/**
 * The denial of a request that its contract does not admit at all: by its purpose, by its roles, or because the contract has expired.
 * Undefined if the caller has no contract.
 *
 * @param now left out where no clock is at hand; the decision about each record checks the expiry
 */
export function refuseOutsideContract(caller: Narrowed, now?: Instant): Denial | undefined {
  const { contract, purpose } = caller
  if (contract === undefined) return undefined
  const isCurrent = now === undefined || now < contract.expiresAt
  return isCurrent && contract.purposes.has(purpose) && actingRoles(caller).size > 0 ? undefined : BEYOND
}

/**
 * The denial of a field that the contract of the caller does not admit: by its path, its category or its sensitivities, or because it
 * does not admit the request. It follows from contract and schema alone, so it reveals nothing about a patient. Pure and total.
 */
export function refuseByContract(
  { path, category, sensitivity }: Pick<PhiPolicy, 'path' | 'category' | 'sensitivity'>,
  caller: Narrowed,
  now?: Instant,
): Denial | undefined {
  const { contract } = caller
  if (contract === undefined) return undefined
  const isLabelAdmitted = [...sensitivity].every((label) => contract.sensitivities.has(label))
  return contract.paths.has(path) && contract.categories.has(category) && isLabelAdmitted
    ? refuseOutsideContract(caller, now)
    : BEYOND
}

type Table = Pick<PolicyTable, 'roles' | 'phi' | 'records'>

/**
 * The caller with the roles, purposes and knowledge of patients that its contract leaves. A contract of another client, or one that does
 * not admit the request, leaves no role. A purpose needs a role of the contract that may claim it. A caller without a contract is unchanged.
 */
export function withinContract(caller: Caller, table: Table, now: Instant): Caller {
  const { contract } = caller
  if (contract === undefined) return caller
  const left = actingRoles(caller)
  const mayClaim = caller.mayClaim.filter(
    (purpose) =>
      contract.purposes.has(purpose) && [...left].some((role) => table.roles.get(role)?.mayClaim.includes(purpose) === true),
  )
  const isAdmitted = contract.client === caller.client && now < contract.expiresAt && mayClaim.includes(caller.purpose)
  const acting = isAdmitted ? left : new Set<Role>()
  const seesExistence =
    caller.seesExistence &&
    [...acting].some((role) => table.roles.get(role)?.seesExistence === true) &&
    reachesPatients(caller, table, now)
  return { ...caller, roles: acting, mayClaim, seesExistence }
}

/** Whether the contract admits a field of a patient's own record. Otherwise the contract leaves no knowledge of patients. */
function reachesPatients(caller: Narrowed, { phi, records }: Table, now: Instant): boolean {
  const own = [...records.values()].filter(({ patient }) => patient === 'id').map(({ type }) => `${type}.`)
  return [...phi.values()].some(
    (field) => own.some((type) => field.path.startsWith(type)) && refuseByContract(field, caller, now) === undefined,
  )
}
