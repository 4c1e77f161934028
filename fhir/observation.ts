import { z } from 'zod'
import { CodeableConcept, Reference, codeOf, present } from './datatypes.ts'
import { schemaIssue } from './mapping-issue.ts'
import { DateTime, Period } from './instant.ts'
import { VALUE_CHOICES, observedValue, refineValue } from './observed-value.ts'
import { assemble } from './record.ts'
import { type MapResource, encounterOf, factsOf } from './subject.ts'

const Component = z.object({ code: CodeableConcept, ...VALUE_CHOICES }).superRefine(refineValue)

/** @source https://hl7.org/fhir/R4/observation.html */
const Observation = z
  .object({
    category: z.array(CodeableConcept).default([]),
    code: CodeableConcept,
    encounter: Reference.optional(),
    effectiveDateTime: DateTime.optional(),
    effectiveInstant: DateTime.optional(),
    effectivePeriod: Period.optional(),
    issued: DateTime.optional(),
    interpretation: z.array(CodeableConcept).default([]),
    component: z.array(Component).default([]),
    ...VALUE_CHOICES,
  })
  .superRefine(refineValue)

export const mapObservation: MapResource = (entry, context) => {
  const parsed = Observation.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Observation', parsed.error)
  const observation = parsed.data
  const encounter = encounterOf('Observation', entry, observation.encounter, context)
  if (typeof encounter === 'object') return encounter
  const { effectiveDateTime, effectiveInstant, effectivePeriod, issued } = observation
  const time = effectiveDateTime ?? effectiveInstant ?? effectivePeriod?.start ?? issued
  const category = codeOf(observation.category[0])
  const components = observation.component.map((one) => present({ code: one.code, ...observedValue(one) }))
  return assemble({
    type: 'Observation',
    patient: context.patient,
    id: context.idFor('Observation', entry.id),
    values: {
      code: observation.code,
      category,
      effectiveDateTime: time,
      ...observedValue(observation),
      component: components.length > 0 ? components : undefined,
      interpretation: codeOf(observation.interpretation[0]),
    },
    metadata: factsOf({ time, concepts: [observation.code], categories: [category], encounter, sources: [entry.resource] }),
  })
}
