import type { Consent, ConsentSubject } from '../model/consent.ts'
import type { Caller, ConsentFacts } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { ConsentPolicy, RecordLabel, Relationship, Sensitivity } from '../../directives/policy.ts'
import { REFRAINS } from '../../directives/record-labels.ts'
import { actingRoles } from './contract.ts'

/** The basis of an access. The effect of consents depends on it. */
export type Footing = Relationship | 'BREAK_GLASS'

export type ConsentVerdict =
  /** `consent` is the id of the permission that opened the value, if a permission was required. */
  | { readonly kind: 'OPEN'; readonly consent?: string }
  | { readonly kind: 'CLOSED' }
  /** The result depends on the patient's consents, which could not be read. */
  | { readonly kind: 'UNKNOWN' }

type Subject = Pick<Caller, 'roles' | 'purpose' | 'fhirUser' | 'organization' | 'contract'>

const OPEN: ConsentVerdict = { kind: 'OPEN' }
const CLOSED: ConsentVerdict = { kind: 'CLOSED' }
/** The policy of a label that the schema does not define. */
const STRICTEST: ConsentPolicy = { rule: 'REQUIRED', opensTo: 'ANY', breakGlass: false, ownAccess: false }
/** The policy of a refrain that names the patient and the persons who act for the patient. */
const NOT_FOR_THE_PATIENT: ConsentPolicy = { rule: 'HONOR_DENIAL', opensTo: 'ANY', breakGlass: true, ownAccess: false }
const REFRAIN_NAMES: ReadonlySet<string> = new Set(REFRAINS)
const OWN: ReadonlySet<string> = new Set(['SELF', 'PROXY'])

/**
 * Checks whether the patient's consents open one value to one caller. A denial overrides a permission. If consents cannot be
 * read, a value that requires a permission is UNKNOWN. A value that only honors denials is OPEN: an outage must not stop care.
 *
 * A confidentiality, or a refrain of the source, closes a record whatever the consents say.
 *
 * A caller with a contract reads for the organization of the contract. Each label must be in the contract, and only a permission that
 * names this organization opens a label that requires one. This holds for each footing: the organization is neither the author nor the
 * patient.
 *
 * @param labels the sensitivities of the field; the facts hold the labels of the record
 * @source 42 CFR 2.31 and 2.33, for a contract 2.31(a)(4); 45 CFR 164.508(a)(2), 164.522(a)
 */
export function consentVerdict(
  labels: ReadonlySet<Sensitivity>,
  footing: Footing,
  caller: Subject,
  { rules, given, record }: ConsentFacts,
  now: Instant,
): ConsentVerdict {
  const all = new Set<RecordLabel>([...labels, ...(record?.labels ?? [])])
  const { contract } = caller
  if (contract !== undefined && [...all].some((label) => !contract.sensitivities.has(label))) return CLOSED
  const policies = [...all].map((label) => ({ label, ...policyOf(label, rules) }))
  if (policies.some(({ breakGlass, opensTo }) => !(footing === 'BREAK_GLASS' ? breakGlass : isOpenTo(opensTo, footing)))) {
    return CLOSED
  }
  if (OWN.has(footing) && !policies.every(({ ownAccess }) => ownAccess)) return CLOSED
  // an author uses their own notes for treatment without an authorization: 164.508(a)(2)(i)(A)
  const isExempt = footing === 'AUTHOR' || OWN.has(footing)
  if (isExempt && contract === undefined) return OPEN
  const required = policies.filter(({ rule }) => rule === 'REQUIRED')
  if (given === undefined) return required.length === 0 ? OPEN : { kind: 'UNKNOWN' }
  const denied = given.some(
    (consent) =>
      consent.effect === 'DENY' &&
      !(footing === 'BREAK_GLASS' && consent.breakGlass === true) &&
      (consent.labels === undefined || consent.labels.some((label) => all.has(label))) &&
      appliesTo(consent, caller, record, now),
  )
  if (denied) return CLOSED
  let consent: string | undefined
  for (const { label } of required) {
    const permission = permissionFor(label, caller, { given, ...(record !== undefined && { record }) }, now)
    if (permission === undefined) return CLOSED
    consent = permission.id
  }
  // the policy needs no consent of them: for the audit, their relationship stays the basis
  return consent === undefined || isExempt ? OPEN : { kind: 'OPEN', consent }
}

/** The consent that permits values with this label to the caller, whatever the denials. Undefined if there is none. */
export function permissionFor(
  label: RecordLabel,
  caller: Subject,
  { given, record }: Pick<ConsentFacts, 'given' | 'record'>,
  now: Instant,
): Consent | undefined {
  const { contract } = caller
  // a permission for a role that the contract excludes opens nothing, but a denial of such a role holds
  const permitted = contract === undefined ? caller : { ...caller, roles: actingRoles(caller) }
  return given?.find(
    (consent) =>
      consent.effect === 'PERMIT' &&
      consent.labels?.some((one) => one === label) === true &&
      (contract === undefined || (consent.actor !== undefined && consent.actor === contract.recipient.reference)) &&
      appliesTo(consent, permitted, record, now),
  )
}

function policyOf(label: RecordLabel, rules: ConsentFacts['rules']): ConsentPolicy {
  return REFRAIN_NAMES.has(label) ? NOT_FOR_THE_PATIENT : (rules.get(label) ?? STRICTEST)
}

function isOpenTo(opensTo: ConsentPolicy['opensTo'], footing: Relationship): boolean {
  return opensTo === 'ANY' || opensTo.has(footing)
}

function appliesTo(
  { actor, roles, purposes, records, since, until }: Consent,
  caller: Subject,
  record: ConsentSubject | undefined,
  now: Instant,
): boolean {
  if ((since !== undefined && now < since) || (until !== undefined && now >= until)) return false
  const { fhirUser, organization, contract } = caller
  if (actor !== undefined && ![fhirUser, organization, contract?.recipient.reference].includes(actor)) return false
  if (roles !== undefined && !roles.some((role) => caller.roles.has(role))) return false
  // an emergency is treatment: a consent for treatment covers it
  const purpose = caller.purpose === 'BTG' || caller.purpose === 'ETREAT' ? 'TREAT' : caller.purpose
  if (purposes !== undefined && !purposes.includes(caller.purpose) && !purposes.includes(purpose)) return false
  return records === undefined || (record !== undefined && records.some((id) => id === record.id || id === record.encounter))
}
