// The codes of FHIR R4 that the API gives as one text. The import reads them, and the rules of written values allow no others.

/** @source http://hl7.org/fhir/R4/valueset-encounter-status.html */
export const ENCOUNTER_STATUS = [
  'planned',
  'arrived',
  'triaged',
  'in-progress',
  'onleave',
  'finished',
  'cancelled',
  'entered-in-error',
  'unknown',
] as const

/** @source http://terminology.hl7.org/ValueSet/v3-ActEncounterCode, bound to Encounter.class */
export const ENCOUNTER_CLASS = ['AMB', 'EMER', 'FLD', 'HH', 'IMP', 'ACUTE', 'NONAC', 'OBSENC', 'PRENC', 'SS', 'VR'] as const

/** @source http://hl7.org/fhir/R4/valueset-condition-clinical.html */
export const CONDITION_CLINICAL = ['active', 'recurrence', 'relapse', 'inactive', 'remission', 'resolved'] as const

/** @source http://hl7.org/fhir/R4/valueset-allergyintolerance-clinical.html */
export const ALLERGY_CLINICAL = ['active', 'inactive', 'resolved'] as const

/** @source http://hl7.org/fhir/R4/valueset-allergy-intolerance-criticality.html */
export const CRITICALITY = ['low', 'high', 'unable-to-assess'] as const

/** @source http://hl7.org/fhir/R4/valueset-observation-category.html */
export const OBSERVATION_CATEGORY = [
  'social-history',
  'vital-signs',
  'imaging',
  'laboratory',
  'procedure',
  'survey',
  'exam',
  'therapy',
  'activity',
] as const

/** @source http://hl7.org/fhir/R4/valueset-observation-interpretation.html */
export const INTERPRETATION =
  'CAR Carrier B D U W < > AC IE QCF TOX A AA HH LL H H> HU L L< LU N I MS NCL NS R SYN-R S SDD SYN-S VS EX HX LX HM IND E NEG ND POS DET EXP UNE OBX NR RR WR'.split(
    ' ',
  )

/** @source http://hl7.org/fhir/R4/valueset-medicationrequest-status.html */
export const MEDICATION_REQUEST_STATUS = [
  'active',
  'on-hold',
  'cancelled',
  'completed',
  'entered-in-error',
  'stopped',
  'draft',
  'unknown',
] as const

/** @source http://hl7.org/fhir/R4/valueset-immunization-status.html */
export const IMMUNIZATION_STATUS = ['completed', 'entered-in-error', 'not-done'] as const

/** @source http://hl7.org/fhir/R4/valueset-event-status.html, bound to Procedure.status */
export const EVENT_STATUS = [
  'preparation',
  'in-progress',
  'not-done',
  'on-hold',
  'stopped',
  'completed',
  'entered-in-error',
  'unknown',
] as const

/** @source http://hl7.org/fhir/R4/valueset-fm-status.html, bound to Claim.status */
export const FINANCIAL_STATUS = ['active', 'cancelled', 'draft', 'entered-in-error'] as const

/** @source http://hl7.org/fhir/R4/valueset-administrative-gender.html */
export const GENDER = ['male', 'female', 'other', 'unknown'] as const

/**
 * The UCUM units of vital signs, by the LOINC code of an observation or of its component.
 *
 * @source http://hl7.org/fhir/R4/observation-vitalsigns.html
 */
export const VITAL_SIGN_UNITS: ReadonlyMap<string, readonly string[]> = new Map([
  ['9279-1', ['/min']],
  ['8867-4', ['/min']],
  ['2708-6', ['%']],
  ['8310-5', ['Cel', '[degF]']],
  ['8302-2', ['cm', '[in_i]']],
  ['9843-4', ['cm', '[in_i]']],
  ['29463-7', ['g', 'kg', '[lb_av]']],
  ['39156-5', ['kg/m2']],
  ['8480-6', ['mm[Hg]']],
  ['8462-4', ['mm[Hg]']],
])
