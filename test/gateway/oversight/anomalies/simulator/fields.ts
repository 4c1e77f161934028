/** The values that the screens of the clinic read, as grants: the path and the number of the rule. */
const numbered = (type: string, names: string, rule: number): string[] => names.split(' ').map((name) => `${type}.${name}#${rule}`)

export const SUMMARY = numbered('Patient', 'familyName givenName birthDate gender', 1)
export const CHART = [...numbered('Condition', 'code clinicalStatus', 1), ...numbered('MedicationRequest', 'medication dosage', 1)]
export const RESULTS = numbered('Observation', 'code valueQuantity effective', 1)
export const VITALS = [...numbered('Observation', 'code valueQuantity', 1), ...numbered('AllergyIntolerance', 'code', 1)]
export const SHOTS = numbered('Immunization', 'vaccineCode occurrence', 1)
export const CHECK_IN = [...numbered('Patient', 'familyName birthDate phone', 2), ...numbered('Coverage', 'payor', 2)]
export const CLAIM = [...numbered('Claim', 'total status diagnosis', 1), ...numbered('Coverage', 'subscriberId', 3)]
export const STUDY = numbered('Patient', 'birthDate gender', 4)
export const STUDY_RESULTS = numbered('Observation', 'code valueQuantity', 4)
export const PARTNER = numbered('Claim', 'total status', 2)
export const PARTNER_ELIGIBILITY = numbered('Coverage', 'subscriberId payor', 4)
export const OWN = numbered('Patient', 'familyName birthDate', 5)
/** The desk begins to ask for the language in the week of the flu. */
export const LANGUAGE = numbered('Patient', 'language', 2)
/** Values that are read once in a while. */
export const RARE = numbered('Patient', 'race ethnicity maritalStatus deceasedDate email', 1)
/** Grants that the clinic has, and that nobody uses. */
export const UNUSED = [
  ...numbered('Procedure', 'code status performedPeriod', 1),
  ...numbered('DocumentReference', 'content description type', 1),
  ...numbered('Encounter', 'reason period location', 1),
  ...numbered('Claim', 'item insurance provider', 4),
  ...numbered('CareTeamMember', 'role period name', 2),
  ...numbered('Patient', 'ssn mrn', 7),
]
