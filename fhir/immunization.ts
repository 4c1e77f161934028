import { z } from 'zod'
import { CodeableConcept } from './datatypes.ts'
import { ISSUES, schemaIssue } from './mapping-issue.ts'
import { DateTime } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/immunization.html */
const Immunization = z.object({
  status: z.enum(['completed', 'entered-in-error', 'not-done'], { error: ISSUES.code }).optional(),
  vaccineCode: CodeableConcept,
  occurrenceDateTime: DateTime.optional(),
  recorded: DateTime.optional(),
})

export const mapImmunization: MapResource = (entry, { patient, idFor }) => {
  const parsed = Immunization.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Immunization', parsed.error)
  const { status, vaccineCode, occurrenceDateTime, recorded } = parsed.data
  return assemble({
    type: 'Immunization',
    patient,
    id: idFor('Immunization', entry.id),
    values: { vaccineCode, occurrenceDateTime, status },
    metadata: factsOf({ time: occurrenceDateTime ?? recorded, concepts: [vaccineCode], sources: [entry.resource] }),
  })
}
