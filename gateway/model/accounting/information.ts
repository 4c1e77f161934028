import type { Category } from '../../../directives/policy.ts'

/** The kinds of information in plain words, in the order of a description. */
const WORDS: Readonly<Record<Category, string>> = {
  IDENTITY: 'name and identifying numbers',
  DEMOGRAPHIC: 'date of birth and other personal details',
  CONTACT: 'address and contact details',
  CLINICAL: 'diagnoses, allergies, procedures, visits and other clinical information',
  MEDICATION: 'medications',
  LABORATORY: 'test results and measurements',
  NOTE: 'notes and documents',
  COVERAGE: 'insurance coverage',
  FINANCIAL: 'bills and claims',
  CARE_TEAM: 'members of the care team',
}
const OTHER = 'other information of the record'

/**
 * A brief description of disclosed information. It never contains a value.
 *
 * @param categories undefined for information without a category, such as a field that the policy in force no longer has
 * @source 45 CFR 164.528(b)(2)(iii)
 */
export function describedAs(categories: Iterable<string | undefined>): string {
  const all = new Set(categories)
  const known = (Object.keys(WORDS) as Category[]).filter((category) => all.has(category)).map((category) => WORDS[category])
  const words = [...known, ...(all.has(undefined) ? [OTHER] : [])].join('; ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
