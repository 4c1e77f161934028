import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide, refuseBeforeRecord } from '../../../gateway/decide/decide.ts'
import type { Decision } from '../../../gateway/model/decision.ts'
import type { RelationshipScope } from '../../../gateway/model/record.ts'
import type { Coordinate, SchemaPath } from '../../../directives/coordinates.ts'
import type { Action, Grant, PhiPolicy, PurposeOfUse, Relationship, Role, View } from '../../../directives/policy.ts'
import { callerWith, clinic, factsOf, NOW, RELATIONSHIPS } from './clinic-policy.ts'

interface Line {
  readonly role: string
  readonly purposes: readonly PurposeOfUse[]
  readonly relationship: string
  readonly view?: View
  readonly breakGlass?: boolean
  readonly actions?: readonly Action[]
}

/** A field with these grants, numbered like those of a schema. */
function field(...lines: readonly Line[]): PhiPolicy {
  return {
    path: 'Patient.birthDate' as SchemaPath,
    coordinate: 'Patient.birthDate' as Coordinate,
    class: 'VALUE',
    category: 'DEMOGRAPHIC',
    sensitivity: new Set(),
    grants: lines.map(
      ({ role, purposes, relationship, view = 'FULL', breakGlass = true, actions = ['READ'] }, index): Grant => ({
        roles: new Set([role as Role]),
        purposes: new Set(purposes),
        relationship: relationship as Relationship,
        actions: new Set(actions),
        view,
        breakGlass,
        rule: `Patient.birthDate#${index + 1}`,
      }),
    ),
  }
}

const NURSE: Line = { role: 'NURSE', purposes: ['TREAT', 'ETREAT'], relationship: 'CARE_TEAM' }
const RESEARCHER: Line = { role: 'RESEARCHER', purposes: ['HRESCH'], relationship: 'ORGANIZATION', view: 'YEAR' }
const PATIENT: Line = { role: 'PATIENT', purposes: ['PATRQT'], relationship: 'SELF' }
const birthDate = field(NURSE, RESEARCHER, PATIENT)

describe('P3: role, purpose and relationship are all required', () => {
  it.each<[role: string, purpose: PurposeOfUse, held: string[], expected: object]>([
    ['NURSE', 'TREAT', ['CARE_TEAM'], { outcome: 'GRANTED', view: 'FULL', basis: 'CARE_TEAM', rule: 'Patient.birthDate#1' }],
    ['NURSE', 'ETREAT', ['CARE_TEAM'], { outcome: 'GRANTED', rule: 'Patient.birthDate#1' }],
    ['NURSE', 'TREAT', [], { outcome: 'DENIED', reason: 'RELATIONSHIP', rule: 'Patient.birthDate#1', breakGlass: true }],
    ['NURSE', 'TREAT', ['SELF', 'ORGANIZATION'], { outcome: 'DENIED', reason: 'RELATIONSHIP' }],
    ['NURSE', 'HRESCH', ['CARE_TEAM'], { outcome: 'DENIED', reason: 'PURPOSE', rule: 'Patient.birthDate#1' }],
    ['RESEARCHER', 'HRESCH', ['ORGANIZATION'], { outcome: 'MASKED', view: 'YEAR', basis: 'ORGANIZATION' }],
    ['RESEARCHER', 'TREAT', ['ORGANIZATION', 'CARE_TEAM'], { outcome: 'DENIED', reason: 'PURPOSE', breakGlass: false }],
    ['PATIENT', 'PATRQT', ['SELF'], { outcome: 'GRANTED', basis: 'SELF' }],
    ['PATIENT', 'PATRQT', ['ORGANIZATION'], { outcome: 'DENIED', reason: 'RELATIONSHIP', breakGlass: false }],
    ['ADMIN', 'HOPERAT', [...RELATIONSHIPS], { outcome: 'DENIED', reason: 'ROLE', breakGlass: false }],
    ['TOASTER', 'TREAT', ['CARE_TEAM'], { outcome: 'DENIED', reason: 'ROLE' }],
  ])('%s for %s as %j', (role, purpose, held, expected) => {
    expect(decide(birthDate, callerWith([role], purpose), factsOf(held), NOW)).toMatchObject(expected)
  })

  it('a field without a policy is denied to every caller', () => {
    expect(decide(undefined, callerWith(['NURSE'], 'TREAT'), factsOf(['CARE_TEAM']), NOW)).toEqual({
      outcome: 'DENIED',
      reason: 'UNKNOWN_FIELD',
      breakGlass: false,
    })
  })

  it('a field without grants is denied, and so is a caller without roles', () => {
    expect(decide(field(), callerWith(['NURSE'], 'TREAT'), factsOf(['CARE_TEAM']), NOW)).toMatchObject({ reason: 'ROLE' })
    expect(decide(birthDate, callerWith([], 'TREAT'), factsOf(['CARE_TEAM']), NOW)).toMatchObject({ reason: 'ROLE' })
  })
})

describe('the most revealing of several matching grants wins', () => {
  const masked = field({ ...NURSE, view: 'YEAR' }, NURSE, { ...NURSE, view: 'PRESENCE' })

  it('in any order', () => {
    for (const grants of [masked.grants, masked.grants.toReversed()]) {
      const decision = decide({ ...masked, grants }, callerWith(['NURSE'], 'TREAT'), factsOf(['CARE_TEAM']), NOW)
      expect(decision).toMatchObject({ outcome: 'GRANTED', view: 'FULL', rule: 'Patient.birthDate#2' })
    }
  })

  it('also across the roles of one caller', () => {
    const both = callerWith(['RESEARCHER', 'NURSE'], 'TREAT')
    expect(decide(birthDate, both, factsOf(['CARE_TEAM', 'ORGANIZATION']), NOW)).toMatchObject({ view: 'FULL' })
    expect(decide(birthDate, { ...both, purpose: 'HRESCH' }, factsOf(['CARE_TEAM', 'ORGANIZATION']), NOW)).toMatchObject({
      view: 'YEAR',
    })
  })
})

describe('a denial names the grant that came closest', () => {
  it('a missing relationship is closer than a purpose, a purpose closer than a role', () => {
    const caller = callerWith(['NURSE', 'RESEARCHER'], 'HRESCH')
    expect(decide(birthDate, caller, factsOf([]), NOW)).toMatchObject({ reason: 'RELATIONSHIP', rule: 'Patient.birthDate#2' })
    expect(decide(birthDate, callerWith(['RESEARCHER'], 'TREAT'), factsOf([]), NOW)).toMatchObject({
      reason: 'PURPOSE',
      rule: 'Patient.birthDate#2',
    })
  })
})

describe('break-glass replaces a purpose of treatment and a missing place on the care team, and nothing else', () => {
  const emergency = callerWith(['NURSE'], 'BTG')

  it('opens until its end, and names the grant that it extends', () => {
    expect(decide(birthDate, emergency, factsOf([], NOW + 1), NOW)).toEqual({
      outcome: 'GRANTED',
      view: 'FULL',
      basis: 'BREAK_GLASS',
      basisId: 'bg-1',
      rule: 'Patient.birthDate#1',
    })
    expect(decide(birthDate, emergency, factsOf([], NOW), NOW)).toMatchObject({ outcome: 'DENIED', breakGlass: true })
    expect(decide(birthDate, emergency, factsOf(['CARE_TEAM']), NOW)).toMatchObject({ outcome: 'DENIED', reason: 'PURPOSE' })
  })

  it('needs its own purpose: break-glass does not widen another request', () => {
    expect(decide(birthDate, callerWith(['NURSE'], 'TREAT'), factsOf([], NOW + 1), NOW)).toMatchObject({ outcome: 'DENIED' })
  })

  it.each<[string, Line]>([
    ['another role', { ...NURSE, role: 'PHYSICIAN' }],
    ['another relationship', { ...NURSE, relationship: 'SELF' }],
    ['a purpose other than treatment', { ...NURSE, purposes: ['HPAYMT'] }],
    ['a grant without break-glass', { ...NURSE, breakGlass: false }],
  ])('does not apply to %s', (_what, line) => {
    expect(decide(field(line), emergency, factsOf([], NOW + 1), NOW)).toMatchObject({ outcome: 'DENIED', breakGlass: false })
  })
})

describe('each action needs its own grant', () => {
  const searchable = field(NURSE, { role: 'BILLING', purposes: ['HPAYMT'], relationship: 'ORGANIZATION', actions: ['SEARCH'] })

  it('a grant to read does not allow a search, and the reverse', () => {
    const billing = callerWith(['BILLING'], 'HPAYMT')
    expect(decide(searchable, billing, factsOf(['ORGANIZATION']), NOW, 'SEARCH')).toMatchObject({ outcome: 'GRANTED' })
    expect(decide(searchable, billing, factsOf(['ORGANIZATION']), NOW)).toMatchObject({ outcome: 'DENIED', reason: 'ROLE' })
    expect(decide(searchable, callerWith(['NURSE'], 'TREAT'), factsOf(['CARE_TEAM']), NOW, 'UPDATE')).toMatchObject({
      outcome: 'DENIED',
    })
    expect(refuseBeforeRecord(searchable, billing)).toMatchObject({ outcome: 'DENIED' })
    expect(refuseBeforeRecord(searchable, billing, 'SEARCH')).toBeUndefined()
  })
})

describe('a denial before any record equals the denial of every record', () => {
  const policies = [undefined, ...clinic.policy.phi.values()]
  const roles = [...clinic.policy.roles.keys(), 'TOASTER' as Role]
  const purposes: PurposeOfUse[] = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH']
  const actions: Action[] = ['READ', 'SEARCH', 'CREATE', 'UPDATE', 'DELETE', 'EXPORT']
  const asked = fc.record({
    policy: fc.constantFrom(...policies),
    roles: fc.subarray<string>(roles),
    purpose: fc.constantFrom(...purposes),
    action: fc.constantFrom(...actions),
  })
  const everySet = subsets(RELATIONSHIPS)

  it('a denial before the record is the denial of every record, under any relationships and break-glass grants', () => {
    fc.assert(
      fc.property(asked, ({ policy, roles: held, purpose, action }) => {
        const caller = callerWith(held, purpose)
        const before = refuseBeforeRecord(policy, caller, action)
        if (before === undefined) return
        for (const set of everySet) {
          for (const until of [undefined, NOW + 1]) expect(decide(policy, caller, factsOf(set, until), NOW, action)).toEqual(before)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('a request that is not denied before the record is granted for some record', () => {
    fc.assert(
      fc.property(asked, ({ policy, roles: held, purpose, action }) => {
        const caller = callerWith(held, purpose)
        if (refuseBeforeRecord(policy, caller, action) !== undefined) return
        expect(decide(policy, caller, factsOf(RELATIONSHIPS, NOW + 1), NOW, action).outcome).not.toBe('DENIED')
      }),
      { numRuns: 400 },
    )
  })

  it('a further relationship never closes an open field', () => {
    const reveals: Record<View, number> = { FULL: 4, LAST4: 3, YEAR: 3, ZIP3: 3, PSEUDONYM: 2, PRESENCE: 1 }
    fc.assert(
      fc.property(asked, fc.subarray(RELATIONSHIPS), fc.constantFrom(...RELATIONSHIPS), ({ policy, ...who }, held, more) => {
        const caller = callerWith(who.roles, who.purpose)
        const less = decide(policy, caller, factsOf(held), NOW)
        const then = decide(policy, caller, factsOf([...held, more]), NOW)
        const shown = (decision: Decision): number => ('view' in decision ? reveals[decision.view] : 0)
        expect(shown(then)).toBeGreaterThanOrEqual(shown(less))
      }),
      { numRuns: 400 },
    )
  })
})

function subsets<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((sets, item) => [...sets, ...sets.map((set) => [...set, item])], [[]])
}

describe('C08: the basis of a permit', () => {
  it('names the membership, its start and its limits, if the source names them', () => {
    const birthDate = field({ role: 'PHYSICIAN', purposes: ['TREAT'], relationship: 'CARE_TEAM' })
    const scope: RelationshipScope = { categories: ['DEMOGRAPHIC'], labeled: false }
    const facts = {
      ...factsOf(['CARE_TEAM']),
      grounds: new Map([['CARE_TEAM' as Relationship, { id: 'membership-1', since: NOW }]]),
      limits: new Map([['CARE_TEAM' as Relationship, [scope]]]),
    }
    expect(decide(birthDate, callerWith(['PHYSICIAN'], 'TREAT'), facts, NOW)).toMatchObject({
      basis: 'CARE_TEAM',
      basisId: 'membership-1',
      since: NOW,
      limits: [scope],
    })
  })

  it('is the study for research, whichever relationship the grant requires', () => {
    const gender = field({ role: 'RESEARCHER', purposes: ['HRESCH'], relationship: 'ORGANIZATION' })
    const grounds = new Map([['ORGANIZATION' as Relationship, { id: 'membership-1', since: NOW }]])
    const basisFor = (study: string | null) => {
      const caller = callerWith(['RESEARCHER'], 'HRESCH', { study })
      return decide(gender, caller, { ...factsOf(['ORGANIZATION']), grounds }, NOW)
    }
    expect(basisFor('IRB-1')).toMatchObject({ basis: 'STUDY', basisId: 'IRB-1', since: NOW })
    expect(basisFor(null)).toMatchObject({ basis: 'ORGANIZATION', basisId: 'membership-1', since: NOW })
  })
})
