import { z } from 'zod'
import { authorOf } from './author.ts'
import { CodeableConcept, type Concept, Text, codeOf } from './datatypes.ts'
import { ISSUES, schemaIssue } from './mapping-issue.ts'
import { DateTime, Period } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/allergyintolerance.html */
const AllergyIntolerance = z.object({
  clinicalStatus: CodeableConcept.optional(),
  category: z.array(Text).default([]),
  criticality: z.enum(['low', 'high', 'unable-to-assess'], { error: ISSUES.code }).optional(),
  code: CodeableConcept.optional(),
  onsetDateTime: DateTime.optional(),
  onsetPeriod: Period.optional(),
  recordedDate: DateTime.optional(),
  reaction: z.array(z.object({ manifestation: z.array(CodeableConcept) })).default([]),
})

export const mapAllergyIntolerance: MapResource = (entry, { patient, references, idFor }) => {
  const parsed = AllergyIntolerance.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('AllergyIntolerance', parsed.error)
  const { clinicalStatus, category, criticality, code, onsetDateTime, onsetPeriod, recordedDate, reaction } = parsed.data
  const reactions = reaction.flatMap(({ manifestation }) => manifestation).filter((one): one is Concept => one !== undefined)
  return assemble({
    type: 'AllergyIntolerance',
    patient,
    id: idFor('AllergyIntolerance', entry.id),
    values: {
      code,
      criticality,
      clinicalStatus: codeOf(clinicalStatus),
      recordedDate,
      reaction: reactions.length > 0 ? reactions : undefined,
    },
    metadata: factsOf({
      time: recordedDate ?? onsetDateTime ?? onsetPeriod?.start,
      concepts: [code],
      categories: category.slice(0, 1),
      author: authorOf(entry, references),
      sources: [entry.resource],
    }),
  })
}
