import { z } from 'zod'
import { authorOf } from './author.ts'
import { SYSTEMS, codeOf } from './coded.ts'
import { CodeableConcept, type Concept, SubjectConcept, Text } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, Period } from './instant.ts'
import { assemble, contentDigest } from './record.ts'
import { type MapResource, factsOf } from './subject.ts'
import { CRITICALITY } from './value-sets.ts'

/** @source https://hl7.org/fhir/R4/allergyintolerance.html */
const AllergyIntolerance = z.object({
  clinicalStatus: CodeableConcept.optional(),
  category: z.array(Text).default([]),
  criticality: z.enum(CRITICALITY, { error: ISSUES.code }).optional(),
  code: SubjectConcept.optional(),
  onsetDateTime: DateTime.optional(),
  onsetPeriod: Period.optional(),
  recordedDate: DateTime.optional(),
  reaction: z.array(z.object({ substance: SubjectConcept.optional(), manifestation: z.array(CodeableConcept) })).default([]),
})

export const mapAllergyIntolerance: MapResource = (entry, { patient, references, idFor }) => {
  const parsed = AllergyIntolerance.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('AllergyIntolerance', parsed.error)
  const { clinicalStatus, category, criticality, onsetDateTime, onsetPeriod, recordedDate, reaction } = parsed.data
  const code = parsed.data.code ?? substanceOf(reaction.map(({ substance }) => substance))
  if (code === undefined) return mappingIssue('AllergyIntolerance.code', ISSUES.shape)
  const reactions = reaction.flatMap(({ manifestation }) => manifestation).filter((one): one is Concept => one !== undefined)
  return assemble({
    type: 'AllergyIntolerance',
    patient,
    id: idFor('AllergyIntolerance', entry.id),
    values: {
      code,
      criticality,
      clinicalStatus: codeOf(clinicalStatus, SYSTEMS.allergyClinical),
      recordedDate,
      reaction: reactions.length > 0 ? reactions : undefined,
    },
    metadata: factsOf({
      time: recordedDate ?? onsetDateTime ?? onsetPeriod?.start,
      concepts: [code],
      categories: category,
      author: authorOf(entry, references),
      sources: [entry.resource],
    }),
  })
}

/** The substance that all reactions name: an allergy to nothing in particular cannot be relied on. */
function substanceOf(substances: readonly (Concept | undefined)[]): Concept | undefined {
  const [first, ...others] = substances
  return first !== undefined && others.every((other) => other !== undefined && contentDigest(other) === contentDigest(first))
    ? first
    : undefined
}
