/**
 * What a patient and a member of the workforce can have in common.
 *
 * - PATIENT: the two are one person, by the patient id or by a number of the patient.
 * - FAMILY_NAME: the family name.
 * - ADDRESS: street, house number, unit and postal code. STREET: street and postal code.
 * - PHONE: the telephone number.
 */
export const COMPARISON_KINDS = ['PATIENT', 'FAMILY_NAME', 'ADDRESS', 'STREET', 'PHONE'] as const
export type ComparisonKind = (typeof COMPARISON_KINDS)[number]

/** A keyed token of one value: equal tokens of one tenant and kind are equal values. 22 base64url characters. */
export interface ComparisonToken {
  readonly kind: ComparisonKind
  readonly token: string
}
