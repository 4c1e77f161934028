import type { PatientDirectory } from '../store/record-source.ts'
import type { RelationshipSource } from './relationships.ts'

/**
 * ORGANIZATION: the caller works for, or with, the organization that holds the record. Every record is looked up in the
 * caller's own tenant, so the relationship holds for each record that is found.
 */
export function organizationRelationship(directory: PatientDirectory): RelationshipSource {
  return {
    periods: (_caller, patients) => Promise.resolve(new Map(patients.map((patient) => [patient, [{}]]))),
    panel: (caller, after, limit, deadline) => directory.patients(caller.tenant, after, limit, deadline),
  }
}
