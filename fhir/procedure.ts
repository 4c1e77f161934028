import { z } from 'zod'
import { authorOf } from './author.ts'
import { categoriesOf } from './coded.ts'
import { CodeableConcept, Reference, RequiredConcept } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, WrittenPeriod, saidPeriod } from './instant.ts'
import { assemble } from './record.ts'
import { type MapResource, encounterOf, factsOf } from './subject.ts'
import { EVENT_STATUS } from './value-sets.ts'

/** @source https://hl7.org/fhir/R4/procedure.html */
const Procedure = z.object({
  status: z.enum(EVENT_STATUS, { error: ISSUES.code }).optional(),
  category: CodeableConcept.optional(),
  code: RequiredConcept,
  encounter: Reference.optional(),
  performedDateTime: DateTime.optional(),
  performedPeriod: WrittenPeriod.optional(),
  performedString: z.unknown().optional(),
  performedAge: z.unknown().optional(),
  performedRange: z.unknown().optional(),
})

export const mapProcedure: MapResource = (entry, context) => {
  const parsed = Procedure.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Procedure', parsed.error)
  const { status, category, code, performedDateTime: at, performedPeriod } = parsed.data
  if (at !== undefined && performedPeriod !== undefined) return mappingIssue('Procedure.performed[x]', ISSUES.oneValue)
  const hasOther = [parsed.data.performedString, parsed.data.performedAge, parsed.data.performedRange].some(
    (form) => form !== undefined,
  )
  if (hasOther) context.note(mappingIssue('Procedure.performed[x]', ISSUES.lostForm))
  const encounter = encounterOf('Procedure', entry, parsed.data.encounter, context)
  if (typeof encounter === 'object') return encounter
  // a period without an end is one that goes on, so a single time is both of its ends
  const period = at === undefined ? saidPeriod(performedPeriod) : { start: at, end: at }
  return assemble({
    type: 'Procedure',
    patient: context.patient,
    id: context.idFor('Procedure', entry.id),
    values: { code, performedPeriod: period, status },
    metadata: factsOf({
      time: period?.start ?? period?.end,
      concepts: [code],
      categories: categoriesOf([category]),
      encounter,
      author: authorOf(entry, context.references),
      sources: [entry.resource],
    }),
  })
}
