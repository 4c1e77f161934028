import type { Caller, Decision, Denial, Facts, Permit, Refusal, Indeterminate } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { Action, Grant, PhiPolicy, Relationship } from '../../directives/policy.ts'
import { VIEWS } from '../../directives/view-rules.ts'
import { consentVerdict } from './consent.ts'
import { actingRoles, refuseByContract } from './contract.ts'
import { isWithinLimits } from './relationship-limits.ts'

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'study' | 'contract'>

/**
 * Decides whether a caller may see one field of one patient's record.
 *
 * Pure and total: every input has an answer, and unknown input is denied (P3).
 *
 * - If several grants apply, the view with the highest rank wins. Lint rejects views of equal rank on one field.
 * - If no grant applies, the denial names the rule that came closest, so that "which rule denied me?" has an answer.
 * - If the answer depends on attributes that a service did not return, it is INDETERMINATE.
 * - A contract only narrows: outside of it the answer is a denial, whatever grants and consents say.
 *
 * @source 45 CFR 164.502(b), 164.312(a)(2)(ii) for break-glass
 */
export function decide(
  policy: PhiPolicy | undefined,
  asking: Subject,
  facts: Facts,
  now: Instant,
  action: Action = 'READ',
): Decision {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }

  const beyond = refuseByContract(policy, asking, now)
  if (beyond !== undefined) return beyond
  const caller = acting(asking)
  const breakGlass =
    caller.purpose === 'BTG' && facts.breakGlass !== undefined && facts.breakGlass.until > now ? facts.breakGlass : undefined
  let best: Permit | undefined
  let indeterminate: Indeterminate | undefined
  let closed: Denial | undefined
  for (const grant of policy.grants) {
    if (!grant.actions.has(action)) continue
    const missing = firstMissing(policy, grant, caller, facts)
    const byBreakGlass = missing !== undefined && breakGlass !== undefined && opensByBreakGlass(grant, caller)
    if (missing === 'RELATIONSHIP' && !byBreakGlass && facts.unknown?.has(grant.relationship) === true) {
      indeterminate ??= { outcome: 'INDETERMINATE', rule: grant.rule }
    }
    if (missing !== undefined && !byBreakGlass) continue
    const { view, relationship, rule } = grant
    const verdict = consentVerdict(policy.sensitivity, byBreakGlass ? 'BREAK_GLASS' : relationship, asking, facts.consent, now)
    if (verdict.kind === 'UNKNOWN') indeterminate = { outcome: 'INDETERMINATE', rule }
    if (verdict.kind === 'CLOSED') closed ??= { outcome: 'DENIED', reason: 'CONSENT', rule, breakGlass: false }
    if (verdict.kind !== 'OPEN' || (best !== undefined && VIEWS[view].rank <= VIEWS[best.view].rank)) continue
    const basis = basisOf(relationship, byBreakGlass ? breakGlass : undefined, verdict.consent, caller.study, facts)
    best = { outcome: view === 'FULL' ? 'GRANTED' : 'MASKED', view, rule, ...basis }
  }
  return best ?? indeterminate ?? closed ?? refuse(policy, caller, facts, action)
}

/** The caller in the roles that its contract admits. Consents see all of its roles: a denial of one of them stays a denial. */
const acting = (caller: Subject): Subject => (caller.contract === undefined ? caller : { ...caller, roles: actingRoles(caller) })

/** The basis of a permit: break-glass, else the consent that the sensitivity requires, else the study, else the relationship. */
function basisOf(
  relationship: Relationship,
  breakGlass: { readonly grant: string } | undefined,
  consent: string | undefined,
  study: Caller['study'],
  { grounds, limits }: Pick<Facts, 'grounds' | 'limits'>,
): Pick<Permit, 'basis' | 'basisId' | 'since' | 'limits'> {
  if (breakGlass !== undefined) return { basis: 'BREAK_GLASS', basisId: breakGlass.grant }
  if (consent !== undefined) return { basis: 'CONSENT', basisId: consent }
  const { id, since } = grounds?.get(relationship) ?? {}
  const scopes = limits?.get(relationship)
  const held = { ...(since !== undefined && { since }), ...(scopes !== undefined && { limits: scopes }) }
  // for research, every relationship holds only while the patient is in the study
  if (typeof study === 'string') return { basis: 'STUDY', basisId: study, ...held }
  return { basis: relationship, ...(id !== undefined && { basisId: id }), ...held }
}

/**
 * Decides by contract, role and purpose only, before a record is loaded.
 *
 * @returns the denial that every record would give, or undefined if some record could grant the field
 */
export function refuseBeforeRecord(policy: PhiPolicy | undefined, asking: Subject, action: Action = 'READ'): Denial | undefined {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }
  const beyond = refuseByContract(policy, asking)
  if (beyond !== undefined) return beyond
  const caller = acting(asking)
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

/** Break-glass replaces the purpose TREAT and a missing place on the care team. It never replaces a role. */
function opensByBreakGlass(grant: Grant, caller: Subject): boolean {
  return grant.breakGlass && grant.relationship === 'CARE_TEAM' && grant.purposes.has('TREAT') && overlap(grant.roles, caller.roles)
}

type Missing = Extract<Refusal, 'ROLE' | 'PURPOSE' | 'RELATIONSHIP'>

/** Before a record is loaded there are no consents and no relationship limits. */
type RelationshipFacts = Pick<Facts, 'relationships' | 'limits'> & Partial<Pick<Facts, 'consent'>>

function firstMissing(policy: PhiPolicy, grant: Grant, caller: Subject, facts: RelationshipFacts): Missing | undefined {
  if (!overlap(grant.roles, caller.roles)) return 'ROLE'
  if (!grant.purposes.has(caller.purpose)) return 'PURPOSE'
  if (!facts.relationships.has(grant.relationship) || !isWithinLimits(grant.relationship, policy, facts)) return 'RELATIONSHIP'
  return undefined
}

/** The number of checks that a grant passed: the denial explains the grant that passed the most. */
const PROGRESS: Record<Missing, number> = { ROLE: 1, PURPOSE: 2, RELATIONSHIP: 3 }

function overlap<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  for (const item of a) if (b.has(item)) return true
  return false
}
