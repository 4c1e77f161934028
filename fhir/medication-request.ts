import { z } from 'zod'
import { authorOf } from './author.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { categoriesOf } from './coded.ts'
import { CodeableConcept, type Concept, Reference, SubjectConcept } from './datatypes.ts'
import { Dosage, dosageText } from './dosage.ts'
import { type MappingIssue, ISSUES, mappingIssue, schemaIssue, isMappingIssue } from './mapping-issue.ts'
import { unfit } from './inspect.ts'
import { DateTime } from './instant.ts'
import { NamedReference, namesSubject, partyName } from './party.ts'
import { assemble } from './record.ts'
import { type MapResource, type SubjectContext, encounterOf, factsOf } from './subject.ts'
import { MEDICATION_REQUEST_STATUS } from './value-sets.ts'

/** @source https://hl7.org/fhir/R4/medicationrequest.html */
const MedicationRequest = z.object({
  status: z.enum(MEDICATION_REQUEST_STATUS, { error: ISSUES.code }).optional(),
  category: z.array(CodeableConcept).default([]),
  medicationCodeableConcept: SubjectConcept.optional(),
  medicationReference: NamedReference.optional(),
  encounter: Reference.optional(),
  authoredOn: DateTime.optional(),
  requester: NamedReference.optional(),
  dosageInstruction: z.array(Dosage).default([]),
})

/** @source https://hl7.org/fhir/R4/medication.html */
const Medication = z.object({ code: SubjectConcept.optional() })

export const mapMedicationRequest: MapResource = (entry, context) => {
  const parsed = MedicationRequest.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('MedicationRequest', parsed.error)
  const { status, category, medicationCodeableConcept, medicationReference, authoredOn, requester, dosageInstruction } = parsed.data
  if (medicationCodeableConcept !== undefined && medicationReference !== undefined) {
    return mappingIssue('MedicationRequest.medication[x]', ISSUES.oneValue)
  }
  const encounter = encounterOf('MedicationRequest', entry, parsed.data.encounter, context)
  if (typeof encounter === 'object') return encounter
  const medication = medicationCodeableConcept ?? medicationAt(medicationReference, entry, context)
  if (isMappingIssue(medication)) return medication
  const dosage = dosageText(dosageInstruction)
  if (dosage === undefined && dosageInstruction.length > 0)
    context.note(mappingIssue('MedicationRequest.dosageInstruction', ISSUES.lostForm))
  const name = partyName(requester, entry.resource, ['Practitioner', 'Organization'], context)
  return assemble({
    type: 'MedicationRequest',
    patient: context.patient,
    id: context.idFor('MedicationRequest', entry.id),
    values: { medication, status, authoredOn, dosageInstruction: dosage, requester: name },
    metadata: factsOf({
      time: authoredOn,
      concepts: [medication],
      categories: categoriesOf(category),
      encounter,
      author: authorOf(entry, context.references),
      // the medication and the requester's name come from other resources
      sources: [entry.resource, medication, name ?? null],
    }),
  })
}

/** A request for nothing in particular cannot be relied on: without its medication it is refused. */
function medicationAt(
  said: NamedReference | undefined,
  entry: IdentifiedEntry,
  { references, subject }: SubjectContext,
): Concept | MappingIssue {
  const where = 'MedicationRequest.medication[x]'
  if (said === undefined) return mappingIssue(where, ISSUES.shape)
  const target = references.follow(said.link, entry.resource)
  if (target.kind === 'entry' || target.kind === 'contained') {
    const { type, resource } = target.kind === 'entry' ? target.entry : target
    if (type !== 'Medication') return mappingIssue(where, ISSUES.reference)
    const found = unfit('Medication', resource)
    if (found) return found
    const medication = Medication.safeParse(resource)
    if (!medication.success) return schemaIssue('Medication', medication.error)
    return medication.data.code ?? mappingIssue('Medication.code', ISSUES.shape)
  }
  // the display of a medication names no subject, but files have been seen that write one everywhere
  const { display } = said
  const elsewhere = target.kind === 'nowhere' ? said.reference === undefined : target.type === 'Medication'
  if (!elsewhere || display === undefined || namesSubject(display, subject)) return mappingIssue(where, ISSUES.reference)
  return { coding: [], text: display }
}
