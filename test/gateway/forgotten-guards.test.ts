import { describe, expect, it } from 'vitest'
import { shieldRules } from '../../gateway/access/shield-rules.ts'
import { tokenIdentity } from '../../gateway/access/identity.ts'
import type { AuditReceipt } from '../../gateway/audit/trail.ts'
import * as trail from '../../gateway/audit/trail.ts'
import { compilePolicy } from '../../directives/compile.ts'
import type { PathOutcome } from '../../gateway/disclosure/path-outcome.ts'
import type { RequestScope } from '../../gateway/disclosure/request-scope.ts'
import { answer } from '../../gateway/answer.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import type { Admitted, Identified, Parsed, Resolved, Stages } from '../../gateway/pipeline.ts'
import type { Caller, Denial, Permit } from '../../gateway/model/decision.ts'
import type { PatientId, RecordId, TenantId } from '../../gateway/model/ids.ts'
import type { Grant, PhiPolicy } from '../../directives/policy.ts'
import { clinic } from './decide/clinic-policy.ts'

// What must not compile. Each line under `@ts-expect-error` is a guard that somebody forgot; were it to compile, the
// comment itself would be the error. Nothing here is called: the type checker is the test.

export const withoutReceipt = (scope: RequestScope, receipt: AuditReceipt, alike: Pick<AuditReceipt, 'count' | 'text'>) => [
  answer(scope, receipt, null, []),
  // @ts-expect-error P2: an answer takes the proof that its accesses were recorded
  answer(scope, null, []),
  // @ts-expect-error P2: and no undefined in its place
  answer(scope, undefined, null, []),
  // @ts-expect-error P2: nor something that looks like one
  answer(scope, alike, null, []),
]

export const withoutView: () => Permit[] = () => [
  { outcome: 'GRANTED', view: 'FULL', basis: 'SELF' as Permit['basis'], rule: 'Patient.ssn#1' },
  // @ts-expect-error P1: a permit says how much it shows
  { outcome: 'GRANTED', basis: 'SELF' as Permit['basis'], rule: 'Patient.ssn#1' },
  // @ts-expect-error P9: and which rule it stands on
  { outcome: 'GRANTED', view: 'FULL', basis: 'SELF' as Permit['basis'] },
]

export const withoutReason: () => [Denial, PathOutcome] = () => [
  // @ts-expect-error P9: a denial has a reason
  { outcome: 'DENIED', breakGlass: false },
  // @ts-expect-error P9: what is unavailable says why, to the audit
  { outcome: 'UNAVAILABLE' },
]

export const withoutGrants = (grant: Omit<Grant, 'breakGlass'>, policy: Omit<PhiPolicy, 'grants'>): [Grant, PhiPolicy] => [
  // @ts-expect-error whether an emergency may open it is said, never assumed
  grant,
  // @ts-expect-error P3: a field without grants is no policy
  policy,
]

export const withoutParts = (
  unreviewed: Omit<GatewayParts, 'lock'>,
  unrecorded: Omit<GatewayParts, 'audit'>,
  anonymous: Omit<GatewayParts, 'identity'>,
  unrelated: Omit<GatewayParts, 'relationships'>,
): GatewayParts[] => [
  // @ts-expect-error P3: a gateway takes the lock that was reviewed
  unreviewed,
  // @ts-expect-error P2: and a log
  unrecorded,
  // @ts-expect-error and whom to ask who asks
  anonymous,
  // @ts-expect-error and the relationships that decisions know
  unrelated,
]

export const withoutStage = (
  [, , negotiate, parse, , execute, settle]: Stages,
  identified: Identified,
  admitted: Admitted,
  parsed: Parsed,
  resolved: Resolved,
) => [
  negotiate(admitted),
  // @ts-expect-error P13: nothing more of a request is read before its session is checked
  negotiate(identified),
  // @ts-expect-error its media types are known before its body is read
  parse(admitted),
  // @ts-expect-error P1: nothing is executed before the effective subject is known
  execute(parsed),
  // @ts-expect-error P2: nothing is settled that was not executed
  settle(resolved),
]

// @ts-expect-error to leave the check of relationships out has to be written: 'unchecked'
export const withoutRelationships = () => compilePolicy([])
// @ts-expect-error a rule that denies has somebody to tell
export const withoutOnDenied = () => shieldRules(clinic.schema, clinic.policy, () => undefined)
// @ts-expect-error a token is for somebody: without an audience any token of the issuer would do
export const withoutAudience = () => tokenIdentity({ issuer: 'https://a', jwksUri: 'https://a/jwks' }, clinic.policy)

export const mixedUp = (patient: PatientId, caller: Caller): [TenantId, RecordId, PatientId, TenantId] => [
  // @ts-expect-error P5: a patient is no tenant
  patient,
  // @ts-expect-error P6: a patient is no record
  patient,
  // @ts-expect-error P6: any text is no patient
  'AAAAAAAAAAAAAAAAAAAAAA',
  // @ts-expect-error a user is no tenant
  caller.user,
]

describe('a guard that is forgotten does not compile', () => {
  it('P2: nothing but a trail can make a receipt', () => {
    expect(Object.keys(trail)).toEqual(['Trail'])
  })
})
