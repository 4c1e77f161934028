import { z } from 'zod'
import { authorOf } from './author.ts'
import { SYSTEMS, categoriesOf, codeOf } from './coded.ts'
import { CodeableConcept, Reference, RequiredConcept } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, WrittenPeriod } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, encounterOf, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/condition.html */
const Condition = z.object({
  clinicalStatus: CodeableConcept.optional(),
  category: z.array(CodeableConcept).default([]),
  code: RequiredConcept,
  encounter: Reference.optional(),
  onsetDateTime: DateTime.optional(),
  onsetPeriod: WrittenPeriod.optional(),
  onsetAge: z.unknown().optional(),
  onsetRange: z.unknown().optional(),
  onsetString: z.unknown().optional(),
  abatementDateTime: DateTime.optional(),
  abatementPeriod: WrittenPeriod.optional(),
  abatementAge: z.unknown().optional(),
  abatementRange: z.unknown().optional(),
  abatementString: z.unknown().optional(),
  recordedDate: DateTime.optional(),
})

export const mapCondition: MapResource = (entry, context) => {
  const parsed = Condition.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Condition', parsed.error)
  const { clinicalStatus, category, code, recordedDate, ...read } = parsed.data
  const encounter = encounterOf('Condition', entry, read.encounter, context)
  if (typeof encounter === 'object') return encounter
  const onset = read.onsetDateTime ?? read.onsetPeriod?.start
  // by the end of the period it was over, whenever within it that was
  const abatement = read.abatementDateTime ?? read.abatementPeriod?.end
  const hasOnset = [read.onsetPeriod, read.onsetAge, read.onsetRange, read.onsetString].some((form) => form !== undefined)
  if (onset === undefined && hasOnset) context.note(mappingIssue('Condition.onset[x]', ISSUES.lostForm))
  const hasAbated = [read.abatementPeriod, read.abatementAge, read.abatementRange, read.abatementString].some(
    (form) => form !== undefined,
  )
  if (abatement === undefined && hasAbated) {
    const lost = mappingIssue('Condition.abatement[x]', ISSUES.lostForm)
    // nothing else would say that the patient no longer has it
    if (clinicalStatus === undefined) return lost
    context.note(lost)
  }
  return assemble({
    type: 'Condition',
    patient: context.patient,
    id: context.idFor('Condition', entry.id),
    values: {
      code,
      clinicalStatus: codeOf(clinicalStatus, SYSTEMS.conditionClinical),
      onsetDateTime: onset,
      abatementDateTime: abatement,
      recordedDate,
    },
    metadata: factsOf({
      time: onset ?? recordedDate,
      concepts: [code],
      categories: categoriesOf(category),
      encounter,
      author: authorOf(entry, context.references),
      sources: [entry.resource],
    }),
  })
}

/** What a diagnosis says, for those that refer to it. */
export const Diagnosed = z.object({ code: CodeableConcept.optional() })
