import type { Caller, Decision, Denial, Facts, Permit, Refusal, Indeterminate } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { Action, Grant, PhiPolicy, Relationship, View } from '../../directives/policy.ts'
import { consentVerdict } from './consent.ts'
import { isWithinLimits } from './relationship-limits.ts'

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization'>

/**
 * Decides whether a caller may see one field of one patient's record.
 *
 * Pure and total: every input has an answer, and what is not known is refused (P3). The most revealing grant that applies
 * wins; when none applies, the refusal names the check that came closest to passing, so that "which rule denied me?" has
 * an answer. Where it depends on what a service did not tell, the answer is neither yes nor no.
 *
 * @source 45 CFR 164.502(b), 164.312(a)(2)(ii) for the emergency branch
 */
export function decide(
  policy: PhiPolicy | undefined,
  caller: Subject,
  facts: Facts,
  now: Instant,
  action: Action = 'READ',
): Decision {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }

  const breakGlass =
    caller.purpose === 'BTG' && facts.breakGlass !== undefined && facts.breakGlass.until > now ? facts.breakGlass : undefined
  let best: Permit | undefined
  let open: Indeterminate | undefined
  let closed: Denial | undefined
  for (const grant of policy.grants) {
    if (!grant.actions.has(action)) continue
    const missing = firstMissing(policy, grant, caller, facts)
    const byBreakGlass = missing !== undefined && breakGlass !== undefined && opensByBreakGlass(grant, caller)
    if (missing === 'RELATIONSHIP' && !byBreakGlass && facts.unknown?.has(grant.relationship) === true) {
      open ??= { outcome: 'INDETERMINATE', rule: grant.rule }
    }
    if (missing !== undefined && !byBreakGlass) continue
    const { view, relationship, rule } = grant
    const verdict = consentVerdict(policy.sensitivity, byBreakGlass ? 'BREAK_GLASS' : relationship, caller, facts.consent, now)
    if (verdict.kind === 'UNKNOWN') open = { outcome: 'INDETERMINATE', rule }
    if (verdict.kind === 'CLOSED') closed ??= { outcome: 'DENIED', reason: 'CONSENT', rule, breakGlass: false }
    if (verdict.kind !== 'OPEN' || (best !== undefined && REVEALS[view] <= REVEALS[best.view])) continue
    const basis = footingOf(relationship, byBreakGlass ? breakGlass : undefined, verdict.consent)
    best = { outcome: view === 'FULL' ? 'GRANTED' : 'MASKED', view, rule, ...basis }
  }
  return best ?? open ?? closed ?? refuse(policy, caller, facts, action)
}

/** What a permit stands on: the consent that had to be given, else the emergency, else the relationship. */
function footingOf(
  relationship: Relationship,
  breakGlass: { readonly grant: string } | undefined,
  consent: string | undefined,
): Pick<Permit, 'basis' | 'basisId'> {
  if (breakGlass !== undefined) return { basis: 'BREAK_GLASS', basisId: breakGlass.grant }
  return consent === undefined ? { basis: relationship } : { basis: 'CONSENT', basisId: consent }
}

/**
 * What role and purpose alone allow, before any record is known: undefined when some record could grant the field, else
 * the refusal that every record will give.
 */
export function refuseBeforeRecord(policy: PhiPolicy | undefined, caller: Subject, action: Action = 'READ'): Denial | undefined {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }
  const possible = policy.grants.some(
    (grant) =>
      grant.actions.has(action) &&
      overlap(grant.roles, caller.roles) &&
      (grant.purposes.has(caller.purpose) || (caller.purpose === 'BTG' && opensByBreakGlass(grant, caller))),
  )
  return possible ? undefined : refuse(policy, caller, { relationships: new Set() }, action)
}

function refuse(policy: PhiPolicy, caller: Subject, facts: RelationshipFacts, action: Action): Denial {
  let closest: { grant: Grant; reason: Missing } | undefined
  for (const grant of policy.grants) {
    if (!grant.actions.has(action)) continue
    const reason = firstMissing(policy, grant, caller, facts)
    if (reason !== undefined && (!closest || PROGRESS[reason] > PROGRESS[closest.reason])) closest = { grant, reason }
  }
  return {
    outcome: 'DENIED',
    reason: closest?.reason ?? 'ROLE',
    ...(closest && { rule: closest.grant.rule }),
    breakGlass: policy.grants.some((grant) => grant.actions.has(action) && opensByBreakGlass(grant, caller)),
  }
}

/** An emergency stands for treatment and a missing place on the care team. It never stands for a role. */
function opensByBreakGlass(grant: Grant, caller: Subject): boolean {
  return grant.breakGlass && grant.relationship === 'CARE_TEAM' && grant.purposes.has('TREAT') && overlap(grant.roles, caller.roles)
}

type Missing = Extract<Refusal, 'ROLE' | 'PURPOSE' | 'RELATIONSHIP'>

/** Before any record is known there are no consents, and no relationship that could be limited. */
type RelationshipFacts = Pick<Facts, 'relationships' | 'limits'> & Partial<Pick<Facts, 'consent'>>

function firstMissing(policy: PhiPolicy, grant: Grant, caller: Subject, facts: RelationshipFacts): Missing | undefined {
  if (!overlap(grant.roles, caller.roles)) return 'ROLE'
  if (!grant.purposes.has(caller.purpose)) return 'PURPOSE'
  if (!facts.relationships.has(grant.relationship) || !isWithinLimits(grant.relationship, policy, facts)) return 'RELATIONSHIP'
  return undefined
}

/** How far a refused grant got, so that the nearest miss is the one explained. */
const PROGRESS: Record<Missing, number> = { ROLE: 1, PURPOSE: 2, RELATIONSHIP: 3 }

/** Views that tie never meet on one field: the schema's lint sees to it. */
const REVEALS: Record<View, number> = { FULL: 4, LAST4: 3, YEAR: 3, ZIP3: 3, PSEUDONYM: 2, PRESENCE: 1 }

function overlap<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  for (const item of a) if (b.has(item)) return true
  return false
}
