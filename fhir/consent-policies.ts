import type { Concept } from './datatypes.ts'

const ACT_CODE = /ActCode$/
const CONSENT_POLICY = /consentpolicycodes$/
const CONSENT_SCOPE = /consentscope$/

/** Base policies that deny nothing: the rules of the consent say everything. @source HL7 v3 ActConsentDirective; FHIR R4 consent policy codes */
const NEUTRAL: readonly (readonly [system: RegExp, codes: readonly string[]])[] = [
  [ACT_CODE, ['OPTIN', 'OPTINR']],
  [CONSENT_POLICY, ['hipaa-auth', 'hipaa-npp']],
]
/** Base policies that deny everything, apart from exceptions. */
const OPT_OUT: readonly string[] = ['OPTOUT', 'OPTOUTE', 'EMRGONLY']
/** Consents to a treatment, and advance directives, say nothing of disclosures. */
const OTHER_SCOPES: readonly string[] = ['adr', 'treatment']

type Concepts = readonly (Concept | undefined)[]

interface BasePolicy {
  readonly category: Concepts
  /** Undefined if the consent has no such element. */
  readonly policyRule: Concept | undefined
  readonly policy: readonly unknown[]
}

/**
 * The rule that a consent starts from, before its own rules:
 * - NONE: the consent names no base policy.
 * - NEUTRAL: it denies nothing.
 * - OPT_OUT: it denies everything.
 * - UNKNOWN: it may deny anything.
 */
export function basePolicyOf({ category, policyRule, policy }: BasePolicy): 'NONE' | 'NEUTRAL' | 'OPT_OUT' | 'UNKNOWN' {
  const codings = [policyRule, ...category].flatMap((concept) => concept?.coding ?? [])
  if (codings.some(({ system, code }) => ACT_CODE.test(system ?? '') && OPT_OUT.includes(code ?? ''))) return 'OPT_OUT'
  if (policyRule === undefined) return policy.length === 0 ? 'NONE' : 'UNKNOWN'
  const isNeutral = ({ system = '', code = '' }: Concept['coding'][number]): boolean =>
    NEUTRAL.some(([of, codes]) => of.test(system) && codes.includes(code))
  return policyRule.coding.length > 0 && policyRule.coding.every(isNeutral) ? 'NEUTRAL' : 'UNKNOWN'
}

/** Whether a consent is about something other than disclosures, and so says nothing of them without a rule of its own. */
export function isOfAnotherScope(scope: Concept | undefined): boolean {
  const codings = scope?.coding ?? []
  return (
    codings.length > 0 && codings.every(({ system, code }) => CONSENT_SCOPE.test(system ?? '') && OTHER_SCOPES.includes(code ?? ''))
  )
}
