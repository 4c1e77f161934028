import { isSelected } from '../access-filter.ts'
import type { RecordedAccess } from '../recorded-access.ts'
import type { Finding } from './finding.ts'

/** SUSPICIOUS: part of a finding. EXPLAINED: a known reason. UNEXPLAINED: neither. */
export type AccessClass = 'EXPLAINED' | 'UNEXPLAINED' | 'SUSPICIOUS'

/** The reason of a class. It is a fixed text. */
export interface AccessExplanation {
  readonly class: AccessClass
  readonly because: string
}

/** The facts about a granted access that explain it. */
export interface AccessFacts {
  readonly basis: string | null
  /** Whether the record names a membership, consent, grant or study. */
  readonly isNamed: boolean
  /** For break-glass: the grant. */
  readonly grant: string | null
  /** For an access under a contract: the partner and its operation. */
  readonly partner: string | null
  readonly operation: string | null
  /** Whether the care team read the patient in the judged days. */
  readonly isTreated: boolean
}

/** The facts besides the access itself that explanations depend on. */
export interface KnownReasons {
  /** The reviewed break-glass grants. */
  readonly reviewed: { has(grant: string): boolean }
  /** The operations that each partner used before the judged days. */
  readonly usualOperations: ReadonlyMap<string, ReadonlySet<string>>
}

/** The reason for a granted access, apart from findings. */
export function explanationOf(facts: AccessFacts, { reviewed, usualOperations }: KnownReasons): AccessExplanation {
  const { basis, isNamed, grant, partner, operation, isTreated } = facts
  if (partner !== null)
    return usualOperations.get(partner)?.has(operation ?? '') === true
      ? explained('the partner used an operation that is usual for it')
      : unexplained('the partner used an operation that it did not use before')
  switch (basis) {
    case 'SELF':
      return explained('a patient read the own record')
    case 'BREAK_GLASS':
      return grant !== null && reviewed.has(grant)
        ? explained('the break-glass grant was reviewed')
        : unexplained('the break-glass grant has no review yet')
    case 'AUTHOR':
      return explained('the user wrote the record')
    case 'CARE_TEAM':
    case 'PROXY':
    case 'CONSENT':
    case 'STUDY':
      return isNamed ? explained(NAMED[basis]) : unexplained('the access names no membership, consent or study')
    case 'ORGANIZATION':
      return isTreated
        ? explained('the care team read the patient in the same days')
        : unexplained('nobody of a care team read the patient in these days')
    case null:
    default:
      // a basis of a deployment's own, or none
      return isNamed ? explained('the access names a membership') : unexplained('the access names no membership')
  }
}

const NAMED = {
  CARE_TEAM: 'the user was a member of the care team',
  PROXY: 'the user was a proxy of the patient',
  CONSENT: 'the patient consented',
  STUDY: 'the patient was in the study',
} as const

const explained = (because: string): AccessExplanation => ({ class: 'EXPLAINED', because })
const unexplained = (because: string): AccessExplanation => ({ class: 'UNEXPLAINED', because })

/**
 * Explains one access of the judged days.
 *
 * @param isTreated whether the care team read the patient in the judged days
 * @returns undefined if the access disclosed nothing
 */
export function explainAccess(
  access: RecordedAccess,
  findings: readonly Finding[],
  known: KnownReasons,
  isTreated: boolean,
): AccessExplanation | undefined {
  const { outcome, basis = null, basisId, contract, user, operation = '' } = access
  if (outcome !== 'DISCLOSED' && outcome !== 'MASKED') return undefined
  const finding = findings.find(({ filter }) => isSelected(filter, access))
  if (finding !== undefined) return { class: 'SUSPICIOUS', because: finding.explanation }
  const isOfPartner = contract !== undefined
  return explanationOf(
    {
      basis,
      isNamed: basisId !== undefined,
      grant: basis === 'BREAK_GLASS' ? (basisId ?? null) : null,
      partner: isOfPartner ? user : null,
      operation: isOfPartner ? operation : null,
      isTreated,
    },
    known,
  )
}
