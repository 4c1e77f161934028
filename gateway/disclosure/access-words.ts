import type { AccessRow } from './access-rows.ts'

// The words of `whoSawMyRecord`. The texts are fixed, so that a client can translate them: docs/who-saw-my-record.md lists them.

/** The topic of a query about the accesses themselves. No category of the schema has this name. */
export const ACCESS_HISTORY = 'ACCESS_HISTORY'

const CATEGORIES: Readonly<Record<string, string>> = {
  [ACCESS_HISTORY]: 'who accessed the record',
  IDENTITY: 'names and identifiers',
  DEMOGRAPHIC: 'personal details',
  CONTACT: 'address and contact details',
  CLINICAL: 'health conditions, visits and care',
  MEDICATION: 'medication',
  LABORATORY: 'measurements and test results',
  NOTE: 'notes and documents',
  COVERAGE: 'insurance',
  FINANCIAL: 'bills and payments',
  CARE_TEAM: 'the care team',
}

const PURPOSES: Readonly<Record<string, string>> = {
  TREAT: 'treatment',
  ETREAT: 'emergency treatment',
  BTG: 'emergency access',
  HPAYMT: 'payment for care',
  HOPERAT: 'operation of the organization',
  HRESCH: 'research',
  PATRQT: 'request of the patient or of a representative',
  PUBHLTH: 'public health',
}

const BASES: Readonly<Record<string, string>> = {
  BREAK_GLASS: 'emergency access without a relationship to the patient',
  CARE_TEAM: 'member of the care team',
  SELF: "the patient's own access",
  PROXY: 'acts for the patient',
  AUTHOR: 'author of the information',
  ORGANIZATION: 'works for the organization that holds the record',
  CONSENT: 'consent of the patient',
  STUDY: 'research study with the patient',
}
const CONTRACT = 'contract of a partner'
const REFUSED = 'none: the access was refused'
/** The existence of a record has no basis in the log. */
const KNOWN = 'may know of the record'

/** A code that the schema of a deployment adds, in lower case and with spaces. */
const plain = (code: string): string => code.toLowerCase().replaceAll('_', ' ')

export const categoryInWords = (code: string): string => CATEGORIES[code] ?? plain(code)
export const purposeInWords = (code: string): string => PURPOSES[code] ?? plain(code)

export function reasonInWords({ access, bases, contract }: Pick<AccessRow, 'access' | 'bases' | 'contract'>): string {
  if (access === 'REFUSED') return REFUSED
  const known = [...bases].toSorted().map((basis) => BASES[basis] ?? plain(basis))
  const reasons = [...known, ...(contract ? [CONTRACT] : [])]
  return reasons.length === 0 ? KNOWN : reasons.join('; ')
}
