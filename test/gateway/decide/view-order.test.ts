import { describe, expect, it } from 'vitest'
import type { Coordinate, SchemaPath } from '../../../directives/coordinates.ts'
import type { Grant, PhiPolicy, Relationship, Role, View } from '../../../directives/policy.ts'
import { decide } from '../../../gateway/decide/decide.ts'
import type { Caller, Facts } from '../../../gateway/model/decision.ts'
import type { Instant, TenantId, UserId } from '../../../gateway/model/ids.ts'

/**
 * The promised order, from the most to the least revealing. It is written out here, so that the code's table does not test itself.
 */
const ORDER: readonly (readonly View[])[] = [['FULL'], ['LAST4', 'YEAR', 'ZIP3'], ['PSEUDONYM'], ['PRESENCE']]

const NOW = Date.UTC(2026, 0, 31, 12) as Instant
const CALLER: Caller = {
  tenant: 'riverside' as TenantId,
  user: 'user-1' as UserId,
  roles: new Set(['NURSE' as Role]),
  purpose: 'TREAT',
  mayClaim: ['TREAT'],
  seesExistence: false,
}
const FACTS: Facts = { consent: { rules: new Map(), given: [] }, relationships: new Set(['CARE_TEAM' as Relationship]) }

const grant = (view: View, index: number): Grant => ({
  roles: CALLER.roles,
  purposes: new Set(['TREAT']),
  relationship: 'CARE_TEAM' as Relationship,
  actions: new Set(['READ']),
  view,
  breakGlass: false,
  rule: `Patient.ssn#${index + 1}`,
})

/** The view that a caller gets if grants with these views apply. */
function chosen(...views: readonly View[]): View | undefined {
  const policy: PhiPolicy = {
    path: 'Patient.ssn' as SchemaPath,
    coordinate: 'Patient.ssn' as Coordinate,
    class: 'VALUE',
    category: 'IDENTITY',
    sensitivity: new Set(),
    grants: views.map(grant),
  }
  const decision = decide(policy, CALLER, FACTS, NOW)
  return 'view' in decision ? decision.view : undefined
}

describe('P3: of two grants that apply, the more revealing view wins', () => {
  const pairs = ORDER.flatMap((level, index) =>
    level.flatMap((more) =>
      ORDER.slice(index + 1)
        .flat()
        .map((less) => [more, less] as const),
    ),
  )
  it.each(pairs)('%s before %s, in either order of the grants', (more, less) => {
    expect(chosen(more, less)).toBe(more)
    expect(chosen(less, more)).toBe(more)
  })

  const ties = ORDER.flatMap((level) => level.flatMap((one) => level.filter((other) => other !== one).map((other) => [one, other])))
  it.each(ties as [View, View][])('%s and %s have equal rank: the first grant wins', (one, other) => {
    expect(chosen(one, other)).toBe(one)
  })
})
