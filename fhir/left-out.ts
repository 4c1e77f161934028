import { isObject } from './object.ts'

/** The types that become records of a patient, besides the patient. */
const IMPORTED = [
  'Encounter',
  'Condition',
  'Observation',
  'MedicationRequest',
  'AllergyIntolerance',
  'Immunization',
  'Procedure',
  'DocumentReference',
  'DiagnosticReport',
  'Coverage',
  'Claim',
  'CareTeam',
] as const
export type Imported = (typeof IMPORTED)[number]

/**
 * What a resource may say of itself that the API has no field for: shown without it, such a resource would read as a fact.
 * Statuses that the API gives (a cancelled encounter, a vaccination not done) travel with their records.
 */
const STATUS: Readonly<Record<Imported, readonly string[]>> = {
  Encounter: ['entered-in-error'],
  Condition: [],
  Observation: ['entered-in-error', 'cancelled'],
  MedicationRequest: ['entered-in-error'],
  AllergyIntolerance: [],
  Immunization: ['entered-in-error'],
  Procedure: ['entered-in-error'],
  DocumentReference: ['entered-in-error'],
  DiagnosticReport: ['entered-in-error', 'cancelled'],
  Coverage: ['entered-in-error', 'draft', 'cancelled'],
  Claim: ['entered-in-error'],
  CareTeam: ['entered-in-error', 'proposed', 'suspended'],
}

type Other = readonly [type: Imported, element: string, said: readonly (string | true)[], as: string]

const ELSEWHERE: readonly Other[] = [
  ['DocumentReference', 'docStatus', ['entered-in-error'], ''],
  // nobody has ordered what somebody only suggests, and `doNotPerform` says the opposite of everything else
  ['MedicationRequest', 'intent', ['proposal', 'option'], ''],
  ['MedicationRequest', 'doNotPerform', [true], 'do not perform'],
  ['Claim', 'use', ['preauthorization', 'predetermination'], ''],
]

const VERIFICATION: Partial<Readonly<Record<Imported, readonly string[]>>> = {
  Condition: ['entered-in-error', 'refuted', 'differential'],
  AllergyIntolerance: ['entered-in-error', 'refuted'],
}

export function isImported(type: string): type is Imported {
  return IMPORTED.some((one) => one === type)
}

/** Why a resource is left out, in fixed words; undefined for one that is to be read. */
export function leftOutFor(type: Imported, resource: Readonly<Record<string, unknown>>): string | undefined {
  const status = STATUS[type].find((one) => one === resource['status'])
  if (status !== undefined) return status
  for (const [of, element, said, as] of ELSEWHERE) {
    const found = of === type ? said.find((one) => one === resource[element]) : undefined
    if (found !== undefined) return as === '' ? String(found) : as
  }
  const codes = codesIn(resource['verificationStatus'])
  return VERIFICATION[type]?.find((one) => codes.includes(one))
}

/** The codes of a concept in whatever system, also of one that is not well formed. */
function codesIn(concept: unknown): readonly unknown[] {
  const codings: readonly unknown[] = isObject(concept) && Array.isArray(concept['coding']) ? concept['coding'] : []
  return codings.map((coding) => (isObject(coding) ? coding['code'] : undefined))
}
