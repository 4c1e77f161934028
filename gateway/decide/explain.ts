import type { Consent } from '../model/consent.ts'
import type { Caller, Decision, Denial, Facts, Refusal } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { Action, PolicyTable, Relationship, Sensitivity, View } from '../../directives/policy.ts'
import { decide } from './decide.ts'
import { firstRefusedInput } from './decide-inputs.ts'

/** The expected outcome for one path, and the schema line that decides it. */
export interface PathExplanation {
  /** DEPENDS if no patient is named, or if a service failed to provide a fact that the decision needs. */
  readonly outcome: 'GRANTED' | 'MASKED' | 'DENIED' | 'DEPENDS'
  /** For DEPENDS, the most that could be disclosed. Absent if nothing could. */
  readonly view?: View
  readonly reason?: Refusal
  /** The schema line that grants the path or comes closest to granting it. */
  readonly rule?: string
  /**
   * At least one of the listed relationships must exist. The list can also contain CONSENT and BREAK_GLASS, and STUDY for
   * callers that act for research. Empty unless the outcome is DEPENDS.
   */
  readonly dependsOn: readonly string[]
  /** Whether break-glass would open a path that is denied or depends on a relationship. */
  readonly breakGlass: boolean
  /** Whether a patient could close the path by a consent. It follows from role, purpose and relationship, never from consents. */
  readonly consentCouldClose: boolean
}

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'study' | 'contract'>
type Table = Pick<PolicyTable, 'phi' | 'computed' | 'consent'>

/** The broadest possible denial. */
const DENY_ALL: Consent = { id: '', effect: 'DENY' }

/**
 * Explains the decision about one path. It makes the same decision as a real request: once with the known facts, and once with
 * the best possible facts. Pure and total; opens nothing.
 *
 * @param facts the known facts about the caller and the patient; undefined if no patient is named
 * @source 45 CFR 164.502(b)
 */
export function explainPath(
  table: Table,
  path: SchemaPath,
  caller: Subject,
  facts: Facts | undefined,
  now: Instant,
  action: Action = 'READ',
): PathExplanation {
  const under = (supposed: Facts): Decision => decided(table, path, caller, supposed, now, action)
  const possible = bestCase(table, path, caller, facts, now)
  const decision = under(facts ?? possible)
  if (decision.outcome === 'DENIED') return denied(decision)
  const base = facts ?? possible
  const consentCouldClose = under({ ...base, consent: { ...base.consent, given: [DENY_ALL] } }).outcome === 'DENIED'
  if (facts === undefined || decision.outcome === 'INDETERMINATE') {
    const most = under(possible)
    if (most.outcome === 'DENIED') return denied(most)
    const without = under({ relationships: new Set(), consent: possible.consent })
    return {
      outcome: 'DEPENDS',
      ...(most.outcome !== 'INDETERMINATE' && { view: most.view }),
      rule: most.rule,
      dependsOn: dependencies(table, path, caller, facts, possible, now, action),
      breakGlass: without.outcome === 'DENIED' && without.breakGlass,
      consentCouldClose,
    }
  }
  const { outcome, view, rule } = decision
  return { outcome, view, rule, dependsOn: [], breakGlass: false, consentCouldClose }
}

function denied({ reason, rule, breakGlass }: Denial): PathExplanation {
  return { outcome: 'DENIED', reason, ...(rule !== undefined && { rule }), dependsOn: [], breakGlass, consentCouldClose: false }
}

function decided(table: Table, path: SchemaPath, caller: Subject, facts: Facts, now: Instant, action: Action): Decision {
  const decision = decide(table.phi.get(path), caller, facts, now, action)
  if (decision.outcome === 'DENIED' || decision.outcome === 'INDETERMINATE') return decision
  return firstRefusedInput(table, path, caller, facts, now) ?? decision
}

/** The known facts, with the most permissive value for each unknown fact. */
function bestCase(table: Table, path: SchemaPath, { contract }: Subject, facts: Facts | undefined, now: Instant): Facts {
  const sensitivities = [...table.consent].filter(([, { opensTo }]) => opensTo === 'ANY').map(([label]) => label as Sensitivity)
  const actor = contract?.recipient.reference
  const everything: Consent = { id: '', effect: 'PERMIT', labels: sensitivities, ...(actor !== undefined && { actor }) }
  const given = facts?.consent.given ?? [everything]
  if (facts !== undefined) {
    return {
      ...facts,
      relationships: new Set([...facts.relationships, ...(facts.unknown ?? [])]),
      consent: { ...facts.consent, given },
    }
  }
  const fields = [path, ...(table.computed.get(path) ?? [])].flatMap((name) => table.phi.get(name) ?? [])
  const names = fields.flatMap(({ grants }) => grants.map(({ relationship }) => relationship))
  const until = (now + 1) as Instant
  return { relationships: new Set(names), breakGlass: { grant: '', until }, consent: { rules: table.consent, given } }
}

/** The facts that the outcome depends on. Each grant is decided separately. */
function dependencies(
  table: Table,
  path: SchemaPath,
  caller: Subject,
  facts: Facts | undefined,
  possible: Facts,
  now: Instant,
  action: Action,
): readonly string[] {
  const names = new Set<Relationship | 'BREAK_GLASS' | 'CONSENT' | 'STUDY'>()
  const fields = [path, ...(table.computed.get(path) ?? [])].flatMap((name) => table.phi.get(name) ?? [])
  for (const [index, field] of fields.entries()) {
    for (const grant of field.grants) {
      const single = decide({ ...field, grants: [grant] }, caller, possible, now, index === 0 ? action : 'READ')
      if (single.outcome === 'DENIED' || single.outcome === 'INDETERMINATE') continue
      if (single.basis === 'BREAK_GLASS') names.add('BREAK_GLASS')
      else if (facts?.relationships.has(grant.relationship) !== true) names.add(grant.relationship)
    }
  }
  // a researcher has relationships only to the patients of their study
  if (caller.study !== undefined && names.size > 0) names.add('STUDY')
  if (facts?.consent.given === undefined) {
    const withoutConsents = decided(table, path, caller, { ...possible, consent: { ...possible.consent, given: [] } }, now, action)
    if (withoutConsents.outcome === 'DENIED') names.add('CONSENT')
  }
  return [...names]
}
