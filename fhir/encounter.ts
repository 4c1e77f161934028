import { z } from 'zod'
import { isAbsentReason } from './absent-reason.ts'
import { codeOf, hasCode } from './coded.ts'
import { CodeableConcept, Coding } from './datatypes.ts'
import { ISSUES, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { type FhirPeriod, WrittenPeriod, endInstant, saidPeriod } from './instant.ts'
import { NamedReference, firstName, partyName } from './party.ts'
import { assemble } from './record.ts'
import { type MapResource, factsOf } from './subject.ts'
import { ENCOUNTER_STATUS } from './value-sets.ts'

/** @source https://hl7.org/fhir/R4/encounter.html */
const Encounter = z.object({
  status: z.enum(ENCOUNTER_STATUS, { error: ISSUES.code }).optional(),
  class: Coding.optional(),
  type: z.array(CodeableConcept).default([]),
  period: WrittenPeriod.optional(),
  reasonCode: z.array(CodeableConcept).default([]),
  serviceProvider: NamedReference.optional(),
  reasonReference: z.array(z.unknown()).default([]),
  participant: z
    .array(
      z.object({
        type: z.array(CodeableConcept).default([]),
        individual: NamedReference.optional(),
        period: WrittenPeriod.optional(),
      }),
    )
    .default([]),
})

/** The performer comes before the attender, and both before everybody else. A later end of the part comes before an earlier one. @source HL7 v3 ParticipationType */
const PARTS = ['PPRF', 'ATND']
const PART_SYSTEMS = ['http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'http://hl7.org/fhir/v3/ParticipationType']

const byEnd = (one: FhirPeriod | undefined, other: FhirPeriod | undefined): number => {
  const [end, otherEnd] = [one, other].map((period) => (period?.end === undefined ? '~' : endInstant(period.end)))
  return end === otherEnd ? 0 : (end ?? '') < (otherEnd ?? '') ? -1 : 1
}

export const mapEncounter: MapResource = (entry, context) => {
  const parsed = Encounter.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('Encounter', parsed.error)
  const { status, class: kind, type, period, reasonCode, serviceProvider, participant } = parsed.data
  const rank = (types: (typeof participant)[number]['type']): number => {
    const place = PARTS.findIndex((part) => types.some((one) => hasCode(one, part, PART_SYSTEMS)))
    return place === -1 ? PARTS.length : place
  }
  const ordered = participant.toSorted((one, other) => rank(one.type) - rank(other.type) || byEnd(other.period, one.period))
  const practitioner = firstName(ordered, ({ individual }) => partyName(individual, entry.resource, ['Practitioner'], context))
  for (const [element, said] of [
    ['type', type],
    ['reasonCode', reasonCode],
  ] as const)
    if (said.length > 1) context.note(mappingIssue(`Encounter.${element}`, ISSUES.further))
  if (reasonCode.length === 0 && parsed.data.reasonReference.length > 0)
    context.note(mappingIssue('Encounter.reasonReference', ISSUES.lostForm))
  const provider = partyName(serviceProvider, entry.resource, ['Organization'], context)
  return assemble({
    type: 'Encounter',
    patient: context.patient,
    id: context.idFor('Encounter', entry.id),
    values: {
      status,
      class: kind === undefined || isAbsentReason(kind) ? undefined : codeOf({ coding: [kind] }),
      type: type[0],
      period: saidPeriod(period),
      reasonCode: reasonCode[0],
      serviceProvider: provider,
      practitioner,
    },
    metadata: factsOf({
      time: period?.start ?? period?.end,
      concepts: type,
      // names come from other resources, which may change while the encounter does not
      sources: [entry.resource, practitioner ?? null, provider ?? null],
    }),
  })
}
