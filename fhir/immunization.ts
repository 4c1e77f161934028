import { z } from 'zod'
import { RequiredConcept } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, factsOf } from './subject.ts'
import { IMMUNIZATION_STATUS } from './value-sets.ts'

/** @source https://hl7.org/fhir/R4/immunization.html */
const Immunization = z.object({
  status: z.enum(IMMUNIZATION_STATUS, { error: ISSUES.code }).optional(),
  vaccineCode: RequiredConcept,
  occurrenceDateTime: DateTime.optional(),
  occurrenceString: z.unknown().optional(),
  recorded: DateTime.optional(),
})

export const mapImmunization: MapResource = (entry, { patient, idFor, note }) => {
  const parsed = Immunization.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Immunization', parsed.error)
  const { status, vaccineCode, occurrenceDateTime, occurrenceString, recorded } = parsed.data
  if (occurrenceString !== undefined) note(mappingIssue('Immunization.occurrenceString', ISSUES.lostForm))
  return assemble({
    type: 'Immunization',
    patient,
    id: idFor('Immunization', entry.id),
    values: { vaccineCode, occurrenceDateTime, status },
    metadata: factsOf({ time: occurrenceDateTime ?? recorded, concepts: [vaccineCode], sources: [entry.resource] }),
  })
}
