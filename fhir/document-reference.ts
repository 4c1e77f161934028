import { z } from 'zod'
import { Attachment, attachedText } from './attachment.ts'
import { authorOf } from './author.ts'
import { withBinaries } from './binary.ts'
import { categoriesOf } from './coded.ts'
import { CodeableConcept, Reference } from './datatypes.ts'
import { ISSUES, isMappingIssue, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, WrittenPeriod } from './instant.ts'
import { NamedReference, firstName, partyName } from './party.ts'
import { assemble, labeled } from './record.ts'
import { type MapResource, encounterOf, factsOf } from './subject.ts'

/** @source https://hl7.org/fhir/R4/documentreference.html */
const DocumentReference = z.object({
  type: CodeableConcept.optional(),
  category: z.array(CodeableConcept).default([]),
  date: DateTime.optional(),
  author: z.array(NamedReference).default([]),
  content: z.array(z.object({ attachment: Attachment })).default([]),
  context: z.object({ encounter: z.array(Reference).default([]), period: WrittenPeriod.optional() }).optional(),
})

const ATTACHMENT = 'DocumentReference.content.attachment'

export const mapDocumentReference: MapResource = (entry, context) => {
  const parsed = DocumentReference.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('DocumentReference', parsed.error)
  const { type, category, author, content, context: made } = parsed.data
  const encounter = encounterOf('DocumentReference', entry, made?.encounter[0], context)
  if (typeof encounter === 'object') return encounter
  if ((made?.encounter.length ?? 0) > 1) context.note(mappingIssue('DocumentReference.context.encounter', ISSUES.further))
  const attached = content.map(({ attachment }) => attachment)
  const forms = withBinaries(ATTACHMENT, attached, entry, context)
  if (isMappingIssue(forms)) return forms
  const text = attachedText(ATTACHMENT, forms.attachments)
  if (typeof text === 'object') return text
  if (text === undefined && content.length > 0) context.omit('DocumentReference without its text')
  const date = parsed.data.date ?? made?.period?.start
  const name = firstName(author, (one) => partyName(one, entry.resource, ['Practitioner', 'Organization'], context))
  const record = assemble({
    type: 'DocumentReference',
    patient: context.patient,
    id: context.idFor('DocumentReference', entry.id),
    values: { type, date, author: name, text },
    metadata: factsOf({
      time: date,
      concepts: [type],
      categories: categoriesOf(category),
      encounter,
      author: authorOf(entry, context.references),
      sources: [entry.resource, name ?? null, ...forms.sources],
    }),
  })
  return isMappingIssue(record) ? record : labeled(record, forms.labels)
}
