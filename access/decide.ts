import type { Caller, Decision, Denial, Facts, Refusal } from '../vocabulary/decision.ts'
import type { Instant } from '../vocabulary/ids.ts'
import type { Action, Grant, PhiPolicy, View } from '../vocabulary/policy.ts'

type Asker = Pick<Caller, 'roles' | 'purpose'>

/**
 * Decides whether a caller may see one field of one patient's record.
 *
 * Pure and total: every input has an answer, and what is not known is refused (P3). The most revealing grant that applies
 * wins; when none applies, the refusal names the check that came closest to passing, so that "which rule denied me?" has
 * an answer.
 *
 * @source 45 CFR 164.502(b), 164.312(a)(2)(ii) for the emergency branch
 */
export function decide(
  policy: PhiPolicy | undefined,
  caller: Asker,
  facts: Facts,
  now: Instant,
  action: Action = 'READ',
): Decision {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }

  const emergency =
    caller.purpose === 'BTG' && facts.breakGlass !== undefined && facts.breakGlass.until > now ? facts.breakGlass : undefined
  let best: { grant: Grant; emergency: boolean } | undefined
  for (const grant of policy.grants) {
    if (!grant.actions.has(action)) continue
    const missing = firstMissing(grant, caller, facts)
    const byEmergency = missing !== undefined && emergency !== undefined && opensInEmergency(grant, caller)
    if (missing !== undefined && !byEmergency) continue
    if (!best || REVEALS[grant.view] > REVEALS[best.grant.view]) best = { grant, emergency: byEmergency }
  }
  if (best === undefined) return refuse(policy, caller, facts, action)

  const { view, relationship, rule } = best.grant
  return {
    outcome: view === 'FULL' ? 'GRANTED' : 'MASKED',
    view,
    rule,
    ...(best.emergency && emergency !== undefined ? { basis: 'BREAK_GLASS', basisId: emergency.grant } : { basis: relationship }),
  }
}

/**
 * What role and purpose alone allow, before any record is known: undefined when some record could grant the field, else
 * the refusal that every record will give.
 */
export function refuseBeforeRecord(policy: PhiPolicy | undefined, caller: Asker, action: Action = 'READ'): Denial | undefined {
  if (policy === undefined) return { outcome: 'DENIED', reason: 'UNKNOWN_FIELD', breakGlass: false }
  const possible = policy.grants.some(
    (grant) =>
      grant.actions.has(action) &&
      overlap(grant.roles, caller.roles) &&
      (grant.purposes.has(caller.purpose) || (caller.purpose === 'BTG' && opensInEmergency(grant, caller))),
  )
  return possible ? undefined : refuse(policy, caller, { relationships: new Set() }, action)
}

function refuse(policy: PhiPolicy, caller: Asker, facts: Facts, action: Action): Denial {
  let closest: { grant: Grant; reason: Missing } | undefined
  for (const grant of policy.grants) {
    if (!grant.actions.has(action)) continue
    const reason = firstMissing(grant, caller, facts)
    if (reason !== undefined && (!closest || PROGRESS[reason] > PROGRESS[closest.reason])) closest = { grant, reason }
  }
  return {
    outcome: 'DENIED',
    reason: closest?.reason ?? 'ROLE',
    ...(closest && { rule: closest.grant.rule }),
    breakGlass: policy.grants.some((grant) => grant.actions.has(action) && opensInEmergency(grant, caller)),
  }
}

/** An emergency stands for treatment and a missing place on the care team. It never stands for a role. */
function opensInEmergency(grant: Grant, caller: Asker): boolean {
  return grant.breakGlass && grant.relationship === 'CARE_TEAM' && grant.purposes.has('TREAT') && overlap(grant.roles, caller.roles)
}

type Missing = Extract<Refusal, 'ROLE' | 'PURPOSE' | 'RELATIONSHIP'>

function firstMissing(grant: Grant, caller: Asker, facts: Facts): Missing | undefined {
  if (!overlap(grant.roles, caller.roles)) return 'ROLE'
  if (!grant.purposes.has(caller.purpose)) return 'PURPOSE'
  if (!facts.relationships.has(grant.relationship)) return 'RELATIONSHIP'
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
