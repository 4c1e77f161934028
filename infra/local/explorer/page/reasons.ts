/** The reasons of denials, as in `reason` of errors. */
const REASONS: Readonly<Record<string, string>> = {
  ROLE: 'No grant of the field names the role.',
  PURPOSE: 'No grant of the role names the purpose of use.',
  RELATIONSHIP: 'The caller has no relationship to the patient that a grant requires.',
  CONSENT: 'A label of the record, or a consent of the patient, closes it.',
  MFA: 'The sign-in used no second factor.',
  STEP_UP: 'The operation requires a recent sign-in.',
  UNKNOWN_FIELD: 'The policy does not know the field.',
  BUDGET: 'The caller reached the limit of values for the hour.',
  CONTRACT: 'The contract of the client does not contain the field.',
}

/** A reason as a sentence. A reason that the page does not know remains a code. */
export const reasonInWords = (reason: string | null | undefined): string => REASONS[reason ?? ''] ?? `Reason: ${reason ?? 'none'}.`
