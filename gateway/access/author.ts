import type { RelationshipSource } from './relationships.ts'

/**
 * AUTHOR: the caller wrote the record, according to its sealed metadata. The relationship holds only for that record: authors can
 * open their own note by its id, but learn nothing about other records of the patient.
 *
 * @source 45 CFR 164.508(a)(2)(i)(A): the originator of psychotherapy notes uses them for treatment
 */
export const authorRelationship: RelationshipSource = {
  periods: () => Promise.resolve(new Map()),
  panel: () => Promise.resolve([]),
  ofRecord: ({ fhirUser }, { author }) => fhirUser !== undefined && author === fhirUser,
}
