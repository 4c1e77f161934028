import { describe, expect, it } from 'vitest'
import type { PhiPolicy, View } from '../../../directives/policy.ts'
import { decideInState } from '../../../gateway/disclosure/stricter-decision.ts'
import type { Consent } from '../../../gateway/model/consent.ts'
import type { Facts } from '../../../gateway/model/decision.ts'
import type { RecordId } from '../../../gateway/model/ids.ts'
import { NOW } from '../decide/clinic-policy.ts'
import { names, PHYSICIAN, policy } from './request-fixtures.ts'

/** A field that a care team reads in one view and an organization in another. */
function field(team: View, organization: View): PhiPolicy {
  const [some] = [...policy.phi.values()].filter(({ class: kind, grants }) => kind === 'VALUE' && grants.length > 0)
  const [grant] = some?.grants ?? []
  if (some === undefined || grant === undefined) throw new Error('the fixture has no field')
  const of = (relationship: string, view: View) => ({
    ...grant,
    relationship: relationship as typeof grant.relationship,
    view,
    roles: PHYSICIAN.roles,
  })
  return { ...some, sensitivity: new Set(), grants: [of('CARE_TEAM', team), of('ORGANIZATION', organization)] }
}
const facts = (relationships: readonly string[], given: readonly Consent[] | undefined = []): Facts => ({
  relationships: names(...relationships),
  consent: { rules: policy.consent, given, record: { id: 'r' as RecordId, labels: new Set() } },
})
const [TEAM, ORGANIZATION, NOBODY] = [facts(['CARE_TEAM']), facts(['ORGANIZATION']), facts([])]
const UNKNOWN: Facts = { ...NOBODY, unknown: names('CARE_TEAM') }

describe('P9: of two decisions about an earlier version, the stricter one counts', () => {
  it.each([
    ['a masked view of a full one', TEAM, ORGANIZATION, 'MASKED LAST4'],
    ['in either order', ORGANIZATION, TEAM, 'MASKED LAST4'],
    ['a denial of a permit', TEAM, NOBODY, 'DENIED'],
    ['a denial of an unknown one', UNKNOWN, NOBODY, 'DENIED'],
    ['an unknown one of a permit', TEAM, UNKNOWN, 'INDETERMINATE'],
    ['a permit only if both permit', TEAM, TEAM, 'GRANTED FULL'],
  ])('%s', (_, one, other, expected) => {
    const decision = decideInState(field('FULL', 'LAST4'), PHYSICIAN, { facts: one, also: other }, NOW)
    expect([decision.outcome, ...('view' in decision ? [decision.view] : [])].join(' ')).toBe(expected)
  })
})
