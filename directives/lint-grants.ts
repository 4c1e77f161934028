import type { GraphQLSchema } from 'graphql'
import type { Role, RolePolicy } from './policy.ts'
import type { PhiSite } from './classify.ts'
import type { FaultList } from './fault.ts'
import { effectiveGrants, isChangeGrant, type WrittenGrant } from './grants.ts'
import { lintChangeLine } from './lint-changes.ts'
import { markedPlaces, readDirective, type DirectiveArguments } from './read-directives.ts'
import { VIEWS } from './view-rules.ts'
import { viewServes } from './views.ts'

/** The relationships with a registered function. `'unchecked'` is for tools that read the SDL but make no decisions. */
export type KnownRelationships = ReadonlySet<string> | 'unchecked'

/** Checks every `@minimumNecessary` line where it is written. */
export function lintGrantLines(
  schema: GraphQLSchema,
  roles: ReadonlyMap<Role, RolePolicy>,
  relationships: KnownRelationships,
  faults: FaultList,
): void {
  for (const { path, definition } of markedPlaces(schema)) {
    const seen = new Set<string>()
    for (const { node, value } of readDirective(schema, definition, 'minimumNecessary')) {
      if (!value) continue
      for (const list of ['roles', 'purposes', 'actions'] as const) {
        if (value[list].length === 0)
          faults.add(
            node,
            path,
            `The grant has no ${list}, so it grants nothing.`,
            `at least one entry in ${list}, or no such grant.`,
          )
      }
      if (relationships !== 'unchecked' && !relationships.has(value.relationship)) {
        faults.add(
          node,
          path,
          `The relationship ${value.relationship} has no registered function.`,
          'a registered relationship, or a function for this one.',
        )
      }
      if (value.roles.length > 0 && value.purposes.length > 0 && !claimable(value, roles)) {
        faults.add(node, path, 'No role of the grant may claim any of its purposes.', 'a purpose in mayClaim of one of the roles.')
      }
      lintChangeLine(node, path, value, faults)
      const text = canonical(value)
      if (seen.has(text)) faults.add(node, path, 'The grant repeats another grant of the same definition.', 'the grant once.')
      seen.add(text)
    }
  }
}

/** Checks that a path has a grant, that each view fits the type of the path, and that no two views have equal rank. */
export function lintSite(schema: GraphQLSchema, site: PhiSite, faults: FaultList): void {
  const grants = effectiveGrants(schema, site)
  if (grants.length === 0 && readDirective(schema, site.field, 'minimumNecessary').length === 0) {
    const what = site.class === 'EDGE' ? 'A connection edge' : 'A @phi field'
    faults.add(
      site.field.astNode,
      site.path,
      `${what} has no grant.`,
      '@minimumNecessary(roles: [...]) on the field, or defaults on its type.',
    )
  }
  const reads = grants.filter((written) => !isChangeGrant(written))
  for (const { node, grant } of reads) {
    if (site.class === 'EDGE' ? grant.view === 'FULL' : viewServes(grant.view, site.field.type)) continue
    const type = site.class === 'EDGE' ? 'an edge' : String(site.field.type)
    faults.add(node, site.path, `The view ${grant.view} cannot be made of ${type}.`, 'a view for the type, or FULL.')
  }
  const tie = firstTie(reads)
  if (tie)
    faults.add(
      tie.node,
      site.path,
      `The view ${tie.grant.view} ties in rank with another view of the field.`,
      'views of different rank.',
    )
}

function firstTie(grants: readonly WrittenGrant[]): WrittenGrant | undefined {
  return grants.find(({ grant: { view } }, index) =>
    grants.slice(0, index).some(({ grant }) => grant.view !== view && VIEWS[grant.view].rank === VIEWS[view].rank),
  )
}

function claimable(value: DirectiveArguments['minimumNecessary'], roles: ReadonlyMap<Role, RolePolicy>): boolean {
  return value.roles.some((role) => {
    const known = roles.get(role)
    // a role without a valid @role is a separate fault
    return !known || value.purposes.some((purpose) => known.mayClaim.includes(purpose))
  })
}

/** Equal for two grants with the same arguments, whatever the order of their lists. */
function canonical(value: DirectiveArguments['minimumNecessary']): string {
  const { roles, purposes, relationship, actions, view, breakGlass } = value
  return JSON.stringify([
    [...new Set(roles)].toSorted(),
    [...new Set(purposes)].toSorted(),
    relationship,
    [...new Set(actions)].toSorted(),
    view,
    breakGlass,
  ])
}
