import { describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../directives/compile.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import { dentalLock } from '../../../examples/dental/schema.ts'
import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import { itemFacts } from '../../../gateway/audit/verify/item-facts.ts'
import { LockReplay } from '../../../gateway/audit/verify/replay-item.ts'
import type { Instant } from '../../../gateway/model/ids.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { access, context, NOON } from './examples.ts'
import { contentsOf, lockReplay, replayed, verdictText } from './replay-bench.ts'

type Change = Partial<TimedAccess>
type Request = Partial<AuditContext>

const clinic = lockReplay(clinicLock())
const dental = lockReplay(dentalLock())
/** A lock with a field that needs a consent, one that break-glass does not open, and a call that needs a recent sign-in. */
const strict = lockReplay(
  compilePolicy(
    [
      {
        name: 'strict.graphql',
        sdl: `
          type Query { patient: Patient  plans: String @mayCall(roles: [PRIVACY_OFFICER], stepUp: true) @notPhi(because: "a test") }
          type Patient @record(patient: "id") {
            id: ID! @notPhi(because: "random")
            use: String @phi(category: CLINICAL, sensitivity: [ETH]) @minimumNecessary(roles: [NURSE], purposes: [TREAT])
              @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)
            notes: String @phi(category: NOTE, sensitivity: [PSYTHPN]) @minimumNecessary(roles: [NURSE], purposes: [TREAT])
              @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF)
            phone: String @phi(category: CONTACT) @minimumNecessary(roles: [NURSE], purposes: [TREAT], breakGlass: false)
          }`,
      },
    ],
    { relationships: 'unchecked' },
  ).lock,
)

/** The verdict on one record of a request. */
function verdictOn(lock: LockReplay, request: Request, change: Change): string {
  const contents = contentsOf(context({ mfa: true, ...request }), [access(1, change)])
  const [result] = replayed(lock, contents)
  return result === undefined ? 'NONE' : verdictText(result.verdict)
}

const path = (name: string, more: Change = {}): Change => {
  const [type = ''] = name.split('.')
  return { recordType: type as TypeName, path: name as SchemaPath, rule: `${name}#1`, ...more }
}
/** A record without a rule, as of the existence of a record. */
const bare = (name: string, more: Change = {}): Change => ({
  ...path(name),
  rule: undefined as never,
  view: undefined as never,
  basis: undefined as never,
  ...more,
})

const PHYSICIAN: Request = {}
const EMERGENCY: Request = { purpose: 'BTG' }
const BILLING: Request = { roles: ['BILLING'], purpose: 'HPAYMT' }
const DESK: Request = { roles: ['FRONT_DESK'], purpose: 'HOPERAT' }
const OWN: Request = { roles: ['PATIENT'], purpose: 'PATRQT' }
const PROXY: Request = { roles: ['PROXY'], purpose: 'PATRQT' }
const RESEARCH: Request = { roles: ['RESEARCHER'], purpose: 'HRESCH', study: 'A1C-2026' }
const BY_GRANT: Change = { basis: 'BREAK_GLASS', basisId: 'grant-1' }
const BY_STUDY: Change = { basis: 'STUDY', basisId: 'A1C-2026', since: (NOON - 1) as Instant }
const YEAR: Change = path('Patient.birthDate', { outcome: 'MASKED', view: 'YEAR', rule: 'Patient.birthDate#6', ...BY_STUDY })
const NO_NOTES = [{ categories: ['IDENTITY', 'CLINICAL'], labeled: false }] as const
const ORGANIZATION: Change = { basis: 'ORGANIZATION' }

describe('P7: a disclosure that the policy allows', () => {
  it.each<[string, LockReplay, Request, Change, string]>([
    ['the care team reads in full', clinic, PHYSICIAN, path('Patient.birthDate'), 'REPLAYED'],
    ['the care team reads by break-glass', clinic, EMERGENCY, path('Patient.birthDate', BY_GRANT), 'REPLAYED'],
    ['an edge with its count', clinic, PHYSICIAN, path('Patient.conditions', { count: 3 }), 'REPLAYED'],
    [
      'a default grant of the type',
      clinic,
      OWN,
      path('DocumentReference.text', { rule: 'DocumentReference#2', basis: 'SELF' }),
      'REPLAYED',
    ],
    ['a masked value', clinic, BILLING, path('Patient.ssn', { outcome: 'MASKED', view: 'LAST4', ...ORGANIZATION }), 'REPLAYED'],
    [
      'a search by a grant of its own',
      clinic,
      DESK,
      path('Patient.ssn', { action: 'SEARCH', rule: 'Patient.ssn#3', ...ORGANIZATION }),
      'REPLAYED',
    ],
    ['a search by a value that is read in full', clinic, PHYSICIAN, path('Patient.mrn', { action: 'SEARCH' }), 'REPLAYED'],
    ['research under its study', clinic, RESEARCH, YEAR, 'REPLAYED'],
    [
      'a computed value with its input in full',
      dental,
      { roles: ['DENTIST'] },
      path('Client.age', { basis: 'SAME_PRACTICE' }),
      'REPLAYED',
    ],
    ['the existence of a patient', clinic, DESK, bare('Patient.id'), 'REPLAYED'],
    ['the existence of a record', clinic, PHYSICIAN, bare('Condition.id'), 'DEPENDS EXISTENCE'],
    [
      'the review of break-glass',
      clinic,
      { roles: ['PRIVACY_OFFICER'], purpose: 'HOPERAT' },
      bare('Query.breakGlassGrants'),
      'REPLAYED',
    ],
    [
      'the reason of a grant',
      clinic,
      { roles: ['PRIVACY_OFFICER'], purpose: 'HOPERAT' },
      bare('BreakGlassGrant.reason'),
      'REPLAYED',
    ],
    ['a plan for a patient', clinic, PHYSICIAN, bare('Query.explainAccess', { recordType: 'Patient' as TypeName }), 'REPLAYED'],
    ['a value by a consent', clinic, PHYSICIAN, path('Patient.birthDate', { basis: 'CONSENT', basisId: 'c1' }), 'DEPENDS CONSENT'],
    [
      'a field that needs a consent',
      strict,
      { roles: ['NURSE'] },
      path('Patient.use', { basis: 'CONSENT', basisId: 'c1' }),
      'DEPENDS CONSENT',
    ],
    [
      'a field that needs none of its patient',
      strict,
      OWN,
      path('Patient.use', { rule: 'Patient.use#2', basis: 'SELF' }),
      'REPLAYED',
    ],
    [
      'a proxy within limits',
      clinic,
      PROXY,
      path('Patient.familyName', { rule: 'Patient.familyName#3', basis: 'PROXY', limits: NO_NOTES }),
      'DEPENDS LABELS',
    ],
    [
      'a request under a contract',
      clinic,
      { roles: ['PARTNER'], purpose: 'HPAYMT', contract: 'cd'.repeat(32), mfa: false },
      path('Patient.birthDate', { rule: 'Patient.birthDate#4', ...ORGANIZATION }),
      'DEPENDS CONTRACT',
    ],
    [
      'a call with a sign-in of unknown age',
      strict,
      { roles: ['PRIVACY_OFFICER'], purpose: 'HOPERAT', authTime: (NOON - 1) as Instant },
      bare('Query.plans'),
      'DEPENDS STEP_UP',
    ],
    ['a record under an unknown lock', new LockReplay(undefined), PHYSICIAN, path('Patient.birthDate'), 'DEPENDS LOCK'],
    [
      'a denied value',
      clinic,
      PHYSICIAN,
      path('Patient.ssn', { outcome: 'DENIED', view: undefined as never, reason: 'ROLE' }),
      'NONE',
    ],
  ])('P7: %s', (_name, lock, request, change, expected) => {
    expect(verdictOn(lock, request, change)).toBe(expected)
  })
})

describe('P7: a disclosure that the policy does not allow', () => {
  it.each<[string, LockReplay, Request, Change, string]>([
    [
      'a rule number that the path does not have',
      clinic,
      PHYSICIAN,
      path('Patient.birthDate', { rule: 'Patient.birthDate#9' }),
      'RULE',
    ],
    ['the rule of another path', clinic, PHYSICIAN, path('Patient.ssn', { rule: 'Patient.birthDate#1' }), 'RULE'],
    ['a value without a rule', clinic, PHYSICIAN, path('Patient.ssn', { rule: undefined as never }), 'RULE'],
    ['a path that the policy does not have', clinic, PHYSICIAN, path('Patient.shoeSize'), 'PATH'],
    [
      'a path of another type of record',
      clinic,
      PHYSICIAN,
      path('Patient.birthDate', { recordType: 'Condition' as TypeName }),
      'PATH',
    ],
    ['a wider view', clinic, BILLING, path('Patient.ssn', ORGANIZATION), 'VIEW'],
    ['a view of another rule', clinic, RESEARCH, { ...YEAR, view: 'LAST4' }, 'VIEW'],
    ['a masked value that is called disclosed', clinic, RESEARCH, { ...YEAR, outcome: 'DISCLOSED' }, 'VIEW'],
    ['a role that the rule does not name', clinic, BILLING, path('Patient.birthDate'), 'ROLE'],
    ['a role that the lock does not have', clinic, { roles: ['TOASTER'] }, path('Patient.birthDate'), 'ROLE'],
    ['a purpose that the rule does not name', clinic, EMERGENCY, path('Patient.birthDate'), 'PURPOSE'],
    ['a purpose that no role may claim', clinic, { purpose: 'HRESCH' }, path('Patient.birthDate'), 'PURPOSE'],
    ['a role that needs a second factor', clinic, { mfa: false }, path('Patient.birthDate'), 'MFA'],
    ['a wider basis', clinic, PHYSICIAN, path('Patient.birthDate', ORGANIZATION), 'RELATIONSHIP'],
    ['no basis', clinic, PHYSICIAN, path('Patient.birthDate', { basis: undefined as never }), 'RELATIONSHIP'],
    [
      'a note beyond the limits of a proxy',
      clinic,
      PROXY,
      path('DocumentReference.text', { rule: 'DocumentReference#3', basis: 'PROXY', limits: NO_NOTES }),
      'LIMITS',
    ],
    ['break-glass for another purpose', clinic, PHYSICIAN, path('Patient.birthDate', BY_GRANT), 'BREAK_GLASS'],
    [
      'break-glass by a rule for another relationship',
      clinic,
      EMERGENCY,
      path('Patient.birthDate', { rule: 'Patient.birthDate#4', ...BY_GRANT }),
      'ROLE',
    ],
    ['break-glass without a grant', clinic, EMERGENCY, path('Patient.birthDate', { basis: 'BREAK_GLASS' }), 'BREAK_GLASS'],
    ['research without a study', clinic, { ...RESEARCH, study: undefined as never }, { ...YEAR, basis: 'ORGANIZATION' }, 'STUDY'],
    ['research under another study', clinic, RESEARCH, { ...YEAR, basisId: 'B2D-2026' }, 'STUDY'],
    ['research by a relationship', clinic, RESEARCH, { ...YEAR, basis: 'ORGANIZATION' }, 'STUDY'],
    ['a researcher with another role', clinic, { ...RESEARCH, roles: ['RESEARCHER', 'PHYSICIAN'] }, YEAR, 'STUDY'],
    ['a study for treatment', clinic, { study: 'A1C-2026' }, path('Patient.birthDate'), 'STUDY'],
    [
      'a search by a masked value',
      clinic,
      BILLING,
      path('Patient.ssn', { action: 'SEARCH', outcome: 'MASKED', view: 'LAST4', ...ORGANIZATION }),
      'VIEW',
    ],
    ['a read by a grant to search', clinic, DESK, path('Patient.ssn', { rule: 'Patient.ssn#3', ...ORGANIZATION }), 'ACTION'],
    ['an update that discloses', clinic, PHYSICIAN, path('Patient.birthDate', { action: 'UPDATE' }), 'ACTION'],
    ['a field that needs a consent, without one', strict, { roles: ['NURSE'] }, path('Patient.use'), 'CONSENT'],
    [
      'a consent where the patient needs none',
      strict,
      OWN,
      path('Patient.use', { rule: 'Patient.use#2', basis: 'CONSENT', basisId: 'c1' }),
      'CONSENT',
    ],
    [
      'psychotherapy notes for the patient',
      strict,
      OWN,
      path('Patient.notes', { rule: 'Patient.notes#2', basis: 'SELF' }),
      'CONSENT',
    ],
    [
      'psychotherapy notes by break-glass',
      strict,
      { roles: ['NURSE'], purpose: 'BTG' },
      path('Patient.notes', BY_GRANT),
      'CONSENT',
    ],
    [
      'break-glass by a grant that excludes it',
      strict,
      { roles: ['NURSE'], purpose: 'BTG' },
      path('Patient.phone', BY_GRANT),
      'BREAK_GLASS',
    ],
    [
      'a computed value of a masked input',
      dental,
      { roles: ['HYGIENIST'], purpose: 'HOPERAT' },
      path('Client.age', { basis: 'SAME_PRACTICE' }),
      'INPUT',
    ],
    ['the existence of a record without any grant', clinic, { roles: ['ADMIN'], purpose: 'HOPERAT' }, bare('Condition.id'), 'ROLE'],
    ['a field that is not PHI', clinic, PHYSICIAN, bare('Patient.version'), 'PATH'],
    ['the review of break-glass by a nurse', clinic, { roles: ['NURSE'] }, bare('Query.breakGlassGrants'), 'ROLE'],
    ['the reason of a grant for a nurse', clinic, { roles: ['NURSE'] }, bare('BreakGlassGrant.reason'), 'ROLE'],
    [
      'a call without a time of sign-in',
      strict,
      { roles: ['PRIVACY_OFFICER'], purpose: 'HOPERAT' },
      bare('Query.plans'),
      'STEP_UP',
    ],
    ['a disclosure with the reason of a denial', clinic, PHYSICIAN, path('Patient.birthDate', { reason: 'ROLE' }), 'FORM'],
    ['an outcome that no gateway records', clinic, PHYSICIAN, path('Patient.birthDate', { outcome: 'SHOWN' as never }), 'FORM'],
  ])('P7: %s', (_name, lock, request, change, fault) => {
    expect(verdictOn(lock, request, change)).toBe(`NOT_ALLOWED ${fault}`)
  })

  it('P7: names the records of an item whose outcomes were swapped, by their numbers', () => {
    const masked = path('Patient.ssn', { outcome: 'MASKED', view: 'LAST4', ...ORGANIZATION })
    const full = path('Patient.birthDate', { rule: 'Patient.birthDate#4', ...ORGANIZATION })
    const { outcome, view } = { outcome: 'DISCLOSED', view: 'FULL' } as const
    const request = context({ mfa: true, ...BILLING })
    const verdicts = (one: Change, other: Change) =>
      replayed(clinic, contentsOf(request, [access(1, full), access(1, one), access(1, other)])).map(({ verdict }) =>
        verdictText(verdict),
      )
    expect(verdicts(masked, full)).toEqual(['REPLAYED', 'REPLAYED', 'REPLAYED'])
    expect(verdicts({ ...masked, outcome, view }, { ...full, outcome: 'MASKED', view: 'LAST4' })).toEqual([
      'REPLAYED',
      'NOT_ALLOWED VIEW',
      'NOT_ALLOWED VIEW',
    ])
  })

  it('P10: a denial by a contract discloses nothing, so there is nothing to decide again', () => {
    const contract = 'c0'.repeat(32)
    const denied = path('Claim.total', {
      outcome: 'DENIED',
      reason: 'CONTRACT',
      rule: undefined as never,
      view: undefined as never,
    })
    expect(verdictOn(clinic, { ...BILLING, contract }, { ...denied, basis: undefined as never })).toBe('NONE')
    // of a request without any role that its contract admits, a disclosure is a fault
    expect(verdictOn(clinic, { ...BILLING, roles: [], contract }, path('Claim.total', ORGANIZATION))).toBe('NOT_ALLOWED ROLE')
  })

  it('P7: limits of another form are not allowed', () => {
    const [content] = contentsOf(context({ mfa: true, ...PROXY }), [
      access(1, path('Patient.familyName', { rule: 'Patient.familyName#3', basis: 'PROXY' })),
    ])
    const text = JSON.stringify(content).replace('"b":"PROXY"', '"b":"PROXY","li":"all"')
    expect(
      replayed(
        clinic,
        [itemFacts(text)?.content].filter((one) => one !== undefined),
      ).map(({ verdict }) => verdictText(verdict)),
    ).toEqual(['NOT_ALLOWED LIMITS'])
  })
})
