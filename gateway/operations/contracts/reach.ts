import { refuseBeforeRecord } from '../../decide/decide.ts'
import { searchRefused } from '../../decide/search-right.ts'
import { viewInputs } from '../../decide/view-inputs.ts'
import type { Contract } from '../../model/contract.ts'
import type { Instant } from '../../model/ids.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Action, PhiPolicy, PolicyTable, PurposeOfUse, Role } from '../../../directives/policy.ts'
import type { Footprint } from '../footprint.ts'

/** The subjects that a contract admits: its roles, under each of its purposes that one of the roles may claim. */
export type Admitted = Pick<Contract, 'roles' | 'purposes'>

/** All roles and purposes of a policy: the subjects of a client without a contract. */
export const anyone = ({ roles }: PolicyTable): Admitted => ({
  roles: new Set(roles.keys()),
  purposes: new Set([...roles.values()].flatMap(({ mayClaim }) => mayClaim)),
})

/** The PHI paths of an operation under a contract. */
export interface Reach {
  /** The selected paths. */
  readonly paths: ReadonlySet<SchemaPath>
  /** The paths that arguments read. */
  readonly reads: ReadonlySet<SchemaPath>
  /** The paths that only computed values and views open: see `withInputs` of `gateway/disclosure/computed-fields.ts`. */
  readonly inputs: ReadonlySet<SchemaPath>
}

/** A path that an operation needs beyond a contract. A path can exceed for several reasons. */
export interface PathExcess {
  readonly path: SchemaPath
  /**
   * - NOT_IN_CONTRACT: the contract does not name the path.
   * - CATEGORY, SENSITIVITY: the contract lacks the category or a sensitivity of the path: `lacks`.
   * - NO_GRANT: no grant of the policy gives the path to the roles and purposes of the contract.
   * - UNKNOWN: the policy does not know the path.
   */
  readonly reason: 'NOT_IN_CONTRACT' | 'CATEGORY' | 'SENSITIVITY' | 'NO_GRANT' | 'UNKNOWN'
  readonly lacks?: string
}

/**
 * The paths that a footprint needs from a contract. The inputs of a view count only if the contract's roles and purposes could get
 * the value in that view.
 */
export function reachOf({ paths, reads }: Pick<Footprint, 'paths' | 'reads'>, policy: PolicyTable, admitted: Admitted): Reach {
  const inputs = new Set<SchemaPath>()
  const add = (path: SchemaPath) => paths.has(path) || reads.has(path) || inputs.add(path)
  for (const path of paths) {
    for (const input of policy.computed.get(path) ?? []) add(input)
    for (const input of inputsOfViews(path, policy, admitted)) add(input)
  }
  return { paths, reads, inputs }
}

/**
 * The paths by which a footprint exceeds a contract, with every reason. The grants of the policy are not considered: see
 * `ungranted`. Requests are checked by this, and proofs too, so that both refuse the same.
 */
export function excessOf(
  footprint: Pick<Footprint, 'paths' | 'reads'>,
  policy: PolicyTable,
  contract: Pick<Contract, 'roles' | 'purposes' | 'paths' | 'categories' | 'sensitivities'>,
): readonly PathExcess[] {
  const { paths, reads, inputs } = reachOf(footprint, policy, contract)
  const needed = new Set([...paths, ...reads, ...inputs])
  return [...needed].flatMap((path): readonly PathExcess[] => {
    const phi = policy.phi.get(path)
    if (phi === undefined) return [{ path, reason: 'UNKNOWN' }]
    const { category, sensitivity } = phi
    const lacking = [...sensitivity].filter((label) => !contract.sensitivities.has(label))
    return [
      ...(contract.paths.has(path) ? [] : [{ path, reason: 'NOT_IN_CONTRACT' } as const]),
      ...(contract.categories.has(category) ? [] : [{ path, reason: 'CATEGORY', lacks: category } as const]),
      ...lacking.map((lacks) => ({ path, reason: 'SENSITIVITY', lacks }) as const),
    ]
  })
}

/**
 * The paths of a footprint that no grant gives to the roles and purposes. A computed value needs FULL on each of its inputs, and an
 * argument needs FULL READ or SEARCH on the path that it reads (P11). The inputs of views need no check: `viewFault` refuses a
 * schema in which a role has a view without its inputs.
 */
export function ungranted(
  { paths, reads }: Pick<Footprint, 'paths' | 'reads'>,
  policy: PolicyTable,
  admitted: Admitted,
): readonly SchemaPath[] {
  const missing = new Set<SchemaPath>()
  const subjects = subjectsOf(policy, admitted)
  for (const path of paths) {
    if (!isGranted(policy.phi.get(path), subjects, 'READ')) missing.add(path)
    for (const input of policy.computed.get(path) ?? []) {
      const phi = policy.phi.get(input)
      const inFull = phi && { ...phi, grants: phi.grants.filter(({ view }) => view === 'FULL') }
      if (!isGranted(inFull, subjects, 'READ')) missing.add(input)
    }
  }
  for (const path of reads) {
    const phi = policy.phi.get(path)
    if (subjects.every((subject) => searchRefused(phi, subject, NEVER) !== undefined)) missing.add(path)
  }
  return [...missing]
}

/** Whether some grant gives a path to one of the subjects, whatever the relationship. */
function isGranted(phi: PhiPolicy | undefined, subjects: readonly Subject[], action: Action): boolean {
  return subjects.some((subject) => refuseBeforeRecord(phi, subject, action) === undefined)
}

/** The grants of a path by which the roles could read it, or search by it, under one of the purposes. */
export function usableGrants(
  path: SchemaPath,
  policy: PolicyTable,
  admitted: Admitted,
  action: 'READ' | 'SEARCH' = 'READ',
): PhiPolicy['grants'] {
  const phi = policy.phi.get(path)
  const subjects = subjectsOf(policy, admitted)
  return (phi?.grants ?? []).filter((grant) => phi && isGranted({ ...phi, grants: [grant] }, subjects, action))
}

function inputsOfViews(path: SchemaPath, policy: PolicyTable, admitted: Admitted): readonly SchemaPath[] {
  // nearly no path has a view with inputs, and requests come here
  const grants = (policy.phi.get(path)?.grants ?? []).filter(({ view }) => viewInputs(policy, path, view).size > 0)
  if (grants.length === 0) return []
  return usableGrants(path, policy, admitted).flatMap(({ view }) => [...viewInputs(policy, path, view).values()])
}

/** The time only decides whether break-glass is still open, and a grant that break-glass opens is usable at any time. */
const NEVER = 0 as Instant

function subjectsOf(policy: PolicyTable, { roles, purposes }: Admitted): readonly Subject[] {
  const claimable = new Set([...roles].flatMap((role) => policy.roles.get(role)?.mayClaim ?? []))
  return [...purposes].filter((purpose) => claimable.has(purpose)).map((purpose) => ({ roles, purpose }))
}

interface Subject {
  readonly roles: ReadonlySet<Role>
  readonly purpose: PurposeOfUse
}
