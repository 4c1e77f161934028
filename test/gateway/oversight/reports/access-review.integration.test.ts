import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SchemaPath } from '../../../../directives/coordinates.ts'
import type { Role } from '../../../../directives/policy.ts'
import type { AccessReview } from '../../../../gateway/oversight/reports/access-review.ts'
import { reviewAccess } from '../../../../gateway/oversight/reports/access-review.ts'
import { clinic } from '../../decide/clinic-policy.ts'
import { clinicYear, inAMinute, patientNumber, readBy, tablesOfVisits, type Visit, type VisitTables, YEAR } from './clinic-year.ts'

const MARCH = Date.parse('2026-03-10T09:00:00Z')
const OTHER_POLICY = 'cd'.repeat(32)

const visit = (user: string, roles: readonly string[], accesses: Visit['accesses'], more: Partial<Visit> = {}): Visit => ({
  at: MARCH,
  user,
  roles,
  purpose: 'TREAT',
  patient: patientNumber(1),
  accesses,
  ...more,
})
const path = (name: string): SchemaPath => name as SchemaPath

/** The record of a written value of an observation, by a physician. */
const writtenBy = (action: 'CREATE' | 'UPDATE' | 'DELETE', name: string): Visit['accesses'][number] => ({
  path: path(`Observation.${name}`),
  action,
  outcome: 'WRITTEN',
  rule: 'Observation#4',
  basis: 'CARE_TEAM',
})

/** Cases that a plain year does not have. */
const CASES: readonly Visit[] = [
  // a value that is absent is a use of the grant
  visit('physician-1', ['PHYSICIAN'], [{ ...readBy('PHYSICIAN', 'Patient.deceasedDate'), outcome: 'ABSENT' }]),
  // a user with two roles, of which only one may claim the purpose
  visit('manager', ['BILLING', 'FRONT_DESK'], [readBy('BILLING', 'Patient.mrn')], { purpose: 'HPAYMT' }),
  // a search names no rule
  visit(
    'front_desk-1',
    ['FRONT_DESK'],
    [
      {
        path: path('Query.patients'),
        paths: [path('Patient.ssn'), path('Patient.birthDate')],
        action: 'SEARCH',
        outcome: 'ABSENT',
      },
    ],
    { purpose: 'HOPERAT' },
  ),
  // a search that finds nobody, of a caller who may not learn that a patient exists
  visit(
    'front_desk-2',
    ['FRONT_DESK'],
    [{ path: path('Query.patients'), paths: [path('Patient.phone')], action: 'SEARCH', outcome: 'DENIED', reason: 'NOT_FOUND' }],
    { purpose: 'HOPERAT' },
  ),
  // another policy decided
  visit('researcher-1', ['RESEARCHER'], [readBy('RESEARCHER', 'Patient.race')], { purpose: 'HRESCH', policy: OTHER_POLICY }),
  // break-glass
  visit('physician-2', ['PHYSICIAN'], [{ ...readBy('PHYSICIAN', 'Patient.maritalStatus'), basis: 'BREAK_GLASS' }], {
    purpose: 'BTG',
  }),
  // two values of a new record, and a change of one
  visit('physician-1', ['PHYSICIAN'], [writtenBy('CREATE', 'code'), writtenBy('CREATE', 'interpretation')]),
  visit('physician-2', ['PHYSICIAN'], [writtenBy('UPDATE', 'interpretation')]),
  // two retractions: each needs a right to every value, and names the rule of the first
  ...[1, 2].map((at) =>
    visit(
      'physician-3',
      ['PHYSICIAN'],
      [
        {
          ...writtenBy('DELETE', 'code'),
          path: path('Condition'),
          rule: 'Condition#4',
          paths: ['code', 'onsetDateTime'].map((name) => path(`Condition.${name}`)),
        },
      ],
      { at: MARCH + at },
    ),
  ),
  // a change that was refused, and an import, which names no rule
  visit('nurse-1', ['NURSE'], [{ path: path('Claim.total'), action: 'UPDATE', outcome: 'DENIED', reason: 'ROLE' }]),
  visit('os:import', ['NURSE'], [{ path: path('Observation.code'), action: 'CREATE', outcome: 'WRITTEN' }]),
  // a review of the log is no access
  visit('auditor', ['AUDITOR'], [{ path: path('AuditLog.fieldAccesses'), action: 'REVIEW', outcome: 'REVIEWED' }], {
    purpose: 'HOPERAT',
  }),
  // ten times as much as a nurse reads in a year, of as many patients
  ...Array.from({ length: 60 }, (_, at) =>
    visit(
      'nurse-7',
      ['NURSE'],
      ['familyName', 'birthDate', 'phone', 'gender', 'conditions', 'encounters', 'phone', 'gender'].map((name) =>
        readBy('NURSE', `Patient.${name}`),
      ),
      { at: MARCH + at * 3_600_000, patient: patientNumber(at) },
    ),
  ),
  // a path that no other billing clerk reads
  ...Array.from({ length: 3 }, (_, at) =>
    visit(
      'billing-3',
      ['BILLING'],
      Array.from({ length: 8 }, () => readBy('BILLING', 'Claim.total')),
      { at: MARCH + at, purpose: 'HPAYMT' },
    ),
  ),
]

let year: VisitTables
let review: AccessReview
const parts = (): Parameters<typeof reviewAccess>[0] => ({ reader: { tables: year.tables }, ...clinic, deadline: inAMinute() })
beforeAll(async () => {
  // in a quarter, so that there are fewer daily files
  const visits = clinicYear(12_000).map((one) => ({ ...one, at: YEAR.from + Math.floor((one.at - YEAR.from) / 12) }))
  year = await tablesOfVisits([...visits, ...CASES])
  review = await reviewAccess(parts(), YEAR)
}, 240_000)
afterAll(() => {
  year.close()
})

/** The records that a role has by a rule, counted in plain code. A retraction names one of its rules. */
function recordsBy(rule: string, role: string): readonly Readonly<Record<string, unknown>>[] {
  const claims = clinic.policy.roles.get(role as Role)?.mayClaim ?? []
  return year.records.filter(
    (record) =>
      record['policy'] === clinic.policy.digest &&
      record['rule'] === rule &&
      record['outcome'] !== 'DENIED' &&
      !(record['action'] === 'DELETE' && record['outcome'] === 'WRITTEN') &&
      (record['roles'] as string[]).includes(role) &&
      claims.some((purpose) => purpose === record['purpose']),
  )
}

describe('C21: an access review', () => {
  it('C21: has each grant of the policy, with counts that equal a count over the records', () => {
    const rules = new Set([...clinic.policy.phi.values()].flatMap(({ grants }) => grants.map(({ rule }) => rule)))
    expect(new Set(review.grants.map(({ rule }) => rule))).toEqual(rules)
    let used = 0
    for (const { rule, roles, paths } of review.grants)
      for (const use of roles) {
        const own = recordsBy(rule, use.role)
        const count = (outcome: string): number => own.filter((record) => record['outcome'] === outcome).length
        expect({ rule, ...use }).toMatchObject({
          disclosed: count('DISCLOSED'),
          masked: count('MASKED'),
          written: count('WRITTEN'),
          withoutValue: own.length - count('DISCLOSED') - count('MASKED') - count('WRITTEN'),
          breakGlass: own.filter((record) => record['basis'] === 'BREAK_GLASS').length,
          users: new Set(own.map((record) => record['user'])).size,
        })
        expect(use.used).toBe(own.length + use.searches + use.retractions > 0)
        const times = own.map((record) => String(record['time'])).sort()
        if (use.searches + use.retractions === 0) expect(use.lastUsedAt).toBe(times.at(-1))
        if (use.used) used++
        if (roles.length === 1) expect(paths.reduce((sum, { records }) => sum + records, 0)).toBe(own.length)
      }
    expect(used).toBeGreaterThan(20)
  })

  it('C21: names the roles that did not use a grant, and no other', () => {
    const unused = review.grants.flatMap(({ rule, roles }) => roles.flatMap(({ role, used }) => (used ? [] : [`${rule} ${role}`])))
    expect(review.neverUsed.flatMap(({ rule, roles }) => roles.map((role) => `${rule} ${role}`)).sort()).toEqual(unused.sort())
    // a value that is absent, a search and break-glass are uses
    expect(unused).not.toContain('Patient.deceasedDate#1 PHYSICIAN')
    expect(unused).toContain('Patient.deceasedDate#1 NURSE')
    expect(unused).not.toContain('Patient.ssn#3 FRONT_DESK')
    expect(unused).not.toContain('Patient.maritalStatus#1 PHYSICIAN')
    const mrn = review.neverUsed.find(({ rule }) => rule === 'Patient.mrn#4')
    expect(mrn).toMatchObject({
      roles: ['PARTNER'],
      file: 'schema/clinical/patient.graphql',
      narrowed: '@minimumNecessary(roles: [BILLING], purposes: [HPAYMT], relationship: ORGANIZATION)',
      remove: false,
      paths: ['Patient.mrn'],
    })
  })

  it('C21: counts what a grant to change wrote, and a retraction for each grant that it can need', () => {
    const use = (rule: string) => review.grants.find((one) => one.rule === rule)?.roles.find(({ role }) => role === 'PHYSICIAN')
    expect(use('Observation#4')).toMatchObject({ used: true, written: 3, retractions: 0, withoutValue: 0, disclosed: 0, users: 2 })
    expect(use('Condition#4')).toMatchObject({ used: true, written: 0, retractions: 2, withoutValue: 0, users: 0 })
    expect(use('Condition#4')?.lastUsedAt).toBe(new Date(MARCH + 2).toISOString())
    const unused = new Map(review.neverUsed.map((one) => [one.rule, one]))
    expect(unused.has('Observation#4') || unused.has('Condition#4')).toBe(false)
    expect(unused.get('Observation#5')).toMatchObject({ roles: ['NURSE'], remove: true })
    expect(unused.get('Claim#4')).toMatchObject({ roles: ['BILLING'], remove: true })
    expect(unused.get('Claim#4')?.warning).toContain('nobody can create, change or retract')
    // the grant to read that observation's values have is another one
    expect(use('Observation#1')).toMatchObject({ written: 0 })
  })

  it('C21: attributes to a role only records of a purpose that the role may claim', () => {
    const use = (rule: string, role: string) =>
      review.grants.find((one) => one.rule === rule)?.roles.find((one) => one.role === role)
    const own = recordsBy('Patient.mrn#4', 'BILLING')
    expect(own.some((record) => record['user'] === 'manager')).toBe(true)
    expect(use('Patient.mrn#4', 'BILLING')?.users).toBe(new Set(own.map((record) => record['user'])).size)
    expect(use('Patient.mrn#5', 'FRONT_DESK')?.users).toBe(30)
  })

  it('C21: attributes no record of another policy, and states how many there are', () => {
    expect(review.decidedByAnotherPolicy).toBe(1)
    expect(review.policies.map(({ policy, inForce }) => [policy, inForce])).toEqual([
      [clinic.policy.digest, true],
      [OTHER_POLICY, false],
    ])
    expect(review.policies[0]?.records).toBe(year.records.filter((record) => record['action'] !== 'REVIEW').length - 1)
    const race = review.grants.flatMap(({ rule, roles }) => (rule.startsWith('Patient.race') ? roles : []))
    expect(race.find(({ role }) => role === 'RESEARCHER')).toMatchObject({ used: false, masked: 0, disclosed: 0 })
  })

  it('C21: lists the most frequent denials, and no search', () => {
    const denied = year.records.filter((record) => record['outcome'] === 'DENIED' && record['action'] !== 'SEARCH')
    expect(review.denials.reduce((sum, { records }) => sum + records, 0)).toBe(denied.length)
    const counts = review.denials.map(({ records }) => records)
    expect(counts).toEqual(counts.toSorted((one, other) => other - one))
  })

  it('C21: finds the user who reads more than the peers, and the path that one user reads alone', () => {
    expect(review.outliers.map(({ userId, measure }) => `${userId} ${measure}`).sort()).toEqual([
      'billing-3 SOLE_PATH',
      'nurse-7 PATIENTS',
      'nurse-7 RECORDS',
    ])
    const own = year.records.filter((record) => record['user'] === 'nurse-7' && record['outcome'] !== 'DENIED')
    expect(review.outliers.find(({ measure }) => measure === 'RECORDS')).toMatchObject({ role: 'NURSE', value: own.length })
    expect(review.outliers.find(({ measure }) => measure === 'SOLE_PATH')?.evidence).toBe(
      'Read Claim.total 24 times; none of the other 25 users with the role BILLING read it.',
    )
  })

  it('C21: of one role has only grants, denials and users of this role', async () => {
    const billing = await reviewAccess(parts(), { ...YEAR, role: 'BILLING' as Role })
    expect(new Set(billing.grants.flatMap(({ roles }) => roles.map(({ role }) => role)))).toEqual(new Set(['BILLING']))
    expect(billing.neverUsed.every(({ roles }) => roles.join() === 'BILLING')).toBe(true)
    expect(new Set(billing.denials.map(({ role }) => role))).toEqual(new Set(['BILLING']))
    expect(billing.outliers.map(({ userId }) => userId)).toEqual(['billing-3'])
    const both = review.grants.find(({ rule }) => rule === 'Patient.mrn#4')?.roles.find(({ role }) => role === 'BILLING')
    expect(billing.grants.find(({ rule }) => rule === 'Patient.mrn#4')?.roles).toEqual([both])
  })

  it('C21: of a time without records says so, and calls no grant used', async () => {
    const empty = await reviewAccess(parts(), { from: 0, to: 1 })
    expect(empty).toMatchObject({ policies: [], denials: [], outliers: [], decidedByAnotherPolicy: 0 })
    expect(empty.attributedFrom).toBeUndefined()
    expect(empty.grants.some(({ roles }) => roles.some(({ used }) => used))).toBe(false)
  })
})
