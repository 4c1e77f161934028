/** The values of the schema's enum `Confidentiality`: the HL7 v3 codes that close a record. The other codes of that system close nothing. */
export const CONFIDENTIALITIES = ['R', 'V'] as const
export type Confidentiality = (typeof CONFIDENTIALITIES)[number]

/**
 * The refrain policies (HL7 v3 ActCode) that close a record to the patient and the patient's proxies:
 * - NOPAT: no disclosure to patient, family or caregivers without the attending provider's authorization.
 * - NOAUTH: no disclosure without the subject's authorization.
 */
export const REFRAINS = ['NOPAT', 'NOAUTH'] as const
export type Refrain = (typeof REFRAINS)[number]

/** Replaces each security label of the source that no rule covers. It is no GraphQL name, so that no schema can give it a rule. */
export const UNKNOWN_LABEL = '?'

/** The names that no sensitivity may have, because they already have a meaning as a label of a record. */
export const RESERVED_LABELS: ReadonlySet<string> = new Set([...CONFIDENTIALITIES, ...REFRAINS])
