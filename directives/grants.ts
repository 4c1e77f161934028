import type { ConstDirectiveNode, GraphQLSchema } from 'graphql'
import { permitsChange } from './actions.ts'
import type { PhiSite } from './classify.ts'
import type { Grant, PhiPolicy } from './policy.ts'
import { has, readDirective, type Definition } from './read-directives.ts'

/** A grant and the line of SDL that it comes from. */
export interface WrittenGrant {
  readonly node: ConstDirectiveNode
  readonly grant: Grant
}

/**
 * The grants in force at a PHI path: first the grants to read, then the grants to change. Each kind comes from one definition: the field
 * if it has a line of that kind, else the nearest enclosing type that has one. Within a kind nothing is merged, so that the lines on a
 * field are complete.
 */
export function effectiveGrants(schema: GraphQLSchema, site: PhiSite): readonly WrittenGrant[] {
  const known = EFFECTIVE.get(site)
  if (known !== undefined) return known
  const found = findGrants(schema, site)
  EFFECTIVE.set(site, found)
  return found
}

/** Each step of a compilation reads the grants of each site. */
const EFFECTIVE = new WeakMap<PhiSite, readonly WrittenGrant[]>()

function findGrants(schema: GraphQLSchema, site: PhiSite): readonly WrittenGrant[] {
  const places = [
    ownGrants(schema, site),
    ...site.owners.filter((type) => has(type, 'minimumNecessary')).map((type) => grantsOn(schema, type, type.name)),
  ]
  // only stored values can change, so that the defaults of a type skip its edges and its computed values
  const changeable = isStored(site) ? places : places.slice(0, 1)
  const isRead = (written: WrittenGrant): boolean => !isChangeGrant(written)
  return [...nearest(places, isRead), ...nearest(changeable, isChangeGrant)]
}

/** The grants on the field itself. */
export function ownGrants(schema: GraphQLSchema, { field, coordinate }: PhiSite): readonly WrittenGrant[] {
  return has(field, 'minimumNecessary') ? grantsOn(schema, field, coordinate) : []
}

/** Whether the record stores the value. It stores neither edges nor computed values. */
export function isStored(site: PhiSite): boolean {
  return site.class === 'VALUE' && !has(site.field, 'computed')
}

export function isChangeGrant({ grant }: WrittenGrant): boolean {
  return permitsChange(grant)
}

function nearest(
  places: readonly (readonly WrittenGrant[])[],
  isOfKind: (written: WrittenGrant) => boolean,
): readonly WrittenGrant[] {
  return places.find((grants) => grants.some(isOfKind))?.filter(isOfKind) ?? []
}

/** A definition never changes. Each field of a type reads the grants of the type. */
const GRANTS = new WeakMap<Definition, readonly WrittenGrant[]>()

/** The grants of one definition, in text order. Faulty lines are left out, because lint reports them. */
export function grantsOn(schema: GraphQLSchema, definition: Definition, place: string): readonly WrittenGrant[] {
  const known = GRANTS.get(definition)
  if (known !== undefined) return known
  const found = readDirective(schema, definition, 'minimumNecessary').flatMap(({ node, ordinal, value }) => {
    if (!value) return []
    const { roles, purposes, relationship, actions, view, breakGlass } = value
    const grant: Grant = {
      roles: new Set(roles),
      purposes: new Set(purposes),
      relationship,
      actions: new Set(actions),
      view,
      // break-glass is for reading in an emergency; it never opens a change
      breakGlass: breakGlass && !permitsChange({ actions }),
      rule: `${place}#${ordinal}`,
    }
    return [{ node, grant }]
  })
  GRANTS.set(definition, found)
  return found
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
