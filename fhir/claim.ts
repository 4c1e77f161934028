import { z } from 'zod'
import type { IdentifiedEntry } from './bundle.ts'
import { CodeableConcept, type Concept, Decimal, Integer, Reference, Text } from './datatypes.ts'
import { Diagnosed } from './condition.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue, isMappingIssue } from './mapping-issue.ts'
import { unfit } from './inspect.ts'
import { DateTime } from './instant.ts'
import { leftOutFor } from './left-out.ts'
import { assemble } from './record.ts'
import { type MapResource, type SubjectContext, encounterOf, factsOf, saysOtherPatient } from './subject.ts'
import { FINANCIAL_STATUS } from './value-sets.ts'

const Diagnosis = z.object({
  sequence: Integer.optional(),
  diagnosisCodeableConcept: CodeableConcept.optional(),
  diagnosisReference: Reference.optional(),
})

/** @source https://hl7.org/fhir/R4/claim.html */
const Claim = z.object({
  status: z.enum(FINANCIAL_STATUS, { error: ISSUES.code }).optional(),
  created: DateTime.optional(),
  item: z.array(z.object({ encounter: z.array(Reference).default([]) })).default([]),
  total: z.object({ value: Decimal.optional(), currency: Text.optional() }).optional(),
  diagnosis: z.array(Diagnosis).default([]),
})

export const mapClaim: MapResource = (entry, context) => {
  const parsed = Claim.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Claim', parsed.error)
  const { status, created, item, total, diagnosis: said } = parsed.data
  const places = item.flatMap((one) => one.encounter).map((reference) => encounterOf('Claim', entry, reference, context))
  const strange = places.find((place) => typeof place === 'object')
  if (strange !== undefined) return strange
  const encounter = places.find((place) => typeof place === 'string')
  const diagnosis: Concept[] = []
  const ordered = [...said.entries()].toSorted(
    ([, one], [, other]) => (one.sequence ?? Infinity) - (other.sequence ?? Infinity) || 0,
  )
  for (const [index, one] of ordered) {
    const found = diagnosisOf(`Claim.diagnosis[${index}]`, one, entry, context)
    if (found === undefined) continue
    if (!isMappingIssue(found)) diagnosis.push(found)
    // a list that names somebody else's illness is wrong as a whole; one that lacks a line can be told so
    else if (found.reason.endsWith(ISSUES.otherPatient)) return found
    else context.note(found)
  }
  return assemble({
    type: 'Claim',
    patient: context.patient,
    id: context.idFor('Claim', entry.id),
    values: {
      status,
      created,
      total: total?.value,
      currency: total?.currency,
      diagnosis: diagnosis.length > 0 ? diagnosis : undefined,
    },
    // what a diagnosis says comes from the condition that it refers to
    metadata: factsOf({ time: created, concepts: diagnosis, encounter, sources: [entry.resource, diagnosis] }),
  })
}

function diagnosisOf(
  where: string,
  { diagnosisCodeableConcept: said, diagnosisReference: reference }: z.output<typeof Diagnosis>,
  entry: IdentifiedEntry,
  context: SubjectContext,
): Concept | MappingIssue | undefined {
  if (reference === undefined) return said
  if (said !== undefined) return mappingIssue(`${where}.diagnosis[x]`, ISSUES.oneValue)
  const target = context.references.follow(reference, entry.resource)
  if (target.kind !== 'entry' && target.kind !== 'contained') return mappingIssue(where, ISSUES.reference)
  const { type, resource } = target.kind === 'entry' ? target.entry : target
  if (type !== 'Condition') return mappingIssue(where, ISSUES.reference)
  if (target.kind === 'entry' && saysOtherPatient(target.entry, context)) return mappingIssue(where, ISSUES.otherPatient)
  const found = unfit('Condition', resource)
  if (found) return found
  // the code of a refuted condition would read as a diagnosis
  if (leftOutFor('Condition', resource) !== undefined) return mappingIssue(where, ISSUES.retracted)
  const condition = Diagnosed.safeParse(resource)
  if (!condition.success) return schemaIssue('Condition', condition.error)
  return condition.data.code ?? mappingIssue('Condition.code', ISSUES.shape)
}
