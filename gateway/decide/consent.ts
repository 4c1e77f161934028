import type { Consent, ConsentSubject } from '../model/consent.ts'
import type { Caller, ConsentFacts } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { ConsentPolicy, Relationship, Sensitivity } from '../../directives/policy.ts'

/** On what a grant stands whose consent is asked for. */
export type Footing = Relationship | 'BREAK_GLASS'

export type ConsentVerdict =
  /** `consent` is the permission that opened it, where one had to. */
  | { readonly kind: 'OPEN'; readonly consent?: string }
  | { readonly kind: 'CLOSED' }
  /** The patient's consents could not be read, and it depends on them. */
  | { readonly kind: 'UNKNOWN' }

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization'>

const OPEN: ConsentVerdict = { kind: 'OPEN' }
const CLOSED: ConsentVerdict = { kind: 'CLOSED' }
/** A label that the schema does not know is held as closely as any. */
const STRICTEST: ConsentPolicy = { rule: 'REQUIRED', breakGlass: false, ownAccess: false }
const OWN: ReadonlySet<string> = new Set(['SELF', 'PROXY'])

/**
 * What the patient's consents say of one value to one caller. A denial wins over a permission; where consents cannot be read,
 * what needs one is unknown and what only honors denials is open: an outage must not stop care.
 *
 * @param labels the sensitivities of the field; those of the record are in the facts
 * @source 42 CFR 2.31 and 2.33, 45 CFR 164.508(a)(2), 164.522(a)
 */
export function consentVerdict(
  labels: ReadonlySet<Sensitivity>,
  footing: Footing,
  caller: Subject,
  { rules, given, record }: ConsentFacts,
  now: Instant,
): ConsentVerdict {
  const held = new Set([...labels, ...(record?.labels ?? [])])
  const policies = [...held].map((label) => ({ label, ...(rules.get(label) ?? STRICTEST) }))
  if (footing === 'BREAK_GLASS' && policies.some(({ breakGlass }) => !breakGlass)) return CLOSED
  // the author's own notes are used for treatment without an authorization: 164.508(a)(2)(i)(A)
  if (footing === 'AUTHOR') return OPEN
  if (OWN.has(footing)) return policies.every(({ ownAccess }) => ownAccess) ? OPEN : CLOSED
  const required = policies.filter(({ rule }) => rule === 'REQUIRED')
  if (given === undefined) return required.length === 0 ? OPEN : { kind: 'UNKNOWN' }
  const applying = given.filter((consent) => speaksOf(consent, caller, record, now))
  const denied = applying.some(
    ({ effect, labels: of }) => effect === 'DENY' && (of === undefined || of.some((label) => held.has(label))),
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

function speaksOf(
  { actor, roles, purposes, records, since, until }: Consent,
  caller: Subject,
  record: ConsentSubject | undefined,
  now: Instant,
): boolean {
  if ((since !== undefined && now < since) || (until !== undefined && now >= until)) return false
  if (actor !== undefined && actor !== caller.fhirUser && actor !== caller.organization) return false
  if (roles !== undefined && !roles.some((role) => caller.roles.has(role))) return false
  // an emergency is treatment: what speaks of treatment speaks of it
  const purpose = caller.purpose === 'BTG' || caller.purpose === 'ETREAT' ? 'TREAT' : caller.purpose
  if (purposes !== undefined && !purposes.includes(caller.purpose) && !purposes.includes(purpose)) return false
  return records === undefined || (record !== undefined && records.some((id) => id === record.id || id === record.encounter))
}
