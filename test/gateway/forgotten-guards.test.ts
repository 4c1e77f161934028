import { describe, expect, it } from 'vitest'
import { shieldRules } from '../../gateway/access/shield-rules.ts'
import { tokenIdentity } from '../../gateway/access/identity.ts'
import type { AuditReceipt } from '../../gateway/audit/trail.ts'
import * as trail from '../../gateway/audit/trail.ts'
import type { UpstreamEntry, UpstreamRecord } from '../../gateway/store/upstream-source.ts'
import { compilePolicy } from '../../directives/compile.ts'
import type { PathOutcome } from '../../gateway/disclosure/path-outcome.ts'
import { answer, type Draft } from '../../gateway/answer.ts'
import type { GatewayParts } from '../../gateway/gateway-parts.ts'
import type { Admitted, Identified, Parsed, Resolved, Selected, Stages } from '../../gateway/pipeline.ts'
import type { Caller, Denial, Permit } from '../../gateway/model/decision.ts'
import type { PatientId, RecordId, RequestId, TenantId } from '../../gateway/model/ids.ts'
import type { Grant, PhiPolicy } from '../../directives/policy.ts'
import { clinic } from './decide/clinic-policy.ts'

// Code that must not compile. Each line under `@ts-expect-error` omits a guard. If it compiled, the comment itself would be the
// error. Nothing here is called: the type checker is the test.

export const withoutReceipt = (draft: Draft, id: RequestId, receipt: AuditReceipt, alike: Pick<AuditReceipt, 'count' | 'text'>) => [
  answer(id, draft, receipt),
  // @ts-expect-error P2: an answer needs the proof that its accesses were recorded
  answer(id, draft),
  // @ts-expect-error P2: undefined is no proof
  answer(id, draft, undefined),
  // @ts-expect-error P2: an object of the same shape is no proof
  answer(id, draft, alike),
]

export const withoutView: () => Permit[] = () => [
  { outcome: 'GRANTED', view: 'FULL', basis: 'SELF' as Permit['basis'], rule: 'Patient.ssn#1' },
  // @ts-expect-error P1: a permit has a view
  { outcome: 'GRANTED', basis: 'SELF' as Permit['basis'], rule: 'Patient.ssn#1' },
  // @ts-expect-error P9: a permit has a rule
  { outcome: 'GRANTED', view: 'FULL', basis: 'SELF' as Permit['basis'] },
]

export const withoutReason: () => [Denial, PathOutcome] = () => [
  // @ts-expect-error P9: a denial has a reason
  { outcome: 'DENIED', breakGlass: false },
  // @ts-expect-error P9: an unavailable value has a reason for the audit
  { outcome: 'UNAVAILABLE' },
]

export const withoutGrants = (grant: Omit<Grant, 'breakGlass'>, policy: Omit<PhiPolicy, 'grants'>): [Grant, PhiPolicy] => [
  // @ts-expect-error a grant states whether break-glass extends it
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
  // @ts-expect-error P3: a gateway needs a reviewed lock
  unreviewed,
  // @ts-expect-error P2: a gateway needs an audit log
  unrecorded,
  // @ts-expect-error a gateway needs an identity for its callers
  anonymous,
  // @ts-expect-error a gateway needs the relationships of its decisions
  unrelated,
]

export const withoutStage = (
  [, , negotiate, parse, , resolveSubject, execute, settle]: Stages,
  identified: Identified,
  admitted: Admitted,
  parsed: Parsed,
  selected: Selected,
  resolved: Resolved,
) => [
  negotiate(admitted),
  // @ts-expect-error P13: the session is checked before anything else of a request is read
  negotiate(identified),
  // @ts-expect-error media types are negotiated before the body is read
  parse(admitted),
  // @ts-expect-error P10: the operation is found, and its contract applied, before the caller acts
  resolveSubject(parsed),
  // @ts-expect-error P1: the effective subject is resolved before execution
  execute(selected),
  // @ts-expect-error P2: only an executed request is settled
  settle(resolved),
]

// @ts-expect-error the check of relationships can be left out only by an explicit 'unchecked'
export const withoutRelationships = () => compilePolicy([])
// @ts-expect-error a rule needs a callback for denials
export const withoutOnDenied = () => shieldRules(clinic.schema, clinic.policy, () => undefined)
// @ts-expect-error without an audience, any token of the issuer would be accepted
export const withoutAudience = () => tokenIdentity({ issuer: 'https://a', jwksUri: 'https://a/jwks' }, clinic.policy)

export const withoutLabels = (
  read: Omit<UpstreamRecord, 'labels'>,
  listed: Omit<UpstreamEntry, 'labels'>,
): [UpstreamRecord, UpstreamEntry, UpstreamRecord, UpstreamEntry] => [
  // @ts-expect-error a record of another system states its labels, also if it has none: consents close it by them
  read,
  // @ts-expect-error so does an entry of its list
  listed,
  { ...read, labels: [] },
  { ...listed, labels: [] },
]

export const mixedUp = (patient: PatientId, caller: Caller): [TenantId, RecordId, PatientId, TenantId] => [
  // @ts-expect-error P5: a patient is no tenant
  patient,
  // @ts-expect-error P6: a patient is no record
  patient,
  // @ts-expect-error P6: a plain text is no patient
  'AAAAAAAAAAAAAAAAAAAAAA',
  // @ts-expect-error a user is no tenant
  caller.user,
]

describe('an omitted guard does not compile', () => {
  it('P2: only a trail can make a receipt', () => {
    expect(Object.keys(trail)).toEqual(['Trail'])
  })
})
