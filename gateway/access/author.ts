import type { RelationshipSource } from './relationships.ts'

/**
 * AUTHOR: the caller wrote the record, as what is sealed beside it says. It holds for that record alone: a note of one's own is
 * open by its id, and says nothing of the patient's other records, nor that there are any.
 *
 * @source 45 CFR 164.508(a)(2)(i)(A): the originator of psychotherapy notes uses them for treatment
 */
export const authorRelationship: RelationshipSource = {
  periods: () => Promise.resolve(new Map()),
  panel: () => Promise.resolve([]),
  ofRecord: ({ fhirUser }, { author }) => fhirUser !== undefined && author === fhirUser,
}
