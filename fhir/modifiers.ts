/**
 * The modifier elements that the mapping reads, and those that change nothing of what it reads. A modifier element can negate its resource:
 * every other one refuses it.
 *
 * @source https://hl7.org/fhir/R4/conformance-rules.html#isModifier
 */
const READ: ReadonlySet<string> = new Set([
  // the surviving record of a merged patient, and a patient that is no longer in use
  'Patient.active',
  'Patient.link',
  'Patient.deceased[x]',
  'Encounter.status',
  'Condition.clinicalStatus',
  'Condition.verificationStatus',
  'Observation.status',
  'MedicationRequest.status',
  'MedicationRequest.intent',
  'MedicationRequest.doNotPerform',
  'AllergyIntolerance.clinicalStatus',
  'AllergyIntolerance.verificationStatus',
  'Immunization.status',
  'Procedure.status',
  'DocumentReference.status',
  'DiagnosticReport.status',
  'Coverage.status',
  'Claim.status',
  'ExplanationOfBenefit.status',
  'CareTeam.status',
  'Consent.status',
  'Consent.scope',
  'RelatedPerson.active',
  'Identifier.use',
  'HumanName.use',
  'ContactPoint.use',
  'Address.use',
  'Quantity.comparator',
  'Age.comparator',
  'Count.comparator',
  'Distance.comparator',
  'Duration.comparator',
  // only the name of an organization is read, and nothing of a location
  'Organization.active',
  'Location.status',
])

/** The values that say the same as an element that is not there. */
const HARMLESS: Readonly<Record<string, readonly unknown[]>> = {
  'Immunization.isSubpotent': [false],
  // a drug that is no longer in use was prescribed all the same
  'Medication.status': ['active', 'inactive'],
}

/** @param path the type and the element: `Immunization.isSubpotent`, `Quantity.comparator` */
export function isUnderstood(path: string, value: unknown): boolean {
  return READ.has(path) || (HARMLESS[path]?.includes(value) ?? false)
}
