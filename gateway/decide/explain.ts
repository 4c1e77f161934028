import type { Consent } from '../model/consent.ts'
import type { Caller, Decision, Denial, Facts, Refusal } from '../model/decision.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { Instant } from '../model/ids.ts'
import type { Action, PolicyTable, Relationship, View } from '../../directives/policy.ts'
import { decide } from './decide.ts'
import { firstRefusedInput } from './decide-inputs.ts'

/** What would be answered for one path, and by which line of the schema. */
export interface PathExplanation {
  /** DEPENDS where no patient is named, or where a service did not tell what the decision needs. */
  readonly outcome: 'GRANTED' | 'MASKED' | 'DENIED' | 'DEPENDS'
  /** Where it depends: the most that could be given. */
  readonly view?: View
  readonly reason?: Refusal
  /** The line that grants it, or that comes closest to it. */
  readonly rule?: string
  /** Relationships, one of which must hold; CONSENT and BREAK_GLASS beside them, and STUDY for who acts for research. Empty unless the outcome is DEPENDS. */
  readonly dependsOn: readonly string[]
  /** Whether breaking the glass would open what is denied, or what depends on a relationship. */
  readonly breakGlass: boolean
  /** Whether a patient could close it by a consent. Follows from role, purpose and relationship, never from what a patient said. */
  readonly consentCouldClose: boolean
}

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'study'>
type Table = Pick<PolicyTable, 'phi' | 'computed' | 'consent'>

/** The broadest denial that there is. */
const DENY_ALL: Consent = { id: '', effect: 'DENY' }

/**
 * Explains the decision about one path: the very same decision as an answer takes, asked under what is known, and under what
 * could be. Pure and total; opens nothing.
 *
 * @param facts what is known of the caller and the patient; undefined where no patient is named
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
  const possible = atBest(table, path, facts, now)
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

/** What is known, and wherever something is not known, what opens most. */
function atBest(table: Table, path: SchemaPath, facts: Facts | undefined, now: Instant): Facts {
  const everything: Consent = { id: '', effect: 'PERMIT', labels: [...table.consent.keys()] }
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

/** What would have to be known: each grant is asked for by itself. */
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
      const alone = decide({ ...field, grants: [grant] }, caller, possible, now, index === 0 ? action : 'READ')
      if (alone.outcome === 'DENIED' || alone.outcome === 'INDETERMINATE') continue
      if (alone.basis === 'BREAK_GLASS') names.add('BREAK_GLASS')
      else if (facts?.relationships.has(grant.relationship) !== true) names.add(grant.relationship)
    }
  }
  // a researcher stands in no relationship to anybody but the patients of their study
  if (caller.study !== undefined && names.size > 0) names.add('STUDY')
  if (facts?.consent.given === undefined) {
    const silent = decided(table, path, caller, { ...possible, consent: { ...possible.consent, given: [] } }, now, action)
    if (silent.outcome === 'DENIED') names.add('CONSENT')
  }
  return [...names]
}
