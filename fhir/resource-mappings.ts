import { mapAllergyIntolerance } from './allergy-intolerance.ts'
import { mapClaim } from './claim.ts'
import { mapCondition } from './condition.ts'
import { mapCoverage } from './coverage.ts'
import { mapDocumentReference } from './document-reference.ts'
import { mapEncounter } from './encounter.ts'
import { mapImmunization } from './immunization.ts'
import { mapMedicationRequest } from './medication-request.ts'
import { mapObservation } from './observation.ts'
import { mapProcedure } from './procedure.ts'
import type { Imported } from './left-out.ts'
import type { MapResource } from './subject.ts'

/** Read where another resource leads to them. */
export const READ_BY_OTHERS: ReadonlySet<string> = new Set(['Practitioner', 'Organization', 'Medication'])

/** What becomes one record each; reports and care teams are read in ways of their own. */
export const MAPPINGS: Readonly<Record<Exclude<Imported, 'CareTeam' | 'DiagnosticReport'>, MapResource>> = {
  Encounter: mapEncounter,
  Condition: mapCondition,
  Observation: mapObservation,
  MedicationRequest: mapMedicationRequest,
  AllergyIntolerance: mapAllergyIntolerance,
  Immunization: mapImmunization,
  Procedure: mapProcedure,
  DocumentReference: mapDocumentReference,
  Coverage: mapCoverage,
  Claim: mapClaim,
}
