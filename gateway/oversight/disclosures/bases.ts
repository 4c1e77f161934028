/** Why a disclosure is not in an accounting. @source 45 CFR 164.528(a)(1)(i)-(ix) */
export type Exclusion =
  | 'TREATMENT_PAYMENT_OPERATIONS'
  | 'TO_INDIVIDUAL'
  | 'INCIDENTAL'
  | 'AUTHORIZATION'
  | 'DIRECTORY_OR_CARE'
  | 'NATIONAL_SECURITY'
  | 'CORRECTIONAL'
  | 'LIMITED_DATA_SET'
  | 'BEFORE_COMPLIANCE_DATE'
  /** No disclosure: the information stays within the entity (45 CFR 160.103). */
  | 'USE_BY_WORKFORCE'

interface Counted {
  readonly counts: true
  /** The purpose in words, for the individual. */
  readonly words: string
  readonly citation: string
  /** Whether repeated disclosures to one recipient have the summary form of 164.528(b)(3). */
  readonly isSummarized: boolean
  /** Whether an agency can suspend the accounting (164.528(a)(2)). */
  readonly isSuspended: boolean
}

interface Excluded {
  readonly counts: false
  readonly exclusion: Exclusion
  readonly words: string
  readonly citation: string
}

const counted = (words: string, section: string): Counted => ({
  counts: true,
  words,
  citation: `45 CFR ${section}`,
  isSummarized: true,
  isSuspended: false,
})
const excluded = (exclusion: Exclusion, words: string, section: string): Excluded => ({
  counts: false,
  exclusion,
  words,
  citation: `45 CFR ${section}`,
})

/** The provisions that can permit a disclosure, and whether an accounting includes it. */
export const BASES = {
  REQUIRED_BY_LAW: counted('Required by law', '164.512(a)'),
  PUBLIC_HEALTH: counted('Public health activities', '164.512(b)'),
  ABUSE_OR_NEGLECT: counted('Report about abuse, neglect or domestic violence', '164.512(c)'),
  HEALTH_OVERSIGHT: { ...counted('Health oversight activities', '164.512(d)'), isSuspended: true },
  JUDICIAL: counted('Judicial or administrative proceeding', '164.512(e)'),
  LAW_ENFORCEMENT: { ...counted('Law enforcement', '164.512(f)'), isSuspended: true },
  DECEDENT: counted('Information about a decedent', '164.512(g)'),
  DONATION: counted('Organ, eye or tissue donation', '164.512(h)'),
  RESEARCH: counted('Research', '164.512(i)'),
  SERIOUS_THREAT: counted('Serious threat to health or safety', '164.512(j)'),
  GOVERNMENT_FUNCTION: counted('Specialized government function', '164.512(k)'),
  WORKERS_COMPENSATION: counted("Workers' compensation", '164.512(l)'),
  HHS: counted('Compliance review by the Department of Health and Human Services', '164.502(a)(2)(ii)'),
  // the summary form exists for disclosures that the rule permits or requires
  NOT_PERMITTED: { ...counted('Disclosure that was not permitted', '164.528(a)(1)'), isSummarized: false },
  OTHER: { ...counted('Other purpose', '164.528(a)(1)'), isSummarized: false },
  TREATMENT_PAYMENT_OPERATIONS: excluded(
    'TREATMENT_PAYMENT_OPERATIONS',
    'Treatment, payment or healthcare operations',
    '164.528(a)(1)(i)',
  ),
  TO_INDIVIDUAL: excluded('TO_INDIVIDUAL', 'To the individual', '164.528(a)(1)(ii)'),
  INCIDENTAL: excluded('INCIDENTAL', 'Incident to a permitted use or disclosure', '164.528(a)(1)(iii)'),
  AUTHORIZATION: excluded('AUTHORIZATION', 'Authorization of the individual', '164.528(a)(1)(iv)'),
  DIRECTORY_OR_CARE: excluded('DIRECTORY_OR_CARE', 'Facility directory, or to persons involved in the care', '164.528(a)(1)(v)'),
  NATIONAL_SECURITY: excluded('NATIONAL_SECURITY', 'National security or intelligence', '164.528(a)(1)(vi)'),
  CORRECTIONAL: excluded('CORRECTIONAL', 'Correctional institution or custody', '164.528(a)(1)(vii)'),
  LIMITED_DATA_SET: excluded('LIMITED_DATA_SET', 'Part of a limited data set', '164.528(a)(1)(viii)'),
} as const satisfies Readonly<Record<string, Counted | Excluded>>

export type Basis = keyof typeof BASES
export type CountedBasis = { [Name in Basis]: (typeof BASES)[Name] extends Counted ? Name : never }[Basis]
export const BASIS_NAMES = Object.keys(BASES) as [Basis, ...Basis[]]

/** The provision of an exclusion. */
export const CITATIONS: Readonly<Record<Exclusion, string>> = {
  TREATMENT_PAYMENT_OPERATIONS: BASES.TREATMENT_PAYMENT_OPERATIONS.citation,
  TO_INDIVIDUAL: BASES.TO_INDIVIDUAL.citation,
  INCIDENTAL: BASES.INCIDENTAL.citation,
  AUTHORIZATION: BASES.AUTHORIZATION.citation,
  DIRECTORY_OR_CARE: BASES.DIRECTORY_OR_CARE.citation,
  NATIONAL_SECURITY: BASES.NATIONAL_SECURITY.citation,
  CORRECTIONAL: BASES.CORRECTIONAL.citation,
  LIMITED_DATA_SET: BASES.LIMITED_DATA_SET.citation,
  BEFORE_COMPLIANCE_DATE: '45 CFR 164.528(a)(1)(ix)',
  USE_BY_WORKFORCE: '45 CFR 160.103',
}

/** The compliance date of the Privacy Rule, April 14, 2003 (45 CFR 164.534). Small health plans had another year: they enter less. */
const COMPLIANCE_DATE = Date.UTC(2003, 3, 14)

/** The exclusion of a disclosure; undefined if an accounting has it. @param at milliseconds since the epoch */
export function exclusionOf(basis: Basis, at: number): Exclusion | undefined {
  const { [basis]: rule } = BASES
  if (!rule.counts) return rule.exclusion
  return at < COMPLIANCE_DATE ? 'BEFORE_COMPLIANCE_DATE' : undefined
}

/** Whether a basis is one that an accounting has. */
export const isCounted = (basis: Basis): basis is CountedBasis => BASES[basis].counts
