import type { Grant, PhiPolicy, PolicyTable, Role } from '../../../directives/policy.ts'
import { timeOf } from './report-span.ts'
import { numberIn, requiredText, requiredTime, type Row, textIn } from './row-values.ts'

/** The uses of a grant by a role. The type `GrantUse` of the schema. */
export interface RoleUse {
  readonly role: Role
  readonly used: boolean
  readonly disclosed: number
  readonly masked: number
  /** Values that were created or updated. */
  readonly written: number
  readonly withoutValue: number
  readonly searches: number
  /** Retracted records. */
  readonly retractions: number
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

/** The searches by one path, or the retractions of records with one path. */
export interface PathUses {
  readonly path: string
  readonly action: string
  readonly role: string
  readonly purpose: string
  readonly records: number
  /** Milliseconds since the epoch. */
  readonly latest: number
}

/**
 * The uses of each grant of a policy, by rule.
 *
 * @param reviewed only these roles are in the result, and only grants that name one
 * @param rows of `grantUses`
 */
export function usesByRule(
  { phi }: Pick<PolicyTable, 'phi'>,
  reviewed: readonly Role[],
  rows: readonly Row[],
  listed: readonly PathUses[],
): ReadonlyMap<string, RuleUses> {
  const [ofPath, ofRole] = [new Map<string, number>(), new Map<string, Row>()]
  for (const row of rows) {
    const [path, rule, role] = [textIn(row, 'path'), requiredText(row, 'rule'), requiredText(row, 'role')]
    if (path === undefined) ofRole.set(keyOf(rule, role), row)
    else ofPath.set(keyOf(rule, path), (ofPath.get(keyOf(rule, path)) ?? 0) + numberIn(row, 'records'))
  }
  const usesOf = Map.groupBy(listed, ({ path, role }) => keyOf(path, role))
  const uses = new Map<string, RuleUses>()
  for (const [rule, applied] of appliedGrants(phi.values())) {
    const grant = applied[0]?.grant
    if (grant === undefined) continue
    const roles = [...grant.roles].filter((role) => reviewed.includes(role))
    if (roles.length === 0) continue
    const paths = applied.map(({ path }) => ({ path, records: ofPath.get(keyOf(rule, path)) ?? 0 }))
    const used = roles.map((role) => {
      const own = applied.flatMap(({ path }) => usesOf.get(keyOf(path, role)) ?? [])
      return roleUse(
        role,
        ofRole.get(keyOf(rule, role)),
        own.filter((use) => canPermit(grant, use)),
      )
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

/** A search needs a grant of SEARCH, or of READ with the view FULL. A retraction needs one of DELETE for each path. */
function canPermit({ actions, purposes, view }: Grant, { action, purpose }: PathUses): boolean {
  if (![...purposes].some((one) => one === purpose)) return false
  return action === 'DELETE' ? actions.has('DELETE') : actions.has('SEARCH') || (actions.has('READ') && view === 'FULL')
}

/** A retraction lists each path of its record, so that the path with most of them counts, once for each type. */
function retractionsIn(uses: readonly PathUses[]): number {
  const ofPath = new Map<string, number>()
  for (const { path, records } of uses) ofPath.set(path, (ofPath.get(path) ?? 0) + records)
  const ofType = Map.groupBy(ofPath, ([path]) => path.split('.')[0])
  return [...ofType.values()].reduce((sum, paths) => sum + Math.max(...paths.map(([, records]) => records)), 0)
}

function roleUse(role: Role, row: Row | undefined, listed: readonly PathUses[]): RoleUse {
  const searches = listed.reduce((sum, { action, records }) => (action === 'SEARCH' ? sum + records : sum), 0)
  const times = [...listed.map(({ latest }) => latest), ...(row === undefined ? [] : [requiredTime(row, 'latest')])]
  const count = (name: string): number => (row === undefined ? 0 : numberIn(row, name))
  const [disclosed, masked, written] = [count('disclosed'), count('masked'), count('written')]
  return {
    role,
    used: times.length > 0,
    disclosed,
    masked,
    written,
    withoutValue: count('records') - disclosed - masked - written,
    searches,
    retractions: retractionsIn(listed.filter(({ action }) => action === 'DELETE')),
    breakGlass: count('glass'),
    users: count('users'),
    ...(times.length > 0 && { lastUsedAt: timeOf(Math.max(...times)) }),
  }
}

const keyOf = (one: string, other: string): string => `${one} ${other}`
