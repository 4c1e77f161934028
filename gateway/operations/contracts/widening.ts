import { refuseBeforeRecord } from '../../decide/decide.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { Action, PolicyTable, Relationship, Role, View } from '../../../directives/policy.ts'
import { VIEWS } from '../../../directives/view-rules.ts'
import type { Footprint } from '../footprint.ts'
import type { Admitted } from './reach.ts'

/** A way in which an operation can give more than before. */
export type Widening =
  /** A role gets a path that it did not get, or gets it in another view that does not show less. */
  | {
      readonly kind: 'VIEW'
      readonly path: SchemaPath
      readonly role: Role
      readonly purpose: string
      readonly relationship: Relationship
      readonly action: Action
      readonly before: View | 'none'
      readonly after: View
    }
  /** A sensitivity no longer protects the path. */
  | { readonly kind: 'SENSITIVITY'; readonly path: SchemaPath; readonly label: string }
  /** The field was PHI and is given to every caller now. */
  | { readonly kind: 'NOT_PHI'; readonly path: SchemaPath }
  /** An argument no longer needs the right to the path that it read. */
  | { readonly kind: 'READ'; readonly path: SchemaPath }
  /** The same text selects a path that it did not select. */
  | { readonly kind: 'SELECTED'; readonly path: SchemaPath }

/** The grants that widen between two policies, for some roles and purposes. Computed once for all operations of a contract. */
export class PolicyWidening {
  readonly #before: PolicyTable
  readonly #after: PolicyTable
  readonly #byPath: ReadonlyMap<SchemaPath, readonly Widening[]>

  constructor(before: PolicyTable, after: PolicyTable, admitted: Admitted) {
    this.#before = before
    this.#after = after
    const paths = [...after.phi.keys()]
    const widened = paths.map((path) => [path, this.#widened(path, admitted)] as const)
    this.#byPath = new Map(widened.filter(([, found]) => found.length > 0))
  }

  /** The ways in which one operation can give more, from its footprints. In the order of the schema. */
  of(before: Footprint, after: Footprint): readonly Widening[] {
    const widenings: Widening[] = []
    for (const [path, found] of this.#byPath) {
      if (after.paths.has(path)) widenings.push(...found.filter((one) => one.kind !== 'VIEW' || one.action === 'READ'))
      // READ in FULL permits a search as SEARCH does, and any grant of SEARCH is one in FULL
      if (after.reads.has(path)) widenings.push(...found.filter((one) => one.kind === 'VIEW' && one.after === 'FULL'))
    }
    for (const path of after.paths) {
      if (!before.paths.has(path) && this.#before.phi.has(path)) widenings.push({ kind: 'SELECTED', path })
    }
    for (const path of before.paths) {
      const coordinate = this.#before.phi.get(path)?.coordinate
      const isOpen = coordinate !== undefined && this.#after.classes.get(coordinate) === 'NOT_PHI'
      if (isOpen && after.coordinates.has(coordinate)) widenings.push({ kind: 'NOT_PHI', path })
    }
    for (const path of before.reads) if (!after.reads.has(path)) widenings.push({ kind: 'READ', path })
    return [...new Map(widenings.map((one) => [JSON.stringify(one), one])).values()]
  }

  #widened(path: SchemaPath, admitted: Admitted): readonly Widening[] {
    const old = this.#before.phi.get(path)
    const known = grantedViews(this.#before, path, admitted)
    // a field that was given to everyone, and is PHI now, does not widen
    const wasOpen = this.#before.classes.get(this.#after.phi.get(path)?.coordinate ?? ('' as never)) === 'NOT_PHI'
    const views = wasOpen ? [] : [...grantedViews(this.#after, path, admitted).values()]
    const widened = views.flatMap((granted): readonly Widening[] => {
      const { view: before = 'none' } = known.get(keyOf(granted)) ?? {}
      const { view: after, ...how } = granted
      const isWider = before === 'none' || (before !== after && VIEWS[after].rank >= VIEWS[before].rank)
      return isWider ? [{ kind: 'VIEW', path, ...how, before, after }] : []
    })
    const labels = [...(old?.sensitivity ?? [])].filter((label) => this.#after.phi.get(path)?.sensitivity.has(label) !== true)
    return [...widened, ...labels.map((label): Widening => ({ kind: 'SENSITIVITY', path, label }))]
  }
}

interface Granted {
  readonly role: Role
  readonly purpose: string
  readonly relationship: Relationship
  readonly action: Action
  readonly view: View
}

const keyOf = ({ role, purpose, relationship, action }: Granted): string => [role, purpose, relationship, action].join(' ')

/** The most revealing view of a path for each role, purpose, relationship and action. */
function grantedViews(policy: PolicyTable, path: SchemaPath, { roles, purposes }: Admitted): ReadonlyMap<string, Granted> {
  const phi = policy.phi.get(path)
  const views = new Map<string, Granted>()
  if (phi === undefined) return views
  const claimable = new Set([...roles].flatMap((role) => policy.roles.get(role)?.mayClaim ?? []))
  for (const grant of phi.grants) {
    for (const role of grant.roles) {
      if (!roles.has(role)) continue
      for (const purpose of purposes) {
        if (!claimable.has(purpose)) continue
        for (const action of ['READ', 'SEARCH'] as const) {
          if (refuseBeforeRecord({ ...phi, grants: [grant] }, { roles: new Set([role]), purpose }, action) !== undefined) continue
          const granted = { role, purpose, relationship: grant.relationship, action, view: grant.view }
          const known = views.get(keyOf(granted))
          if (known === undefined || VIEWS[known.view].rank < VIEWS[grant.view].rank) views.set(keyOf(granted), granted)
        }
      }
    }
  }
  return views
}
