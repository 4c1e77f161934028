import { permitsChange } from '../../../directives/actions.ts'
import type { Grant, PhiPolicy, PolicyTable, Role } from '../../../directives/policy.ts'
import { timeOf } from './report-span.ts'
import { numberIn, requiredText, requiredTime, type Row, textIn } from './row-values.ts'

/** The uses of a grant by a role. The type `GrantUse` of the schema. */
export interface RoleUse {
  readonly role: Role
  readonly used: boolean
  readonly disclosed: number
  readonly masked: number
  readonly withoutValue: number
  readonly searches: number
  readonly breakGlass: number
  readonly users: number
  readonly lastUsedAt?: string
}

/** A grant, the paths that it applies to, and what each of its roles did. */
export interface RuleUses {
  readonly grant: Grant
  readonly paths: readonly { readonly path: string; readonly records: number }[]
  readonly roles: readonly RoleUse[]
}

/** The searches by one path. */
export interface PathSearches {
  readonly path: string
  readonly role: string
  readonly purpose: string
  readonly records: number
  /** Milliseconds since the epoch. */
  readonly latest: number
}

/**
 * The uses of each grant to read of a policy, by rule. The rows count reads, so that they say nothing about grants to change.
 *
 * @param reviewed only these roles are in the result, and only grants that name one
 * @param rows of `grantUses`
 */
export function usesByRule(
  { phi }: Pick<PolicyTable, 'phi'>,
  reviewed: readonly Role[],
  rows: readonly Row[],
  searches: readonly PathSearches[],
): ReadonlyMap<string, RuleUses> {
  const [ofPath, ofRole] = [new Map<string, number>(), new Map<string, Row>()]
  for (const row of rows) {
    const [path, rule, role] = [textIn(row, 'path'), requiredText(row, 'rule'), requiredText(row, 'role')]
    if (path === undefined) ofRole.set(keyOf(rule, role), row)
    else ofPath.set(keyOf(rule, path), (ofPath.get(keyOf(rule, path)) ?? 0) + numberIn(row, 'records'))
  }
  const searchesOf = Map.groupBy(searches, ({ path, role }) => keyOf(path, role))
  const uses = new Map<string, RuleUses>()
  for (const [rule, applied] of appliedGrants(phi.values())) {
    const grant = applied[0]?.grant
    if (grant === undefined || permitsChange(grant)) continue
    const roles = [...grant.roles].filter((role) => reviewed.includes(role))
    if (roles.length === 0) continue
    const paths = applied.map(({ path }) => ({ path, records: ofPath.get(keyOf(rule, path)) ?? 0 }))
    const used = roles.map((role) => {
      const own = canSearch(grant) ? applied.flatMap(({ path }) => searchesOf.get(keyOf(path, role)) ?? []) : []
      const permitted = own.filter(({ purpose }) => [...grant.purposes].some((one) => one === purpose))
      return roleUse(role, ofRole.get(keyOf(rule, role)), permitted)
    })
    uses.set(rule, { grant, paths, roles: used })
  }
  return uses
}

/** Each grant with the paths that it applies to, by rule. A default of a type applies to several. */
function appliedGrants(policies: Iterable<PhiPolicy>): ReadonlyMap<string, readonly { path: string; grant: Grant }[]> {
  const all = [...policies].flatMap(({ path, grants }) => grants.map((grant) => ({ path, grant })))
  return Map.groupBy(all, ({ grant }) => grant.rule)
}

/** A search needs a grant of SEARCH, or of READ with the view FULL. */
const canSearch = ({ actions, view }: Grant): boolean => actions.has('SEARCH') || (actions.has('READ') && view === 'FULL')

function roleUse(role: Role, row: Row | undefined, searched: readonly PathSearches[]): RoleUse {
  const searches = searched.reduce((sum, { records }) => sum + records, 0)
  const times = [...searched.map(({ latest }) => latest), ...(row === undefined ? [] : [requiredTime(row, 'latest')])]
  const count = (name: string): number => (row === undefined ? 0 : numberIn(row, name))
  const [disclosed, masked] = [count('disclosed'), count('masked')]
  return {
    role,
    used: times.length > 0,
    disclosed,
    masked,
    withoutValue: count('records') - disclosed - masked,
    searches,
    breakGlass: count('glass'),
    users: count('users'),
    ...(times.length > 0 && { lastUsedAt: timeOf(Math.max(...times)) }),
  }
}

const keyOf = (one: string, other: string): string => `${one} ${other}`
