import { z } from 'zod'
import { authorOf } from './author.ts'
import { CodeableConcept, Reference, codeOf } from './datatypes.ts'
import { schemaIssue } from './mapping-issue.ts'
import { DateTime, WrittenPeriod } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, encounterOf, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/condition.html */
const Condition = z.object({
  clinicalStatus: CodeableConcept.optional(),
  category: z.array(CodeableConcept).default([]),
  code: CodeableConcept.optional(),
  encounter: Reference.optional(),
  onsetDateTime: DateTime.optional(),
  onsetPeriod: WrittenPeriod.optional(),
  abatementDateTime: DateTime.optional(),
  abatementPeriod: WrittenPeriod.optional(),
  recordedDate: DateTime.optional(),
})

export const mapCondition: MapResource = (entry, context) => {
  const parsed = Condition.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Condition', parsed.error)
  const { clinicalStatus, category, code, recordedDate, ...read } = parsed.data
  const encounter = encounterOf('Condition', entry, read.encounter, context)
  if (typeof encounter === 'object') return encounter
  const onset = read.onsetDateTime ?? read.onsetPeriod?.start
  return assemble({
    type: 'Condition',
    patient: context.patient,
    id: context.idFor('Condition', entry.id),
    values: {
      code,
      clinicalStatus: codeOf(clinicalStatus),
      onsetDateTime: onset,
      // by the end of the period it was over, whenever within it that was
      abatementDateTime: read.abatementDateTime ?? read.abatementPeriod?.end,
      recordedDate,
    },
    metadata: factsOf({
      time: onset ?? recordedDate,
      concepts: [code],
      categories: [codeOf(category[0])],
      encounter,
      author: authorOf(entry, context.references),
      sources: [entry.resource],
    }),
  })
}

/** What a diagnosis says, for those that refer to it. */
export const Diagnosed = z.object({ code: CodeableConcept.optional() })
