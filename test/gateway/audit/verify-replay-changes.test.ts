import { describe, expect, it } from 'vitest'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { AuditContext, TimedAccess } from '../../../gateway/audit/entry.ts'
import { ReplayTally } from '../../../gateway/audit/verify/replay-tally.ts'
import { clinicLock } from '../../../schema/clinic.ts'
import { access, context } from './examples.ts'
import { contentsOf, lockReplay, replayed, verdictText } from './replay-bench.ts'

type Change = Partial<TimedAccess>
type Request = Partial<AuditContext>

const clinic = lockReplay(clinicLock())

/** The verdict on one record of a request. */
function verdictOn(request: Request, change: Change): string {
  const [result] = replayed(clinic, contentsOf(context({ mfa: true, ...request }), [access(1, change)]))
  return result === undefined ? 'NONE' : verdictText(result.verdict)
}

/** A change of a value, by the rule of the physician. */
const written = (path: string, change: Change = {}): Change => ({
  recordType: path.split('.')[0] as TypeName,
  path: path as SchemaPath,
  action: 'UPDATE',
  outcome: 'WRITTEN',
  view: undefined as never,
  rule: 'Observation#4',
  ...change,
})
const retracted = (change: Change = {}): Change => written('Observation', { action: 'DELETE', ...change })

const PHYSICIAN: Request = {}
const NURSE: Request = { roles: ['NURSE'] }
const DESK: Request = { roles: ['FRONT_DESK'], purpose: 'HOPERAT' }
const OPERATOR: Request = { user: 'operator', roles: [], purpose: 'HOPERAT', mfa: false }
const BY_CONSENT: Change = { basis: 'CONSENT', basisId: 'consent-1' }

describe('P7: a change that the policy allows', () => {
  it.each<[string, Request, Change, string]>([
    ['a physician of the care team updates', PHYSICIAN, written('Observation.code'), 'REPLAYED'],
    ['a nurse creates', NURSE, written('Observation.code', { action: 'CREATE', rule: 'Observation#5' }), 'REPLAYED'],
    ['a physician retracts', PHYSICIAN, retracted(), 'REPLAYED'],
    ['a change of a labeled record', PHYSICIAN, written('Observation.code', BY_CONSENT), 'DEPENDS CONSENT'],
    ['a retraction of a labeled record', PHYSICIAN, retracted(BY_CONSENT), 'DEPENDS CONSENT'],
    [
      'a call of a mutation by one of its roles',
      PHYSICIAN,
      written('Mutation.addCareTeamMember', { recordType: 'CareTeamMember' as TypeName, rule: undefined as never }),
      'REPLAYED',
    ],
  ])('P7: %s', (_name, request, change, verdict) => {
    expect(verdictOn(request, change)).toBe(verdict)
  })
})

describe('P7: a change that the policy does not allow', () => {
  it.each<[string, Request, Change, string]>([
    ['a role without a grant', DESK, written('Observation.code', { basis: 'ORGANIZATION' }), 'ROLE'],
    ['a role that the lock does not have', { roles: ['SCRIBE'] }, written('Observation.code'), 'ROLE'],
    ['no role', OPERATOR, written('Observation.code'), 'ROLE'],
    ['another purpose', { purpose: 'HPAYMT' }, written('Observation.code'), 'PURPOSE'],
    ['break-glass as the purpose', { purpose: 'BTG' }, written('Observation.code'), 'PURPOSE'],
    [
      'break-glass as the basis',
      { purpose: 'BTG' },
      written('Observation.code', { basis: 'BREAK_GLASS', basisId: 'g1' }),
      'BREAK_GLASS',
    ],
    ['a wider relationship', PHYSICIAN, written('Observation.code', { basis: 'ORGANIZATION' }), 'RELATIONSHIP'],
    ['no second factor', { mfa: false }, written('Observation.code'), 'MFA'],
    ['a grant to read', PHYSICIAN, written('Observation.code', { rule: 'Observation.code#1' }), 'ACTION'],
    ['a rule that the path does not have', PHYSICIAN, written('Observation.code', { rule: 'Observation#9' }), 'RULE'],
    ['no rule', PHYSICIAN, written('Observation.code', { rule: undefined as never }), 'RULE'],
    ['an edge', PHYSICIAN, written('Patient.conditions', { rule: 'Patient.conditions#1' }), 'PATH'],
    ['a view', PHYSICIAN, written('Observation.code', { view: 'FULL' }), 'VIEW'],
    ['an action that changes nothing', PHYSICIAN, written('Observation.code', { action: 'READ' }), 'ACTION'],
    ['a retraction without the right to each value', NURSE, retracted({ rule: 'Observation#5' }), 'RULE'],
    ['a retraction by the rule of another role', NURSE, retracted(), 'ROLE'],
    ['a whole record written by a client', PHYSICIAN, written('Observation', { action: 'CREATE' }), 'PATH'],
    [
      'a call of a mutation by another role',
      NURSE,
      written('Mutation.addCareTeamMember', { recordType: 'CareTeamMember' as TypeName, rule: undefined as never }),
      'ROLE',
    ],
  ])('P7: %s', (_name, request, change, fault) => {
    expect(verdictOn(request, change)).toBe(`NOT_ALLOWED ${fault}`)
  })
})

it.each<[string, Request, Change]>([
  [
    'an import of a record',
    OPERATOR,
    written('Observation', { action: 'CREATE', rule: undefined as never, basis: undefined as never }),
  ],
  ['a denied change', PHYSICIAN, written('Observation.code', { outcome: 'DENIED', reason: 'RELATIONSHIP' })],
  ['a retry', PHYSICIAN, written('Mutation.updateObservation', { outcome: 'ABSENT' })],
])('P7: replays nothing of %s', (_name, request, change) => {
  expect(verdictOn(request, change)).toBe('NONE')
})

it('P7: counts changes apart from disclosures, and reports a planted one', () => {
  const found: unknown[] = []
  const tally = new ReplayTally((finding) => found.push(finding))
  const accesses = [access(1), access(1, written('Observation.code')), access(1, written('Observation.code', { action: 'DELETE' }))]
  const planted = access(1, written('Observation.category', { rule: 'Observation#5' }))
  for (const content of contentsOf(context({ mfa: true }), [...accesses, planted]))
    tally.item(clinic, 'AAAA', content, { lane: 'kakjK50G.1', sequence: 1, position: 0 })
  expect(tally.counts()).toMatchObject({ disclosed: 1, written: 3, replayed: 3, notAllowed: 1 })
  expect(found).toEqual([expect.objectContaining({ kind: 'NOT_ALLOWED', fault: 'ROLE', path: 'Observation.category' })])
})
