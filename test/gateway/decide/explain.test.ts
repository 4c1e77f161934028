import { describe, expect, it } from 'vitest'
import { decide } from '../../../gateway/decide/decide.ts'
import { explainPath } from '../../../gateway/decide/explain.ts'
import type { Facts } from '../../../gateway/model/decision.ts'
import type { SchemaPath } from '../../../directives/coordinates.ts'
import type { PurposeOfUse } from '../../../directives/policy.ts'
import { compile, sdl } from '../../directives/clinic-fixture.ts'
import { callerWith, clinic, factsOf, NOW, RELATIONSHIPS } from './clinic-policy.ts'

const { policy } = clinic
const PURPOSES: readonly PurposeOfUse[] = ['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH']
const path = (text: string) => text as SchemaPath

describe('C06: an explanation is the decision with more detail', () => {
  it('for every role, purpose, relationship and path of the clinic', () => {
    let asked = 0
    for (const role of policy.roles.keys()) {
      for (const purpose of PURPOSES) {
        const caller = callerWith([role], purpose)
        for (const held of [[], ...RELATIONSHIPS.map((name) => [name])]) {
          const facts = factsOf(held)
          for (const [name, field] of policy.phi) {
            const { outcome, ...rest } = explainPath(policy, name, caller, facts, NOW)
            const decision = decide(field, caller, facts, NOW)
            expect(outcome).toBe(decision.outcome)
            expect(rest.rule).toBe(decision.rule)
            if (decision.outcome === 'DENIED')
              expect(rest).toMatchObject({ reason: decision.reason, breakGlass: decision.breakGlass })
            else if (decision.outcome !== 'INDETERMINATE') expect(rest.view).toBe(decision.view)
            asked++
          }
        }
      }
    }
    expect(asked).toBe(policy.roles.size * PURPOSES.length * (RELATIONSHIPS.length + 1) * policy.phi.size)
  })

  it('without a patient: DENIED if every patient is denied, otherwise DEPENDS with the relationships that would open the path', () => {
    for (const role of policy.roles.keys()) {
      for (const purpose of PURPOSES) {
        const caller = callerWith([role], purpose)
        for (const [name, field] of policy.phi) {
          const explained = explainPath(policy, name, caller, undefined, NOW)
          const opening = RELATIONSHIPS.filter((held) => decide(field, caller, factsOf([held]), NOW).outcome !== 'DENIED')
          const byGlass = decide(field, caller, factsOf([], NOW + 1), NOW).outcome !== 'DENIED' ? ['BREAK_GLASS'] : []
          if (opening.length + byGlass.length === 0) expect(explained.outcome).toBe('DENIED')
          else expect(explained).toMatchObject({ outcome: 'DEPENDS' })
          expect(explained.dependsOn.toSorted()).toEqual([...opening, ...byGlass].toSorted())
        }
      }
    }
  })
})

describe('an explanation adds', () => {
  const physician = callerWith(['PHYSICIAN'], 'TREAT')
  const name = path('Patient.familyName')

  it('whether break-glass would open the path', () => {
    expect(explainPath(policy, name, physician, factsOf([]), NOW)).toMatchObject({ outcome: 'DENIED', breakGlass: true })
    expect(explainPath(policy, name, physician, undefined, NOW)).toMatchObject({ outcome: 'DEPENDS', breakGlass: true })
    expect(explainPath(policy, path('Patient.ssn'), physician, undefined, NOW)).toMatchObject({ breakGlass: false })
  })

  it("whether a consent could close the path, independent of this patient's consents, and never to the patient", () => {
    const facts = factsOf(['CARE_TEAM'])
    expect(explainPath(policy, name, physician, facts, NOW).consentCouldClose).toBe(true)
    const unsaid: Facts = { ...facts, consent: { ...facts.consent, given: undefined } }
    expect(explainPath(policy, name, physician, unsaid, NOW)).toEqual(explainPath(policy, name, physician, facts, NOW))
    expect(explainPath(policy, name, callerWith(['PATIENT'], 'PATRQT'), factsOf(['SELF']), NOW).consentCouldClose).toBe(false)
  })

  it('a dependency for each relationship that a service could not read', () => {
    const facts: Facts = { ...factsOf([]), unknown: new Set(RELATIONSHIPS) }
    const explained = explainPath(policy, name, physician, facts, NOW)
    expect(explained).toMatchObject({ outcome: 'DEPENDS', view: 'FULL', dependsOn: ['CARE_TEAM'] })
  })

  it('CONSENT as a dependency if a required consent cannot be read', () => {
    const line = 'a: String @phi(category: NOTE, sensitivity: [ETH]) @minimumNecessary(roles: [PHYSICIAN])'
    const held = compile(sdl(line)).policy
    const facts = factsOf(['CARE_TEAM'])
    const asked = (given: Facts['consent']['given']) =>
      explainPath(held, path('Person.a'), physician, { ...facts, consent: { rules: held.consent, given } }, NOW)
    expect(asked(undefined)).toMatchObject({ outcome: 'DEPENDS', dependsOn: ['CONSENT'] })
    expect(asked([])).toMatchObject({ outcome: 'DENIED', reason: 'CONSENT', breakGlass: false })
    expect(explainPath(held, path('Person.a'), physician, undefined, NOW).dependsOn).toEqual(['CARE_TEAM', 'CONSENT'])
  })

  it('P3: an unknown path is denied', () => {
    expect(explainPath(policy, path('Patient.shoeSize'), physician, undefined, NOW)).toMatchObject({ reason: 'UNKNOWN_FIELD' })
  })
})
