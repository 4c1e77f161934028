import type { ConstDirectiveNode, GraphQLSchema } from 'graphql'
import type { Grant, PhiPolicy } from './policy.ts'
import type { PhiSite } from './classify.ts'
import { has, readDirective, type Definition } from './read-directives.ts'

/** A grant and the line of SDL that it comes from. */
export interface WrittenGrant {
  readonly node: ConstDirectiveNode
  readonly grant: Grant
}

/**
 * The grants in force at a PHI path: the field's own lines, else the lines of the nearest enclosing type with grants.
 * One line on a field replaces all defaults. Nothing is merged, so that the lines on a field are complete.
 */
export function effectiveGrants(schema: GraphQLSchema, site: PhiSite): readonly WrittenGrant[] {
  if (has(site.field, 'minimumNecessary')) return grantsOn(schema, site.field, site.coordinate)
  const owner = site.owners.find((type) => has(type, 'minimumNecessary'))
  return owner ? grantsOn(schema, owner, owner.name) : []
}

/** The grants of one definition, in text order. Faulty lines are left out, because lint reports them. */
function grantsOn(schema: GraphQLSchema, definition: Definition, place: string): readonly WrittenGrant[] {
  return readDirective(schema, definition, 'minimumNecessary').flatMap(({ node, ordinal, value }) => {
    if (!value) return []
    const { roles, purposes, relationship, actions, view, breakGlass } = value
    const grant: Grant = {
      roles: new Set(roles),
      purposes: new Set(purposes),
      relationship,
      actions: new Set(actions),
      view,
      breakGlass,
      rule: `${place}#${ordinal}`,
    }
    return [{ node, grant }]
  })
}

/** The policy of one PHI path, or undefined if its `@phi` is faulty. */
export function phiPolicy(schema: GraphQLSchema, site: PhiSite): PhiPolicy | undefined {
  const phi = readDirective(schema, site.field, 'phi')[0]?.value
  if (!phi) return undefined
  return {
    path: site.path,
    coordinate: site.coordinate,
    class: site.class,
    category: phi.category,
    ...(phi.identifier && { identifier: phi.identifier }),
    sensitivity: new Set(phi.sensitivity),
    grants: effectiveGrants(schema, site).map(({ grant }) => grant),
  }
}
