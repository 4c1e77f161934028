import type { Consent, ConsentSubject } from '../model/consent.ts'
import type { Caller, ConsentFacts } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { ConsentPolicy, Relationship, Sensitivity } from '../../directives/policy.ts'

/** The basis of an access. The effect of consents depends on it. */
export type Footing = Relationship | 'BREAK_GLASS'

export type ConsentVerdict =
  /** `consent` is the id of the permission that opened the value, if a permission was required. */
  | { readonly kind: 'OPEN'; readonly consent?: string }
  | { readonly kind: 'CLOSED' }
  /** The result depends on the patient's consents, which could not be read. */
  | { readonly kind: 'UNKNOWN' }

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization'>

const OPEN: ConsentVerdict = { kind: 'OPEN' }
const CLOSED: ConsentVerdict = { kind: 'CLOSED' }
/** The policy of a label that the schema does not define. */
const STRICTEST: ConsentPolicy = { rule: 'REQUIRED', breakGlass: false, ownAccess: false }
const OWN: ReadonlySet<string> = new Set(['SELF', 'PROXY'])

/**
 * Checks whether the patient's consents open one value to one caller. A denial overrides a permission. If consents cannot be
 * read, a value that requires a permission is UNKNOWN. A value that only honors denials is OPEN: an outage must not stop care.
 *
 * @param labels the sensitivities of the field; the facts hold those of the record
 * @source 42 CFR 2.31 and 2.33, 45 CFR 164.508(a)(2), 164.522(a)
 */
export function consentVerdict(
  labels: ReadonlySet<Sensitivity>,
  footing: Footing,
  caller: Subject,
  { rules, given, record }: ConsentFacts,
  now: Instant,
): ConsentVerdict {
  const sensitivities = new Set([...labels, ...(record?.labels ?? [])])
  const policies = [...sensitivities].map((label) => ({ label, ...(rules.get(label) ?? STRICTEST) }))
  if (footing === 'BREAK_GLASS' && policies.some(({ breakGlass }) => !breakGlass)) return CLOSED
  // an author uses their own notes for treatment without an authorization: 164.508(a)(2)(i)(A)
  if (footing === 'AUTHOR') return OPEN
  if (OWN.has(footing)) return policies.every(({ ownAccess }) => ownAccess) ? OPEN : CLOSED
  const required = policies.filter(({ rule }) => rule === 'REQUIRED')
  if (given === undefined) return required.length === 0 ? OPEN : { kind: 'UNKNOWN' }
  const applying = given.filter((consent) => appliesTo(consent, caller, record, now))
  const denied = applying.some(
    ({ effect, labels: of }) => effect === 'DENY' && (of === undefined || of.some((label) => sensitivities.has(label))),
  )
  if (denied) return CLOSED
  let consent: string | undefined
  for (const { label } of required) {
    const permission = applying.find(({ effect, labels: of }) => effect === 'PERMIT' && of?.includes(label) === true)
    if (permission === undefined) return CLOSED
    consent = permission.id
  }
  return consent === undefined ? OPEN : { kind: 'OPEN', consent }
}

function appliesTo(
  { actor, roles, purposes, records, since, until }: Consent,
  caller: Subject,
  record: ConsentSubject | undefined,
  now: Instant,
): boolean {
  if ((since !== undefined && now < since) || (until !== undefined && now >= until)) return false
  if (actor !== undefined && actor !== caller.fhirUser && actor !== caller.organization) return false
  if (roles !== undefined && !roles.some((role) => caller.roles.has(role))) return false
  // an emergency is treatment: a consent for treatment covers it
  const purpose = caller.purpose === 'BTG' || caller.purpose === 'ETREAT' ? 'TREAT' : caller.purpose
  if (purposes !== undefined && !purposes.includes(caller.purpose) && !purposes.includes(purpose)) return false
  return records === undefined || (record !== undefined && records.some((id) => id === record.id || id === record.encounter))
}
