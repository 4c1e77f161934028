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
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'
import type { Imported } from './left-out.ts'
import type { Entry } from './bundle.ts'
import { z } from 'zod'
import type { MapResource } from './subject.ts'

/** Read where another resource leads to them. */
export const READ_BY_OTHERS: ReadonlySet<string> = new Set(['Practitioner', 'PractitionerRole', 'Organization', 'Medication'])

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

const Severe = z.object({ issue: z.array(z.unknown()).transform((all) => all.filter((one) => SEVERE.safeParse(one).success)) })
const SEVERE = z.object({ severity: z.enum(['error', 'fatal']) })

/** Why a resource of a type that is not imported is an issue nevertheless: it is a sign that resources are missing. */
export function refusalOf({ type, resource }: Entry): MappingIssue | undefined {
  // an inner bundle that could be read is no entry any more
  if (type === 'Bundle') return mappingIssue('Bundle', ISSUES.bundle)
  if (type === 'Parameters') return mappingIssue('Parameters', ISSUES.parameters)
  const found = type === 'OperationOutcome' ? (Severe.safeParse(resource).data?.issue ?? []) : []
  return found.length > 0 ? mappingIssue('OperationOutcome', ISSUES.outcome) : undefined
}
