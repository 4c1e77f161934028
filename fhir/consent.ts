import type { Consent, ConsentChanges } from '../gateway/model/consent.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { basePolicyOf, isOfAnotherScope } from './consent-policies.ts'
import { ConsentResource, type Provision, type Rule, isInactive } from './consent-resource.ts'
import { type ConsentContext, consentsOf, type Draft } from './consent-rules.ts'
import { CodeableConcept, type Concept } from './datatypes.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'

export interface ConsentReading extends ConsentChanges {
  readonly issues: readonly MappingIssue[]
  /** Whether the consent is not understood, and so closes the whole patient. */
  readonly closesPatient: boolean
}

/** The reading of a consent that is active, or may be, and is not understood: a denial to everybody, except to break-glass. */
export function unreadConsent(id: string, ...issues: readonly MappingIssue[]): ConsentReading {
  return { given: [{ id: `${id}.1`, effect: 'DENY', breakGlass: true }], withdrawn: [id], issues, closesPatient: true }
}

/**
 * Maps the rules of a FHIR consent to permissions and denials.
 *
 * An active consent that is not fully understood gets its most restrictive reading, and the result has an issue. A permission
 * permits nothing, and a denial denies more. If the consent cannot be read, or rests on a policy that may deny anything, it denies
 * the whole record of the patient. Either way no caller sees data that the patient may have closed.
 */
export function mapConsent(entry: IdentifiedEntry, context: ConsentContext): ConsentReading {
  const id = context.idFor('Consent', entry.id)
  const parsed = ConsentResource.safeParse(entry.resource)
  const without = { given: [], withdrawn: [id], closesPatient: false } as const
  if (!parsed.success) {
    const issue = schemaIssue('Consent', parsed.error)
    return isInactive(entry.resource['status']) ? { ...without, issues: [issue] } : unreadConsent(id, issue)
  }
  const { status, provision, scope, category, policy, verification } = parsed.data
  if (status !== 'active') return { ...without, issues: [] }
  const policyRule = CodeableConcept.safeParse(parsed.data.policyRule ?? {})
  const stated = parsed.data.policyRule === undefined ? undefined : (policyRule.data ?? NO_CODES)
  const base = basePolicyOf({ category, policyRule: stated, policy })
  const rules = provision === undefined ? [] : [...rulesOf(provision, [])]
  const issues: MappingIssue[] = []
  const given: Draft[] = []
  for (const { rule, above } of rules.filter(({ rule: { type } }) => type !== undefined)) {
    // the rules above limit a nested rule
    given.push(...consentsOf(rule, above, entry, context, issues))
  }
  const untyped = rules.some(({ rule, above }) => rule.type === undefined && (above.length > 0 || isNarrowed(rule)))
  const isSilent = rules.every(({ rule: { type } }) => type === undefined)
  const closing = closingIssue(base, untyped, isSilent, isOfAnotherScope(scope))
  if (closing !== undefined) {
    const closed = unreadConsent(id, ...issues, closing)
    // the denials that are understood also hold for break-glass
    const denials = given.filter(({ effect, breakGlass }) => effect === 'DENY' && breakGlass !== true)
    return { ...closed, given: [...closed.given, ...numbered(id, denials, 2)] }
  }
  const isVerified = verification.every(({ verified }) => verified)
  if (!isVerified) issues.push(mappingIssue('Consent.verification.verified', ISSUES.unverified))
  const valid = given.filter(({ effect }) => isVerified || effect === 'DENY')
  return { ...without, given: numbered(id, valid, 1), issues }
}

/** A concept whose codes are unknown. */
const NO_CODES: Concept = { coding: [] }

/** The reason that a consent denies the whole record; undefined if its rules say everything. */
function closingIssue(
  base: ReturnType<typeof basePolicyOf>,
  untyped: boolean,
  isSilent: boolean,
  isOfOtherScope: boolean,
): MappingIssue | undefined {
  if (base === 'OPT_OUT') return mappingIssue('Consent.policyRule', ISSUES.optOut)
  if (isOfOtherScope) return undefined
  if (untyped) return mappingIssue('Consent.provision.type', ISSUES.shape)
  if (base === 'UNKNOWN') return mappingIssue('Consent.policyRule', ISSUES.policy)
  return base === 'NONE' && isSilent ? mappingIssue('Consent.provision.type', ISSUES.shape) : undefined
}

/** Yields each rule that applies by itself: every rule with a type, and every rule without nested rules. */
function* rulesOf(provision: Provision, above: readonly Provision[]): Generator<{ rule: Provision; above: readonly Provision[] }> {
  if (provision.type !== undefined || provision.provision.length === 0) yield { rule: provision, above }
  for (const one of provision.provision) yield* rulesOf(one, [...above, provision])
}

/** Whether a rule has criteria other than a period. */
function isNarrowed({ actor, action, securityLabel, purpose, class: classes, code, dataPeriod, data }: Rule): boolean {
  return dataPeriod !== undefined || [actor, action, securityLabel, purpose, classes, code, data].some(({ length }) => length > 0)
}

const numbered = (id: string, drafts: readonly Draft[], from: number): Consent[] =>
  drafts.map((draft, index) => ({ ...draft, id: `${id}.${index + from}` }))
